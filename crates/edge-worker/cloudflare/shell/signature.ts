/** How an origin knows its edges: requests are signed with a shared secret, as weir-model's `edge` says. */

let imported: { secret: string; key: CryptoKey } | undefined;

/** The value of `Weir-Edge`. */
export async function signature(secret: string, method: string, target: string, headers: Headers) {
  const now = Math.floor(Date.now() / 1000);
  const [pop, country] = [headers.get("weir-pop") ?? "", headers.get("weir-country") ?? ""];
  const lines = ["weir-edge-1", method, target, now, pop, country, ""].join("\n");
  const mac = await crypto.subtle.sign("HMAC", await keyOf(secret), new TextEncoder().encode(lines));
  const hex = Array.from(new Uint8Array(mac), (byte) => byte.toString(16).padStart(2, "0"));
  return `t=${now}, m=${hex.join("")}`;
}

/** What session tickets are signed with where the policy names no key: it comes of the secret. */
export async function ticketKey(secret: string) {
  const label = new TextEncoder().encode("weir-ticket-key-1");
  return new Uint8Array(await crypto.subtle.sign("HMAC", await keyOf(secret), label));
}

/** The key, and not the promise of it, is kept: requests cannot share promises. */
async function keyOf(secret: string) {
  if (imported?.secret !== secret) {
    const bytes = new TextEncoder().encode(first(secret));
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    imported = { secret, key: await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]) };
  }
  return imported.key;
}

/** Of the secrets in an origin's file, one a line, the first one signs. */
function first(secrets: string) {
  const lines = secrets.split("\n").map((line) => line.trim());
  return lines.find((line) => line !== "" && !line.startsWith("#")) ?? "";
}
