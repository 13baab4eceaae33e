/** The client towards the origin. */

const PASSED_ON = new Set([
  "content-encoding",
  "content-language",
  "content-security-policy",
  "content-type",
  "cross-origin-embedder-policy",
  "cross-origin-opener-policy",
  "etag",
  "last-modified",
  "link",
  "location",
  "permissions-policy",
  "retry-after",
]);
const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 500;

export interface Origin {
  /** Scheme and authority. */
  url: string;
  /** How this edge calls itself. */
  pop: string;
}

export class OriginTimeout extends Error {}

/**
 * Fetches `target`. What the origin holds is asked for again for as long as it may wait: the
 * origin may be starting anew. Anything else is asked for once more.
 */
export async function get(origin: Origin, target: string, waitMs: number, held: boolean) {
  const deadline = Date.now() + waitMs;
  for (let attempt = 1, pause = MIN_PAUSE_MS; ; attempt += 1, pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
    try {
      return await ask(origin, target, { method: "GET" }, deadline - Date.now());
    } catch (error) {
      const again = !(error instanceof OriginTimeout) && (held || attempt < 2);
      if (!again || Date.now() + pause > deadline) throw error;
      await new Promise((resume) => setTimeout(resume, pause));
    }
  }
}

/** Sends a viewer's request on, once: it may have done its work even if the answer is lost. */
export function send(
  origin: Origin,
  target: string,
  waitMs: number,
  method: string,
  body: Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
) {
  const content = body.length > 0 ? { body } : {};
  return ask(origin, target, { method, headers, ...content }, waitMs);
}

/** The fields of the origin's answer that viewers get. */
export function passedOn(answer: Response) {
  const names = [...answer.headers].filter(([name]) => PASSED_ON.has(name) || name.startsWith("weir-"));
  return new Headers(names);
}

async function ask(origin: Origin, target: string, init: RequestInit, waitMs: number) {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), Math.max(waitMs, 0));
  const headers = new Headers(init.headers);
  headers.set("accept-encoding", "identity");
  headers.set("weir-pop", origin.pop);
  try {
    const signal = timeout.signal;
    return await fetch(origin.url + target, { ...init, headers, redirect: "manual", signal });
  } catch (error) {
    throw timeout.signal.aborted ? new OriginTimeout("the origin did not answer in time") : error;
  } finally {
    clearTimeout(timer);
  }
}
