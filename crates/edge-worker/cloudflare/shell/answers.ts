/** Answers that viewers share, and how the parts of this edge hand them to each other. */
import type { Class, Serve } from "./abi.ts";
import { LIVE_EDGE } from "./edges.ts";
import { OriginTimeout } from "./origin.ts";
import { problem } from "./problem.ts";

/** What is to be had, apart from what it is called. Two viewers' orders of one target are equal. */
export interface Terms
  extends Pick<Serve, "encoding" | "freshMs" | "errorMs" | "staleMs" | "waitMs" | "held"> {
  class: Class;
}

export interface Order extends Terms {
  target: string;
}

/** When the origin answered, in Unix milliseconds. */
export const SEEN = "weir-seen";
/** How many bytes the whole body has; a growing one does not tell. */
export const LENGTH = "weir-length";
/** How an answer was come by; see Cache-Status (RFC 9211). */
export const HOW = "weir-how";
/** That the data centre which gets this answer is the first of its kind, and is to store it. */
export const STORE = "weir-store";

/** The Content-Encoding of a copy in the Cache API. */
export const CODING = "weir-coding";

/** Fields that never leave this edge. */
export const INTERNAL = [
  SEEN,
  LENGTH,
  HOW,
  STORE,
  CODING,
  LIVE_EDGE,
  "cloudflare-cdn-cache-control",
  "cf-cache-status",
];

export function termsOf(serve: Serve, cls: Class): Terms {
  const { encoding, freshMs, errorMs, staleMs, waitMs, held } = serve;
  return { class: cls, encoding, freshMs, errorMs, staleMs, waitMs, held };
}

/** The fields under which this edge keeps an answer of the origin. */
export function keptFields(answer: Response, passed: [string, string][]) {
  const fields = new Headers(passed);
  fields.set(SEEN, String(Date.now()));
  const edge = answer.headers.get(LIVE_EDGE);
  if (edge) fields.set(LIVE_EDGE, edge);
  const length = answer.headers.get("content-length");
  if (length) fields.set(LENGTH, length);
  return fields;
}

export function originFailed(error: unknown, held: boolean) {
  console.warn(error);
  const late = error instanceof OriginTimeout;
  if (held && late) return problem("position_timeout", "the position did not come in time");
  if (held) return problem("unavailable", "the origin went away and did not come back in time");
  if (late) return problem("origin_unreachable", "the origin did not answer in time");
  return problem("origin_unreachable", "the origin cannot be reached");
}
