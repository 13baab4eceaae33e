/** Failures that the edge itself has to tell: problem details (RFC 9457). */

export type Code =
  | "foreign_page"
  | "internal"
  | "invalid_query"
  | "media_not_found"
  | "origin_unreachable"
  | "position_timeout"
  | "position_too_far_ahead"
  | "rate_limited"
  | "too_large"
  | "unavailable"
  | "upgrade_required";

const STATUS: Record<Code, number> = {
  foreign_page: 403,
  internal: 500,
  invalid_query: 400,
  media_not_found: 404,
  origin_unreachable: 502,
  position_timeout: 503,
  position_too_far_ahead: 400,
  rate_limited: 429,
  too_large: 413,
  unavailable: 503,
  upgrade_required: 426,
};

export function problem(code: Code, detail: string, retryAfterS?: number) {
  const status = STATUS[code];
  const headers = new Headers({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "access-control-allow-origin": "*",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
  const retryAfter = retryAfterS ?? (status === 502 || status === 503 ? 1 : undefined);
  if (retryAfter !== undefined) headers.set("retry-after", String(retryAfter));
  return Response.json({ status, code, detail }, { status, headers });
}
