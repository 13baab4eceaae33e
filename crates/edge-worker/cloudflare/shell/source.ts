/**
 * Where whole answers come from: spans from the R2 bucket, if there is one; all else, and spans that
 * it lacks, from the origin.
 */
import { keptFields, type Order } from "./answers.ts";
import type { Env } from "./env.ts";
import { get, originOf, passedOn } from "./origin.ts";

/** Longest span that is stored. */
const MAX_STORED = 64 * 1024 * 1024;
/** Where a stored span's header fields are in its metadata. */
const FIELDS = "fields";

/** Has `take` read the whole answer, which is status 200 if it came from the bucket. */
export async function take<T>(
  env: Env,
  order: Order,
  context: { waitUntil(promise: Promise<unknown>): void },
  take: (answer: Response) => Promise<T>,
): Promise<T> {
  const bucket = order.class === "span" ? env.SPANS : undefined;
  const key = order.target.slice(1);
  const stored = await bucket?.get(key);
  if (stored) {
    const fields: [string, string][] = JSON.parse(stored.customMetadata?.[FIELDS] ?? "[]");
    const length = String(stored.size);
    return take(answered(new Response(stored.body, { headers: { "content-length": length } }), fields));
  }
  return get(originOf(env), order, (answer) => {
    const fields = passedOn(answer);
    if (!bucket || answer.status !== 200) return take(answered(answer, fields));
    const [body, storing] = store(bucket, key, answer, fields);
    context.waitUntil(storing);
    return take(answered(new Response(body, answer), fields));
  });
}

function answered(answer: Response, fields: [string, string][]) {
  const headers = keptFields(answer, fields);
  return new Response(answer.body, { status: answer.status, headers, encodeBody: "manual" });
}

/** Gives the body to pass on, and the storing of its twin: one that is cut short is not stored. */
function store(bucket: R2Bucket, key: string, answer: Response, fields: [string, string][]) {
  const length = Number(answer.headers.get("content-length") ?? NaN);
  if (!answer.body || !(length > 0 && length <= MAX_STORED)) return [answer.body, Promise.resolve()] as const;
  const [body, twin] = answer.body.tee();
  const fixed = twin.pipeThrough(new FixedLengthStream(length));
  const storing = bucket.put(key, fixed, { customMetadata: { [FIELDS]: JSON.stringify(fields) } });
  return [body, storing.then(() => {}, console.warn)] as const;
}
