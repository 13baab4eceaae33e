// The events endpoint: a batch goes out, the numbers of the events that are done with come back.

const ENDPOINT = "/api/v1/events";

interface Results {
  results: { seq: number; status: "accepted" | "refused" }[];
}

/** Posts a batch. Without an answer that names events there is nothing, and it may be sent again. */
export async function post(batch: string): Promise<number[] | undefined> {
  try {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(ENDPOINT, { method: "POST", headers, body: batch });
    if (!answer.ok) return undefined;
    const { results } = (await answer.json()) as Results;
    return results.map((result) => result.seq);
  } catch {
    return undefined;
  }
}

/** Hurries a batch out of a page that is going. It brings no answer, so the batch stays kept. */
export function hurry(batch: string): void {
  navigator.sendBeacon(ENDPOINT, new Blob([batch], { type: "application/json" }));
}
