/** One range out of a whole answer (RFC 9110 section 14), and validators (section 13). */

interface Range {
  first: number;
  last: number;
}

/**
 * `undefined` asks for the whole: several ranges, or what is no range, are answered so, as the
 * section allows.
 */
export function parseRange(field: string, length: number): Range | "unsatisfiable" | undefined {
  const [, from = "", to = ""] = /^bytes=(\d*)-(\d*)$/.exec(field.trim()) ?? [];
  if (from === "" && to === "") return undefined;
  // Numbers beyond what counts exactly are as good as the largest.
  const isSuffix = from === "";
  const first = isSuffix ? length - Number(to) : Number(from);
  const last = isSuffix || to === "" ? Infinity : Number(to);
  if (first > last) return undefined;
  const range = { first: Math.max(first, 0), last: Math.min(last, length - 1) };
  return range.first > range.last ? "unsatisfiable" : range;
}

/** `answer`, which is whole and has `length` bytes, as `request` wants it. */
export function sliced(request: Request, answer: Response, length: number | undefined) {
  if (answer.status !== 200) return answer;
  if (isKnown(request, answer)) return emptied(answer, 304);
  if (length === undefined) return answer;
  answer.headers.set("accept-ranges", "bytes");
  const field = request.headers.get("range");
  if (request.method !== "GET" || field === null || request.headers.has("if-range")) return answer;
  const range = parseRange(field, length);
  if (range === undefined) return answer;
  if (range === "unsatisfiable") {
    answer.headers.set("content-range", `bytes */${length}`);
    return emptied(answer, 416);
  }
  answer.headers.set("content-range", `bytes ${range.first}-${range.last}/${length}`);
  answer.headers.delete("content-length");
  const fixed = new FixedLengthStream(range.last - range.first + 1);
  const body = answer.body?.pipeThrough(cut(range)).pipeThrough(fixed);
  return new Response(body, { status: 206, headers: answer.headers });
}

function isKnown(request: Request, answer: Response) {
  const tag = answer.headers.get("etag");
  const known = request.headers.get("if-none-match");
  if (tag === null || known === null) return false;
  const opaque = (tag: string) => tag.trim().replace(/^W\//, "");
  return known.trim() === "*" || known.split(",").some((one) => opaque(one) === opaque(tag));
}

function emptied(answer: Response, status: number) {
  // Nobody reads on: the body goes to waste where it comes from.
  void answer.body?.cancel();
  answer.headers.delete("content-length");
  return new Response(null, { status, headers: answer.headers });
}

function cut({ first, last }: Range) {
  let at = 0;
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      const [from, to] = [Math.max(first - at, 0), Math.min(last + 1 - at, chunk.length)];
      at += chunk.length;
      if (from < to) controller.enqueue(chunk.subarray(from, to));
      if (at > last) controller.terminate();
    },
  });
}
