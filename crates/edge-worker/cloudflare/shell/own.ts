import type { EdgeResponse } from "./abi.ts";

/** An answer that needs nobody else. */
export function own({ status, fields, body }: EdgeResponse) {
  return new Response(body.length > 0 ? body : null, { status, headers: fields });
}
