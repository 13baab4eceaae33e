/**
 * Weir's edge module on Cloudflare's runtime: the module decides, this shell fetches, caches and
 * streams. No media body enters the module's memory.
 *
 * - `asked.ts`: a request and what is known of it; `guest.ts`, `abi.ts`, `wire.ts`: asking the module
 * - `env.ts`, `policy.ts`: what the operator binds and sets
 * - `serve.ts`: answers that are shared, by `cached.ts` (Workers Cache) or `coalescer.ts` (a Durable
 *   Object), from `source.ts` (R2, the origin); `edges.ts`: the live edges; `range.ts`: 206 and 304
 * - `forward.ts`: what goes to the origin each time; `rooms.ts`: chat
 * - `limit.ts`, `counts.ts`: limits and counters
 */
import type { Plan } from "./abi.ts";
import { type Asked, facts, remember } from "./asked.ts";
import { count } from "./counts.ts";
import type { Env } from "./env.ts";
import { forward } from "./forward.ts";
import { decide } from "./guest.ts";
import { refusal } from "./limit.ts";
import { own } from "./own.ts";
import { prepare } from "./policy.ts";
import { problem } from "./problem.ts";
import { join, posted } from "./rooms.ts";
import { serve } from "./serve.ts";

export { Cached } from "./cached.ts";
export { Coalescer } from "./coalescer.ts";

/** What the module's buffer has room for, beside the rest of a request. */
const MAX_PATH = 4 * 1024;
const MAX_QUERY = 4 * 1024;

export default {
  async fetch(request, env, context) {
    const asked: Asked = { request, url: new URL(request.url), env, context, now: Date.now() };
    const { pathname, search } = asked.url;
    if (pathname.length > MAX_PATH) return problem("too_large", "the path is longer than 2 KiB");
    if (search.length > MAX_QUERY + 1) return problem("too_large", "the query is longer than 4 KiB");
    try {
      await prepare(env);
      const fromOrigin = await posted(asked);
      if (fromOrigin) return fromOrigin;
      const plan = decide(env, facts(asked));
      if (plan.remember) remember(asked, plan.remember);
      const answer = (plan.limit && (await refusal(asked, plan.limit))) ?? (await carryOut(asked, plan));
      count(asked, plan, answer);
      return answer;
    } catch (error) {
      console.error(error);
      return problem("unavailable", "the edge cannot decide; try again");
    }
  },
} satisfies ExportedHandler<Env>;

async function carryOut(asked: Asked, plan: Plan) {
  const { action } = plan;
  switch (action.action) {
    case "respond":
    case "deny":
      return own(action.response);
    case "serve":
      return serve(asked, plan, action);
    case "forward":
      return forward(asked, action);
    case "join":
      return join(asked, action);
  }
}
