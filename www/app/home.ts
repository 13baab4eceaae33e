// The list of videos, live ones first.

import { type Video, type VideoState, listVideos } from "./api";
import { ago, make, one, poll } from "./dom";
import { showState } from "./state";

const order: VideoState[] = ["live", "away", "waiting", "recorded"];

const list = one(".cards");
const empty = one(".empty");
let shown = "";

poll(5000, async () => {
  const videos = await listVideos().catch(() => undefined);
  if (!videos) return say("The server can’t be reached. Trying again…");
  videos.sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || b.created_at - a.created_at);
  const now = JSON.stringify(videos);
  if (now === shown) return;
  shown = now;
  list.replaceChildren(...videos.map(card));
  say(videos.length === 0 ? "Nothing to watch yet." : "");
});

function say(text: string): void {
  empty.textContent = text;
  empty.hidden = text === "";
}

function card(video: Video): HTMLElement {
  const badge = make("span", "state");
  showState(badge, video.state);
  const art = make("span", "art", badge);
  art.style.setProperty("--hue", String(hueOf(video.id)));
  const link = make("a", "card", art, make("strong", "", video.title || video.id), make("small", "", since(video)));
  link.href = video.watch_url;
  return make("li", "", link);
}

function since({ state, started_at, ended_at, created_at }: Video): string {
  if (state === "recorded") return `Ended ${ago(ended_at ?? created_at)}`;
  return started_at ? `Started ${ago(started_at)}` : `Created ${ago(created_at)}`;
}

/** A colour that a video keeps. */
function hueOf(id: string): number {
  return Array.from(id).reduce((hue, c) => (hue * 31 + c.charCodeAt(0)) % 360, 7);
}
