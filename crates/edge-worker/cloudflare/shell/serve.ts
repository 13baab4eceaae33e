/** Answers that viewers share: out of a cache, or else from the origin into it. */
import type { Plan, Serve } from "./abi.ts";
import { CODING, HOW, INTERNAL, LENGTH, type Order, SEEN, STORE, type Terms, termsOf } from "./answers.ts";
import type { Asked } from "./asked.ts";
import { COLO, ORDER } from "./coalescer.ts";
import { isTooFarAhead, learn, LIVE_EDGE } from "./edges.ts";
import { problem } from "./problem.ts";
import { sliced } from "./range.ts";

/** How many objects share the answers about one video. */
const SHARDS = 16;

export async function serve(asked: Asked, { class: cls }: Plan, plan: Serve) {
  if (plan.position && isTooFarAhead(plan.position, asked.now)) return farAhead(cls === "playlist");
  const terms = termsOf(plan, cls);
  const answer = asked.env.COALESCER
    ? await coalesced(asked, { ...terms, target: plan.target }, asked.env.COALESCER)
    : await cached(asked, terms, plan.target);
  const edge = answer.headers.get(LIVE_EDGE);
  if (plan.position && edge) learn(plan.position.stream, edge, Number(answer.headers.get(SEEN)));
  return toViewer(asked.request, plan, answer);
}

/** The data centre's cache in front of [`Cached`]; it slices ranges itself. */
async function cached({ request, context }: Asked, terms: Terms, target: string) {
  const range = request.headers.get("range");
  const answer = await context.exports
    .Cached({ props: terms })
    .fetch(new URL(target, "https://cached.invalid"), {
      headers: range ? { range } : {},
      encodeResponseBody: "manual",
    });
  const how = cacheStatus(answer.headers.get("cf-cache-status"));
  return withFields(answer, [[HOW, how]]);
}

/** RFC 9211's words for Cloudflare's. */
function cacheStatus(cloudflare: string | null) {
  switch (cloudflare) {
    case "HIT":
    case "REVALIDATED":
      return "hit";
    case "STALE":
    case "UPDATING":
      return "hit; detail=stale";
    default:
      return "fwd=miss";
  }
}

/** The data centre's own cache, and behind it the object that asks the origin once. */
async function coalesced({ request, context }: Asked, order: Order, coalescer: DurableObjectNamespace) {
  const key = new Request(new URL(order.target, `https://${order.encoding}.cache.invalid`));
  const found = await caches.default.match(key);
  if (found) return uncovered(found);

  const colo = String(request.cf?.colo ?? "");
  const answer = await coalescer.getByName(shard(order.target)).fetch("https://coalescer.invalid", {
    headers: { [ORDER]: JSON.stringify(order), [COLO]: colo },
    encodeResponseBody: "manual",
  });
  // The cache counts in whole seconds; what is news for less is not worth its while.
  const seconds = Math.floor(order.freshMs / 1000);
  const store = answer.headers.has(STORE) && answer.status === 200 && seconds > 0;
  if (!store) return withFields(answer, []);
  context.waitUntil(caches.default.put(key, covered(answer.clone(), seconds)).catch(console.warn));
  return withFields(answer, []);
}

/** A copy for the Cache API, which would decode what it is told to be coded. */
function covered(answer: Response, seconds: number) {
  const headers = new Headers(answer.headers);
  const coding = headers.get("content-encoding");
  if (coding) headers.set(CODING, coding);
  headers.delete("content-encoding");
  headers.set("cache-control", `public, s-maxage=${seconds}`);
  return new Response(answer.body, { headers });
}

function uncovered(found: Response) {
  const fields: [string, string][] = [[HOW, "hit"]];
  const coding = found.headers.get(CODING);
  if (coding) fields.push(["content-encoding", coding]);
  return withFields(found, fields);
}

/** Answers about one video come from few objects, so that none of them carries a crowd alone. */
function shard(target: string) {
  const [path = ""] = target.split("?");
  const video = /^\/(?:v|api\/v1\/videos)\/([a-z0-9]+)/.exec(path)?.[1] ?? "";
  let hash = 0;
  for (const character of path) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) >>> 0;
  return `${video}/${hash % SHARDS}`;
}

function toViewer(request: Request, plan: Serve, answer: Response) {
  const headers = new Headers(answer.headers);
  const length = headers.has("content-encoding") ? undefined : headers.get(LENGTH);
  headers.set("cache-status", `weir; ${headers.get(HOW) ?? "fwd=miss"}`);
  for (const name of INTERNAL) headers.delete(name);
  for (const [name, value] of plan.fields) headers.set(name, value);
  headers.set("cache-control", answer.status < 400 ? plan.cacheControl : "no-store");
  const whole = new Response(answer.body, { status: answer.status, headers, ...asItIs(answer) });
  const wanted = sliced(request, whole, length ? Number(length) : undefined);
  return request.method === "HEAD" ? new Response(null, wanted) : wanted;
}

function withFields(answer: Response, fields: [string, string][]) {
  const headers = new Headers(answer.headers);
  for (const [name, value] of fields) headers.set(name, value);
  return new Response(answer.body, { status: answer.status, headers, ...asItIs(answer) });
}

/** A coded body is passed on as it came. */
function asItIs(answer: Response) {
  return answer.headers.has("content-encoding") ? { encodeBody: "manual" as const } : {};
}

function farAhead(isPlaylist: boolean) {
  return isPlaylist
    ? problem("position_too_far_ahead", "the position is more than 2 segments ahead of the live edge")
    : problem("media_not_found", "the live edge has not come this far");
}
