/** Requests that go to the origin each time: events, comments, WebRTC sessions. */
import type { Forward } from "./abi.ts";
import type { Asked } from "./asked.ts";
import { originFailed } from "./answers.ts";
import { checkBody } from "./guest.ts";
import { originOf, passedOn, send } from "./origin.ts";
import { own } from "./own.ts";
import { problem } from "./problem.ts";

export async function forward({ request, env }: Asked, plan: Forward) {
  const body = await readBody(request, plan.maxBody);
  if (!body) return problem("too_large", "the body is longer than this call takes");
  const refusal = checkBody(env, plan.body, body);
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
    const origin = originOf(env, request.cf?.colo as string | undefined);
    answer = await send(origin, plan.target, plan.waitMs, request.method, body, sent);
  } catch (error) {
    return originFailed(error, false);
  }
  const headers = new Headers(passedOn(answer));
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
