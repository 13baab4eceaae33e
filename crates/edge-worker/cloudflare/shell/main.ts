/**
 * Weir's edge module on Cloudflare's runtime: the module decides, this shell fetches, caches and
 * streams. No media body enters the module's memory.
 */
import type { EdgeResponse, Forward, Serve } from "./abi.ts";
import { checkBody, decide } from "./guest.ts";
import { get, OriginTimeout, type Origin, passedOn, send } from "./origin.ts";

interface Env {
  /** The origin's viewer plane: scheme and authority. */
  ORIGIN: string;
  /** How this edge calls itself. */
  POP: string;
}

/** The field of a stored copy that keeps what viewers are told; the cache reads its own. */
const VIEWER_CACHE_CONTROL = "weir-viewer-cache-control";

export default {
  async fetch(request, env, context) {
    const url = new URL(request.url);
    const origin: Origin = { url: env.ORIGIN, pop: env.POP };
    try {
      const plan = decide({
        now: Date.now(),
        method: request.method,
        path: url.pathname,
        query: url.search.slice(1),
        userAgent: request.headers.get("user-agent") ?? "",
        contentType: request.headers.get("content-type") ?? "",
        mobile: request.headers.get("sec-ch-ua-mobile") === "?1",
        country: request.cf?.country as string | undefined,
      });
      switch (plan.action) {
        case "respond":
          return own(plan.response);
        case "serve":
          return await serve(request, origin, plan, context);
        case "forward":
          return await forward(request, origin, plan);
      }
    } catch (error) {
      console.error(error);
      return problem(503, "unavailable", "the edge cannot decide; try again");
    }
  },
} satisfies ExportedHandler<Env>;

async function serve(request: Request, origin: Origin, plan: Serve, context: ExecutionContext) {
  const key = new URL(plan.target, "https://cache.invalid");
  const range = request.headers.get("range");
  const found = await caches.default.match(new Request(key, range ? { headers: { range } } : {}));
  if (found) return toViewer(request, found, "weir; hit");

  let answer;
  try {
    answer = await get(origin, plan.target, plan.waitMs, plan.held);
  } catch (error) {
    return originFailed(error, plan.held);
  }
  const headers = passedOn(answer);
  for (const [name, value] of plan.fields) headers.set(name, value);
  headers.set("cache-control", answer.status < 400 ? plan.cacheControl : "no-store");
  const whole = new Response(answer.body, { status: answer.status, headers });

  // The cache counts in whole seconds; what is news for less is not worth its while.
  const seconds = Math.floor(plan.freshMs / 1000);
  if (answer.status === 200 && seconds > 0) {
    const copy = whole.clone();
    const stored = new Response(copy.body, copy);
    stored.headers.set(VIEWER_CACHE_CONTROL, plan.cacheControl);
    stored.headers.set("cache-control", `public, s-maxage=${seconds}`);
    const length = answer.headers.get("content-length");
    if (length) stored.headers.set("content-length", length);
    context.waitUntil(caches.default.put(new Request(key), stored));
  }
  return toViewer(request, whole, "weir; fwd=miss");
}

function toViewer(request: Request, answer: Response, status: string) {
  const headers = new Headers(answer.headers);
  const cacheControl = headers.get(VIEWER_CACHE_CONTROL);
  if (cacheControl) headers.set("cache-control", cacheControl);
  headers.delete(VIEWER_CACHE_CONTROL);
  headers.delete("cf-cache-status");
  headers.set("cache-status", status);
  const body = request.method === "HEAD" ? null : answer.body;
  return new Response(body, { status: answer.status, headers });
}

async function forward(request: Request, origin: Origin, plan: Forward) {
  const body = await readBody(request, plan.maxBody);
  if (!body) return problem(413, "too_large", "the body is longer than this call takes");
  const refusal = checkBody(plan.body, body);
  if (refusal) return own(refusal);
  const sent: Record<string, string> = {
    "content-type": request.headers.get("content-type") ?? "application/octet-stream",
  };
  // A publisher's stream key, and which state of its session is meant.
  for (const name of plan.body === "session" ? ["authorization", "if-match"] : []) {
    const value = request.headers.get(name);
    if (value) sent[name] = value;
  }
  if (plan.country) sent["weir-country"] = plan.country;
  let answer;
  try {
    answer = await send(origin, plan.target, plan.waitMs, request.method, body, sent);
  } catch (error) {
    return originFailed(error, false);
  }
  const headers = passedOn(answer);
  for (const [name, value] of plan.fields) headers.set(name, value);
  headers.set("cache-control", "no-store");
  headers.set("cache-status", "weir; fwd=method");
  return new Response(answer.body, { status: answer.status, headers });
}

/** `undefined` if it is longer than `most` bytes. */
async function readBody(request: Request, most: number) {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > most) return undefined;
    chunks.push(chunk);
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

function own({ status, fields, body }: EdgeResponse) {
  return new Response(body.length > 0 ? body : null, { status, headers: fields });
}

function originFailed(error: unknown, held: boolean) {
  const late = error instanceof OriginTimeout;
  if (held && late) return problem(503, "position_timeout", "the position did not come in time");
  if (held) return problem(503, "unavailable", "the origin went away and did not come back in time");
  if (late) return problem(502, "origin_unreachable", "the origin did not answer in time");
  return problem(502, "origin_unreachable", "the origin cannot be reached");
}

function problem(status: number, code: string, detail: string) {
  const headers = new Headers({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "access-control-allow-origin": "*",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
  if (status >= 500) headers.set("retry-after", "1");
  return Response.json({ status, code, detail }, { status, headers });
}
