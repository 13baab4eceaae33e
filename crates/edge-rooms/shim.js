// The Worker around the module that wasm-bindgen has wrapped. Once the Rust code has panicked or
// trapped, its memory is not to be trusted: the next call starts it anew, and objects with it.

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import * as rust from "./rooms.js";

// Counts the starts; a panic says here that another is needed.
const state = rust.__worker_init_state();

/** Calls under way: which start each belongs to, and how to end it. A module that has broken down
 * answers none of them. */
const underWay = new Set();

function endThoseBefore(start) {
  for (const call of underWay) if (call.start < start) call.end(new Error("the module has broken down"));
}

let brokenDown = false;
Object.defineProperty(state, "criticalError", {
  get: () => brokenDown,
  set(value) {
    brokenDown = value;
    if (value) endThoseBefore(Infinity);
  },
});

function revive() {
  if (!state.criticalError) return;
  rust.__wbg_reset_state();
  state.criticalError = false;
}

async function guarded(call) {
  revive();
  const { promise: ended, reject: end } = Promise.withResolvers();
  const own = { start: state.instanceId, end };
  underWay.add(own);
  try {
    const answer = call();
    // After a trap that was no panic, the call itself has started the module anew.
    own.start = state.instanceId;
    endThoseBefore(own.start);
    return await Promise.race([answer, ended]);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) state.criticalError = true;
    throw error;
  } finally {
    underWay.delete(own);
  }
}

export default class extends WorkerEntrypoint {
  fetch(request) {
    return guarded(() => rust.fetch(request, this.env, this.ctx));
  }
}

export class ChatRoom extends DurableObject {
  #room;
  #start;

  fetch(request) {
    return guarded(() => this.#inner().fetch(request));
  }

  webSocketMessage(socket, message) {
    return guarded(() => this.#inner().webSocketMessage(socket, message));
  }

  webSocketClose(socket, code, reason, wasClean) {
    return guarded(() => this.#inner().webSocketClose(socket, code, reason, wasClean));
  }

  webSocketError(socket, error) {
    return guarded(() => this.#inner().webSocketError(socket, error));
  }

  #inner() {
    if (this.#start !== state.instanceId) {
      this.#room = new rust.ChatRoom(this.ctx, this.env);
      this.#start = state.instanceId;
    }
    return this.#room;
  }
}
