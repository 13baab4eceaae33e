// What the player says when there is no picture to show.

import type { Snapshot } from "./playback";

export interface Message {
  title: string;
  text: string;
  /** Label of a button that opens the source again. */
  action?: string;
}

export function messageFor(now: Snapshot | undefined, broken?: string): Message | undefined {
  if (broken) {
    return { title: "This can’t be played", text: `${broken} Trying again…`, action: "Try now" };
  }
  switch (now?.phase) {
    case "waiting":
      return {
        title: "Not started yet",
        text: "Playback begins by itself when the broadcast does.",
      };
    case "away":
      if (now.bufferSeconds > 0.2) return undefined;
      return {
        title: "Connection to the broadcaster lost",
        text: "Waiting for the broadcast to come back…",
      };
    case "trouble":
      if (now.bufferSeconds > 0.2) return undefined;
      return {
        title: now.status ? "The server has a problem" : "No connection",
        text: now.status ? `It answered ${now.status}. Trying again…` : "Trying to reach the server again…",
      };
    case "ended":
      return {
        title: "The end",
        text: "The recording can be watched from the beginning.",
        action: "Watch again",
      };
    case "unplayable":
      return { title: "This can’t be played", text: "The playlist is damaged. Trying again…" };
    default:
      return undefined;
  }
}
