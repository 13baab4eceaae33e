/**
 * The live edges that this isolate has seen, so that made-up positions never reach the origin: one
 * that lies more than two segments beyond the last complete one is answered here.
 */
import type { Position } from "./abi.ts";
import { Bounded } from "./bounded.ts";

/** `{msn}.{parts}` of the segment that grows, or comes next: on answers about live streams. */
export const LIVE_EDGE = "weir-live-edge";

/** How far ahead of the segment that grows a player may ask (draft-rfc8216bis section 6.2.5.2). */
const AHEAD = 1;
/** No stream's segments come faster than this, so that an edge seen a while ago can be trusted. */
const SHORTEST_SEGMENT_MS = 1000;
const MOST_STREAMS = 10_000;

const seen = new Bounded<string, { msn: number; at: number }>(MOST_STREAMS);

/** `at` is when the origin said so: a stored answer tells of its own time. */
export function learn(stream: string, edge: string, at: number) {
  const msn = Number(/^(\d{1,15})\.\d+$/.exec(edge)?.[1] ?? NaN);
  const known = seen.get(stream);
  if (Number.isNaN(msn) || (known && known.at >= at)) return;
  seen.set(stream, { msn, at });
}

export function isTooFarAhead({ stream, msn }: Position, now: number) {
  const edge = seen.get(stream);
  if (!edge) return false;
  const since = Math.ceil(Math.max(now - edge.at, 0) / SHORTEST_SEGMENT_MS);
  return msn > edge.msn + since + AHEAD;
}
