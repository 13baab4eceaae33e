// The events endpoint: a batch goes out, the numbers of the events that are done with come back.

import type { Ticket } from "./ticket";

const ENDPOINT = "/api/v1/events";

interface Results {
  results: { seq: number; status: "accepted" | "refused" }[];
  /** Why the ticket is not good. */
  ticket?: string;
}

/**
 * Posts a batch, with the session's ticket unless it has one in it. Without an answer that names events
 * there is nothing, and it may be sent again.
 */
export async function post(batch: string, ticket?: Ticket): Promise<number[] | undefined> {
  try {
    await ticket?.need();
    const headers = { "content-type": "application/json" };
    const answer = await fetch(ENDPOINT, { method: "POST", headers, body: ticket?.in(batch) ?? batch });
    if (!answer.ok) return undefined;
    const { results, ticket: wrong } = (await answer.json()) as Results;
    if (wrong && ticket?.refused()) return undefined;
    return results.map((result) => result.seq);
  } catch {
    return undefined;
  }
}

/** Hurries a batch out of a page that is going. It brings no answer, so the batch stays kept. */
export function hurry(batch: string): void {
  navigator.sendBeacon(ENDPOINT, new Blob([batch], { type: "application/json" }));
}
