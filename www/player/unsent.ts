// What was reported and not heard back about, kept beyond the life of its page and sent by another.

import { post } from "./events";
import type { Session } from "./session";
import { keep, kept } from "./store";

/** Most events that the server takes at once. */
const BATCH = 100;
/** Time between two attempts to send what earlier pages left. */
const RESEND_MS = 30_000;

/** Tells the pages of a session apart: each keeps its own. */
const page = Date.now().toString(36);
let resending = false;

/** Keeps what is unanswered, in the form of a batch of any length; `undefined` is nothing. */
export function keepUnsent(session: Session, video: string, batch: string | undefined): void {
  void keep(`${session.id}.${page}.${video}`, batch);
}

/** Sends what other pages left unanswered, until it is answered. Sending twice counts once. */
export async function resend(session: Session): Promise<void> {
  if (resending) return;
  resending = true;
  const own = `${session.id}.${page}.`;
  for (;;) {
    const left = (await kept()).filter(([key]) => !key.startsWith(own));
    let answered = true;
    for (const [key, batch] of left) {
      if (await sendAll(batch)) await keep(key, undefined);
      else answered = false;
    }
    if (answered) break;
    await new Promise((resolve) => setTimeout(resolve, RESEND_MS));
  }
  resending = false;
}

/** Whether all of a batch of any length was answered. */
async function sendAll(batch: string): Promise<boolean> {
  const { events, ...head } = JSON.parse(batch) as { events: unknown[] };
  for (let at = 0; at < events.length; at += BATCH) {
    const some = JSON.stringify({ ...head, events: events.slice(at, at + BATCH) });
    if (!(await post(some))) return false;
  }
  return true;
}
