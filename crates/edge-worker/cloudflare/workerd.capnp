# The shell under plain `workerd serve`, as the tests and a curious reader run it:
#
#   npm ci && npm run build && cp ../../../target/wasm/edge.wasm dist/
#   npx workerd serve workerd.capnp --socket-addr=http=127.0.0.1:8080 --external-addr=...
#
# On Cloudflare the platform brings sockets and cache; here a small worker stands in for the cache.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    (name = "cache", worker = .cache),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "edge")],
);

const edge :Workerd.Worker = (
  modules = [
    (name = "shell.js", esModule = embed "dist/shell.js"),
    (name = "edge.wasm", wasm = embed "dist/edge.wasm"),
  ],
  compatibilityDate = "2026-10-01",
  bindings = [
    (name = "ORIGIN", fromEnvironment = "WEIR_ORIGIN"),
    (name = "POP", text = "workerd"),
  ],
  globalOutbound = "internet",
  cacheApiOutbound = "cache",
);

const cache :Workerd.Worker = (
  modules = [(name = "cache.js", esModule = embed "local-cache.js")],
  compatibilityDate = "2026-10-01",
);
