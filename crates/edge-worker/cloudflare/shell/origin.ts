/** The client towards the origin. */
import type { Encoding } from "./abi.ts";
import { LIVE_EDGE } from "./edges.ts";
import type { Env } from "./env.ts";
import { signature } from "./signature.ts";

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
/** How long a body may take once its head is there. */
const BODY_TIMEOUT_MS = 30_000;

export const DEFAULT_POP = "cloudflare";

export interface Origin {
  /** Scheme and authority. */
  url: string;
  /** How this edge calls itself. */
  pop: string;
  /** What requests are signed with. */
  secret: string | undefined;
}

/** What is asked of the origin, and for how long. */
export interface Errand {
  target: string;
  encoding: Encoding;
  waitMs: number;
  held: boolean;
}

export class OriginTimeout extends Error {}

/** `colo` is the data centre, where that is known. */
export function originOf(env: Env, colo?: string): Origin {
  const name = env.POP ?? DEFAULT_POP;
  const pop = colo ? `${name}-${colo.toLowerCase()}` : name;
  return { url: env.ORIGIN, pop, secret: env.EDGE_SECRET ?? undefined };
}

/**
 * Fetches what `errand` names and has `take` read the answer. What the origin holds is asked for
 * again for as long as it may wait: the origin may be starting anew. Anything else is asked for
 * once more.
 */
export async function get<T>(origin: Origin, errand: Errand, take: (answer: Response) => Promise<T>) {
  const deadline = Date.now() + errand.waitMs;
  const headers = { "accept-encoding": errand.encoding };
  for (let attempt = 1, pause = MIN_PAUSE_MS; ; attempt += 1, pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
    try {
      return await ask(origin, errand.target, { method: "GET", headers }, deadline - Date.now(), take);
    } catch (error) {
      const again = !(error instanceof OriginTimeout) && (errand.held || attempt < 2);
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
  const init = { method, headers: { ...headers, "accept-encoding": "identity" }, ...content };
  return ask(origin, target, init, waitMs, async (answer) => answer);
}

/** The fields of the origin's answer that viewers get. */
export function passedOn(answer: Response) {
  const isOurs = (name: string) => name.startsWith("weir-") && name !== LIVE_EDGE;
  const isPassedOn = (name: string) => PASSED_ON.has(name) || isOurs(name);
  return [...answer.headers].filter(([name]) => isPassedOn(name));
}

async function ask<T>(
  origin: Origin,
  target: string,
  init: RequestInit,
  waitMs: number,
  take: (answer: Response) => Promise<T>,
) {
  const timeout = new AbortController();
  let timer = setTimeout(() => timeout.abort(), Math.max(waitMs, 0));
  const headers = new Headers(init.headers);
  headers.set("weir-pop", origin.pop);
  if (origin.secret) {
    const { method = "GET" } = init;
    headers.set("weir-edge", await signature(origin.secret, method, target, headers));
  }
  try {
    const answer = await fetch(origin.url + target, {
      ...init,
      headers,
      redirect: "manual",
      signal: timeout.signal,
      // What the origin has coded is passed on as it is.
      encodeResponseBody: "manual",
    });
    clearTimeout(timer);
    timer = setTimeout(() => timeout.abort(), BODY_TIMEOUT_MS);
    return await take(answer);
  } catch (error) {
    throw timeout.signal.aborted ? new OriginTimeout("the origin did not answer in time") : error;
  } finally {
    clearTimeout(timer);
  }
}
