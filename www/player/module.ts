// Brings a build of the Wasm module to life.

import { bind, type WebPlayer } from "./pkg/weir_player.js";

export type Core = WebPlayer;
export type CoreClass = typeof WebPlayer;

/** Fetches the module at `url`. Each has bindings of its own, so that a page can have two. */
export async function load(url: string): Promise<CoreClass> {
  const bindings = bind();
  const imports = { "./weir_player_bg.js": bindings.imports };
  const { instance } = await WebAssembly.instantiateStreaming(fetch(url), imports).catch(async () => {
    // Not every server says that it is `application/wasm`.
    const bytes = await (await fetch(url)).arrayBuffer();
    return WebAssembly.instantiate(bytes, imports);
  });
  bindings.use(instance.exports);
  return bindings.WebPlayer;
}
