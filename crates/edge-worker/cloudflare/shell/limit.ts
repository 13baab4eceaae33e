/** Rate limits by client address, where Cloudflare's binding for their bucket is there. */
import type { Limit } from "./abi.ts";
import type { Asked } from "./asked.ts";
import { problem } from "./problem.ts";

/** `undefined` lets the request through. The binding's numbers are set where it is bound. */
export async function refusal({ request, env }: Asked, limit: Limit) {
  const limiter = env[`LIMIT_${limit.bucket}`];
  const address = request.headers.get("cf-connecting-ip");
  if (!limiter || !address) return undefined;
  const { success } = await limiter.limit({ key: network(address) });
  if (success) return undefined;
  return problem("rate_limited", "too many requests from this address", Math.ceil(60 / limit.perMinute));
}

/** Whoever has one IPv6 address has all of its /64. */
function network(address: string) {
  const [head = "", tail] = address.split("::");
  const [before, after] = [head.split(":"), tail?.split(":") ?? []];
  if (before.length === 1 && tail === undefined) return address;
  const zeros = Array<string>(Math.max(8 - before.length - after.length, 0)).fill("0");
  return [...before, ...zeros, ...after].slice(0, 4).join(":");
}
