// Stand-ins for bindings that plain `workerd serve` has not, as far as the shell uses them.

/** An R2 bucket in memory. */
export function bucket() {
  const objects = new Map();
  return {
    async get(key) {
      const object = objects.get(key);
      return object ? { ...object, body: new Response(object.bytes).body } : null;
    },
    async put(key, body, { customMetadata }) {
      const bytes = new Uint8Array(await new Response(body).arrayBuffer());
      objects.set(key, { bytes, size: bytes.length, customMetadata });
    },
  };
}

/** A rate limit of three requests a key, for ever. */
export function limit() {
  const counts = new Map();
  return {
    async limit({ key }) {
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return { success: count <= 3 };
    },
  };
}
