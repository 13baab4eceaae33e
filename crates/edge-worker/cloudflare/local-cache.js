// Stands in for Cloudflare's cache under plain `workerd serve`, in the runtime's own terms: GET
// answers 504 for a miss, PUT brings a whole HTTP/1.1 answer as its body, PURGE deletes. It keeps
// what it has in memory, as long as `s-maxage` says, and no more than MAX_ENTRIES.

const MAX_ENTRIES = 10_000;
const entries = new Map();

export default {
  async fetch(request) {
    switch (request.method) {
      case "GET":
        return match(request);
      case "PUT":
        return put(request);
      case "PURGE":
        return new Response(null, { status: entries.delete(request.url) ? 200 : 404 });
      default:
        return new Response(null, { status: 405 });
    }
  },
};

function match(request) {
  const entry = entries.get(request.url);
  if (!entry || entry.until < Date.now()) {
    entries.delete(request.url);
    return new Response(null, { status: 504, headers: { "cf-cache-status": "MISS" } });
  }
  const headers = new Headers(entry.headers);
  headers.set("cf-cache-status", "HIT");
  return new Response(entry.body, { status: entry.status, headers });
}

async function put(request) {
  const message = new Uint8Array(await request.arrayBuffer());
  const end = endOfHead(message);
  const [statusLine, ...lines] = new TextDecoder().decode(message.subarray(0, end)).split("\r\n");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const maxAge = /s-maxage=(\d+)/.exec(new Headers(headers).get("cache-control") ?? "");
  if (entries.size >= MAX_ENTRIES) entries.delete(entries.keys().next().value);
  entries.set(request.url, {
    status: Number(statusLine.split(" ")[1]),
    // It may say that it comes in chunks; it does not.
    headers: headers.filter(([name]) => name !== "transfer-encoding"),
    body: message.subarray(end + 4),
    until: Date.now() + 1000 * Number(maxAge?.[1] ?? 0),
  });
  return new Response(null, { status: 204 });
}

function endOfHead(message) {
  for (let i = 0; i + 3 < message.length; i += 1) {
    if (message[i] === 13 && message[i + 1] === 10 && message[i + 2] === 13 && message[i + 3] === 10) {
      return i;
    }
  }
  throw new Error("no head");
}
