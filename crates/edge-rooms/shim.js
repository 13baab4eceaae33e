// The Worker around the module that wasm-bindgen has wrapped. Once the Rust code has panicked or
// trapped, its memory is not to be trusted: the next call starts it anew, and objects with it.

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import * as rust from "./rooms.js";

// Counts the starts; a panic says here that another is needed.
const state = rust.__worker_init_state();

function revive() {
  if (!state.criticalError) return;
  rust.__wbg_reset_state();
  state.criticalError = false;
}

async function guarded(call) {
  revive();
  try {
    return await call();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) state.criticalError = true;
    throw error;
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
