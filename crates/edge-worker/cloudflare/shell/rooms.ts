/** Chat rooms: a Worker of their own, which nobody reaches but through this one. */
import type { Join } from "./abi.ts";
import type { Asked } from "./asked.ts";
import { problem } from "./problem.ts";

const ORIGINS_CALL = /^\/rooms\/[^/]+\/[a-z]+$/;

/** A viewer whose token, if one is needed, the guest has seen. */
export async function join({ request, url, env }: Asked, plan: Join) {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return problem("upgrade_required", "a room is a WebSocket: ask for one");
  }
  const page = request.headers.get("origin");
  const known = env.PAGE_ORIGINS?.split(",").map((origin) => origin.trim()) ?? [];
  // Browsers let any page open a WebSocket, and name it.
  if (page !== null && page !== url.origin && !known.includes(page)) {
    return problem("foreign_page", "pages of other sites may not open this room");
  }
  if (!env.ROOMS) return problem("unavailable", "this edge has no rooms");
  const socket = new URL(`https://rooms.invalid/rooms/${plan.room}/socket`);
  if (plan.after !== undefined) socket.searchParams.set("after", String(plan.after));
  return env.ROOMS.fetch(new Request(socket, request));
}

/** What the origin posts; it shows its secret there. `undefined` for any other request. */
export async function posted({ request, url, env }: Asked) {
  if (request.method !== "POST" || !ORIGINS_CALL.test(url.pathname)) return undefined;
  return env.ROOMS?.fetch(request);
}
