// Common Media Client Data (CTA-5004): has requests say how playback goes, for a CDN's logs. Loaded
// only where a page asks for it.

import type { Playback } from "./playback";

export type CmcdMode = "query" | "headers";

/** Kind of object: manifest, video, audio. */
type Kind = "m" | "v" | "a";

type Keys = Record<string, string | number | boolean | undefined>;

export class Cmcd {
  private readonly mode: CmcdMode;
  private readonly session: string;
  private readonly content: string;
  private stalls = 0;

  constructor(mode: CmcdMode, session: string, content: string) {
    this.mode = mode;
    this.session = session;
    this.content = content;
  }

  /** The request for `url` with what there is to say. */
  told(url: string, kind: Kind, playback: Playback): { url: string; init?: RequestInit } {
    const now = playback.snapshot;
    const media = kind !== "m";
    const bits = kind === "v" ? playback.renditions[now?.active ?? 0]?.bitsPerSecond : undefined;
    const starved = now !== undefined && now.stalls > this.stalls;
    this.stalls = now?.stalls ?? 0;
    const object: Keys = { br: bits && Math.round(bits / 1000), ot: kind };
    const request: Keys = {
      bl: media && now ? 100 * Math.round(now.bufferSeconds * 10) : undefined,
      mtp: now?.throughput ? 100 * Math.round(now.throughput / 100_000) : undefined,
      su: media && (now?.startupMs == null || now.bufferSeconds === 0),
    };
    const session: Keys = {
      cid: this.content || undefined,
      sf: /\.mpd(\?|$)/.test(url) ? "d" : "h",
      sid: this.session,
      st: now?.live === false ? "v" : "l",
    };
    const status: Keys = { bs: starved };
    if (this.mode === "headers") {
      const groups = { Object: object, Request: request, Session: session, Status: status };
      const headers = Object.entries(groups).map(([name, keys]) => [`CMCD-${name}`, written(keys)] as const);
      return { url, init: { headers: Object.fromEntries(headers.filter(([, text]) => text)) } };
    }
    const text = written({ ...object, ...request, ...session, ...status });
    return { url: `${url}${url.includes("?") ? "&" : "?"}CMCD=${encodeURIComponent(text)}` };
  }
}

/** Keys that are tokens; other texts are quoted. */
const TOKENS = new Set(["ot", "sf", "st"]);

function written(keys: Keys): string {
  const said = Object.entries(keys).filter(([, value]) => value !== undefined && value !== false);
  const parts = said.map(([key, value]) => {
    if (value === true) return key;
    const quoted = typeof value === "string" && !TOKENS.has(key);
    return `${key}=${quoted ? JSON.stringify(value) : value}`;
  });
  return parts.sort().join();
}
