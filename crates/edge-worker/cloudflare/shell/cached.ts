/**
 * The entrypoint behind Workers Cache, which shares its answers: per data centre and key one
 * request runs this, whoever else asks meanwhile gets the same stream, and a hit runs nothing. The
 * key is the target, with the terms.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { type Order, originFailed, type Terms } from "./answers.ts";
import type { Env } from "./env.ts";
import { take } from "./source.ts";

/** Cloudflare keeps this field to itself. */
const CACHE_CONTROL = "cloudflare-cdn-cache-control";

export class Cached extends WorkerEntrypoint<Env, Terms> {
  override async fetch(request: Request) {
    const { pathname, search } = new URL(request.url);
    const order: Order = { ...this.ctx.props, target: pathname + search };
    try {
      return await take(this.env, order, this.ctx, async (answer) => {
        answer.headers.set(CACHE_CONTROL, lifetime(order, answer.status));
        return answer;
      });
    } catch (error) {
      const failure = originFailed(error, order.held);
      // A failure has Cloudflare serve what it kept for as long as stale-if-error allows.
      failure.headers.set(CACHE_CONTROL, "no-store");
      return failure;
    }
  }
}

/** Caches count in whole seconds: what is news for less is shared for one. */
function lifetime(order: Terms, status: number) {
  const seconds = Math.ceil((status < 400 ? order.freshMs : order.errorMs) / 1000);
  if (seconds === 0 || status >= 500) return "no-store";
  const stale = status < 400 ? Math.floor(order.staleMs / 1000) : 0;
  // Without stale-if-error an old answer would stand in for ever.
  return `public, max-age=${seconds}, stale-if-error=${stale}`;
}
