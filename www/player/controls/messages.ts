// What the player says when there is no picture to show.

import type { Snapshot } from "../playback";

export interface Message {
  title: string;
  text: string;
  /** Label of a button that opens the source again. */
  action?: string;
}

/** `broken` says why nothing can be played, in words. */
export function messageFor(now: Snapshot | undefined, broken?: string): Message | undefined {
  if (broken) return { title: "This can’t be played", text: broken, action: "Try now" };
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
      return now.status ? refused(now.status) : unreachable();
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

function refused(status: number): Message {
  const again = "Trying again…";
  switch (status) {
    case 401:
    case 403:
      return { title: "Not for everyone", text: `The server does not let this page play it (${status}). ${again}` };
    case 404:
    case 410:
      return { title: "Nothing here", text: `There is no such video (${status}). ${again}` };
    case 429:
    case 503:
      return { title: "The server is busy", text: `It answered ${status}. ${again}` };
    default:
      return { title: "The server has a problem", text: `It answered ${status}. ${again}` };
  }
}

function unreachable(): Message {
  const text = navigator.onLine
    ? "Trying to reach the server again…"
    : "This device is offline. Playback goes on when it is not.";
  return { title: "No connection", text };
}
