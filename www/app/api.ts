// The public HTTP API, as far as the pages use it. Times are Unix ms.

import { admitted } from "./access";

export type VideoState = "waiting" | "live" | "away" | "recorded";

export interface Video {
  id: string;
  title: string;
  state: VideoState;
  created_at: number;
  started_at?: number;
  ended_at?: number;
  playback_url: string;
  watch_url: string;
  warnings?: string[];
}

export interface Comment {
  seq: number;
  author: string;
  text: string;
  created_at: number;
}

export interface CommentPage {
  comments: Comment[];
  total: number;
}

/** An answer that is not a success, with the problem's words for a person (RFC 9457). */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  const answer = await fetch(path, { signal: AbortSignal.timeout(10_000), ...init });
  if (answer.status === 204) return undefined as T;
  if (answer.ok) return (await answer.json()) as T;
  const problem = (await answer.json().catch(() => ({}))) as { detail?: string };
  throw new Refused(answer.status, problem.detail ?? `The server answered ${answer.status}.`);
}

export async function listVideos(): Promise<Video[]> {
  return (await call<{ videos: Video[] }>("/api/v1/videos")).videos;
}

/** A call that is a video's, under the viewer's token if the page has one. */
function ofVideo(id: string, what = ""): string {
  return admitted(`/api/v1/videos/${id}${what}`);
}

export function getVideo(id: string): Promise<Video> {
  return call(ofVideo(id));
}

/** The newest comments, or those after a number. */
export function listComments(id: string, after: number | undefined, limit: number): Promise<CommentPage> {
  const range = after === undefined ? `before=${Number.MAX_SAFE_INTEGER}` : `after=${after}`;
  return call(ofVideo(id, `/comments?${range}&limit=${limit}`));
}

export function postComment(id: string, author: string, text: string): Promise<Comment> {
  return call(ofVideo(id, "/comments"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ author, text }),
  });
}

export type Reaction = "heart" | "clap" | "laugh" | "wow" | "fire";

export async function postReaction(id: string, kind: Reaction): Promise<void> {
  await call(ofVideo(id, "/reactions"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ kind }),
  });
}

/** The address of a video's room, for one who has the comments up to a number. */
export function roomUrl(id: string, after?: number): URL {
  const url = new URL(ofVideo(id, "/room"), location.href);
  url.protocol = url.protocol.replace("http", "ws");
  if (after !== undefined) url.searchParams.set("after", String(after));
  return url;
}

export interface Stats {
  unit: string;
  total: number | null;
  stale: boolean;
}

export function getStats(video: string, event: string, fn: "count" | "sum" | "avg"): Promise<Stats> {
  return call(`/api/v1/stats?video=${video}&event=${event}&function=${fn}`);
}
