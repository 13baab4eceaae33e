# The shell under plain `workerd serve`, as the tests and a curious reader run it:
#
#   npm ci && npm run build && cp ../../../target/wasm/edge.wasm dist/
#   WEIR_ORIGIN=http://127.0.0.1:8000 npx workerd serve workerd.capnp coalescing
#
# `coalescing` shares answers by the Durable Object, as local workerd can; `cached` by the entrypoint
# that has Workers Cache in front of it on Cloudflare, and nothing here. What else the platform
# brings, small stand-ins do: local-cache.js the data centre's cache, local-bindings.js an R2 bucket
# and a rate limit. `counting` has a dataset of Analytics Engine, which workerd (with --experimental)
# posts to the service `counts`.

using Workerd = import "/workerd/workerd.capnp";

const coalescing :Workerd.Config = (
  services = [
    (name = "edge", worker = .coalescingEdge),
    (name = "cache", worker = .cache),
    .internet,
  ],
  sockets = [.http],
  extensions = [.bindings],
);

const cached :Workerd.Config = (
  services = [(name = "edge", worker = .cachedEdge), .internet],
  sockets = [.http],
  extensions = [.bindings],
);

const counting :Workerd.Config = (
  services = [
    (name = "edge", worker = .countingEdge),
    (name = "counts", external = (address = "127.0.0.1:8000", http = ())),
    .internet,
  ],
  sockets = [.http],
);

# On Cloudflare its front line tells what it knows of a viewer; here a request header does.
const http :Workerd.Socket = (
  name = "http",
  address = "127.0.0.1:8080",
  http = (cfBlobHeader = "cf-blob"),
  service = "edge",
);

const internet :Workerd.Service = (name = "internet", network = (allow = ["public", "private"]));

const compatibilityDate :Text = "2026-10-01";

const modules :List(Workerd.Worker.Module) = [
  (name = "shell.js", esModule = embed "dist/shell.js"),
  (name = "edge.wasm", wasm = embed "dist/edge.wasm"),
];

const cachedEdge :Workerd.Worker = (
  modules = .modules,
  compatibilityDate = .compatibilityDate,
  bindings = [
    (name = "ORIGIN", fromEnvironment = "WEIR_ORIGIN"),
    (name = "POP", text = "workerd"),
    (name = "POLICY", fromEnvironment = "WEIR_POLICY"),
    (name = "SPANS", wrapped = (moduleName = "weir-local:bindings", entrypoint = "bucket")),
  ],
);

const coalescingEdge :Workerd.Worker = (
  modules = .modules,
  compatibilityDate = .compatibilityDate,
  bindings = [
    (name = "ORIGIN", fromEnvironment = "WEIR_ORIGIN"),
    (name = "POP", text = "workerd"),
    (name = "POLICY", fromEnvironment = "WEIR_POLICY"),
    (name = "EDGE_SECRET", text = "an edge secret of 32 characters, or more"),
    (name = "COALESCER", durableObjectNamespace = "Coalescer"),
    (name = "LIMIT_0", wrapped = (moduleName = "weir-local:bindings", entrypoint = "limit")),
  ],
  durableObjectNamespaces = [(className = "Coalescer", uniqueKey = "coalescer")],
  durableObjectStorage = (inMemory = void),
  cacheApiOutbound = "cache",
);

const countingEdge :Workerd.Worker = (
  modules = .modules,
  compatibilityDate = .compatibilityDate,
  bindings = [
    (name = "ORIGIN", fromEnvironment = "WEIR_ORIGIN"),
    (name = "POP", text = "workerd"),
    (name = "POLICY", fromEnvironment = "WEIR_POLICY"),
    (name = "COUNTS", analyticsEngine = "counts"),
  ],
);

const cache :Workerd.Worker = (
  modules = [(name = "cache.js", esModule = embed "local-cache.js")],
  compatibilityDate = .compatibilityDate,
);

const bindings :Workerd.Extension = (
  modules = [
    (name = "weir-local:bindings", internal = true, esModule = embed "local-bindings.js"),
  ],
);
