/** The edge module: instantiated once, and anew after a trap. */
import module from "./edge.wasm";
import {
  type BodyKind,
  type EdgeRequest,
  readPlan,
  readVerdict,
  writeBodyCheck,
  writeConfig,
  writeRequest,
} from "./abi.ts";
import type { Env } from "./env.ts";
import { policyOf } from "./policy.ts";
import { ABI_VERSION } from "./wire.ts";

interface Exports extends WebAssembly.Exports {
  memory: WebAssembly.Memory;
  edge_abi(): number;
  edge_buf(): number;
  edge_cap(): number;
  edge_init(length: number): number;
  edge_decide(length: number): number;
  edge_body(length: number): number;
}

let instance: Exports | undefined;

export function decide(env: Env, request: EdgeRequest) {
  return call(env, "edge_decide", (buffer) => writeRequest(buffer, request), readPlan);
}

/** `undefined` accepts the body. */
export function checkBody(env: Env, kind: BodyKind, body: Uint8Array) {
  return call(env, "edge_body", (buffer) => writeBodyCheck(buffer, kind, body), readVerdict);
}

/** A guest that trapped, or that said nonsense, is not asked again: the next call starts anew. */
function call<T>(
  env: Env,
  name: "edge_decide" | "edge_body",
  write: (buffer: Uint8Array) => number,
  read: (answer: Uint8Array) => T,
): T {
  const guest = (instance ??= start(env));
  const length = write(shared(guest));
  try {
    const answerLength = guest[name](length);
    return read(shared(guest).subarray(0, answerLength));
  } catch (error) {
    instance = undefined;
    throw error;
  }
}

function start(env: Env): Exports {
  // The module imports nothing.
  const guest = new WebAssembly.Instance(module).exports as Exports;
  if (guest.edge_abi() !== ABI_VERSION) throw new Error("the module has another ABI version");
  const length = writeConfig(shared(guest), policyOf(env).config);
  if (guest.edge_init(length) !== 0) throw new Error("the module refuses its configuration");
  return guest;
}

/** Made anew for each use: the memory may have grown, which detaches its old buffer. */
function shared(guest: Exports) {
  return new Uint8Array(guest.memory.buffer, guest.edge_buf(), guest.edge_cap());
}
