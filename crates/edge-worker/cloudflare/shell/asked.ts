/** A request and what this edge knows of it. */
import type { EdgeRequest } from "./abi.ts";
import { Bounded } from "./bounded.ts";
import type { Env } from "./env.ts";
import { policyOf } from "./policy.ts";

export interface Asked {
  request: Request;
  url: URL;
  env: Env;
  context: ExecutionContext;
  now: number;
}

const MOST_TOKENS = 10_000;
/** Longer ones are none that an edge takes. */
const MAX_BEARER = 2048;
const UNKNOWN_COUNTRY = "XX";
/** Headers that Common Media Client Data may come in (CTA-5004 section 2). */
const CMCD_FIELDS = ["cmcd-request", "cmcd-object", "cmcd-status", "cmcd-session"];

/** Claims of tokens that the guest has verified: checking a signature is the dearest thing it does. */
const claims = new Bounded<string, Uint8Array>(MOST_TOKENS);

export function remember({ request, url }: Asked, verified: Uint8Array) {
  const token = tokenOf(request, url);
  if (token) claims.set(token, verified);
}

/** What the guest is told. */
export function facts({ request, url, env, now }: Asked): EdgeRequest {
  const field = (name: string) => request.headers.get(name) ?? "";
  const { deviceHeader } = policyOf(env);
  const country = request.cf?.country as string | undefined;
  const bearer = bearerOf(request);
  const token = tokenOf(request, url);
  return {
    now,
    method: request.method,
    path: url.pathname,
    query: url.search.slice(1),
    userAgent: field("user-agent"),
    contentType: field("content-type"),
    mobile: field("sec-ch-ua-mobile") === "?1",
    country: country === UNKNOWN_COUNTRY ? undefined : country,
    // Cloudflare asks Workers for what it can store best; what the viewer takes is kept here.
    acceptEncoding: (request.cf?.clientAcceptEncoding as string | undefined) ?? field("accept-encoding"),
    bearer,
    claims: token ? claims.get(token) : undefined,
    nonce: crypto.getRandomValues(new Uint8Array(16)),
    pathwayHealth: Uint8Array.from(env.PATHWAY_HEALTH?.split(",") ?? [], Number),
    cmcd: CMCD_FIELDS.map(field).filter(Boolean).join(","),
    device: deviceHeader ? field(deviceHeader) : "",
  };
}

/** By the same rule as the guest finds it: in the path, else in the query, else as a bearer. */
function tokenOf(request: Request, { pathname, search }: URL) {
  if (pathname.startsWith("/t/")) return pathname.split("/")[2];
  return /[?&]token=([^&]*)/.exec(search)?.[1] ?? bearerOf(request);
}

function bearerOf(request: Request) {
  return /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1]?.slice(0, MAX_BEARER) ?? "";
}
