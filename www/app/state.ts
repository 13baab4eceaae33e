// A video's state as a badge.

import type { VideoState } from "./api";

const words: Record<VideoState, string> = {
  waiting: "Soon",
  live: "Live",
  away: "Interrupted",
  recorded: "Recording",
};

export function showState(badge: HTMLElement, state: VideoState): void {
  badge.textContent = words[state];
  badge.dataset["state"] = state;
  badge.hidden = false;
}
