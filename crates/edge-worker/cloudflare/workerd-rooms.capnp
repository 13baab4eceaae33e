# The edge and its rooms under plain `workerd serve`. `rooms/` is what
# `cargo xtask build-edge --target cloudflare` writes. Objects that sleep find their storage again in
# the folder `storage`; workerd forgets what is in memory alone.

using Workerd = import "/workerd/workerd.capnp";
using Edge = import "workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    (name = "rooms", worker = .rooms),
    (name = "storage", disk = (path = "storage", writable = true)),
    Edge.internet,
  ],
  sockets = [Edge.http],
);

const edge :Workerd.Worker = (
  modules = Edge.modules,
  compatibilityDate = Edge.compatibilityDate,
  bindings = [
    (name = "ORIGIN", fromEnvironment = "WEIR_ORIGIN"),
    (name = "POP", text = "workerd"),
    (name = "POLICY", fromEnvironment = "WEIR_POLICY"),
    (name = "ROOMS", service = "rooms"),
  ],
);

const rooms :Workerd.Worker = (
  modules = [
    (name = "rooms.js", esModule = embed "rooms/rooms.js"),
    (name = "rooms_bg.wasm", wasm = embed "rooms/rooms_bg.wasm"),
  ],
  compatibilityDate = Edge.compatibilityDate,
  bindings = [
    (name = "ROOMS", durableObjectNamespace = "ChatRoom"),
    (name = "ROOMS_SECRET", text = "a secret of the origin"),
    (name = "ROOM_SHARDS", text = "2"),
  ],
  durableObjectNamespaces = [(className = "ChatRoom", uniqueKey = "room", enableSql = true)],
  durableObjectStorage = (localDisk = "storage"),
);
