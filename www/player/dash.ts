// The module with a reader of DASH manifests. It takes the place of the one without where a manifest
// is to be read.

import init, { WebPlayer } from "./pkg/weir_player_dash.js";
import wasmUrl from "./pkg/weir_player_dash_bg.wasm?url";

export async function load(): Promise<typeof WebPlayer> {
  await init({ module_or_path: wasmUrl });
  return WebPlayer;
}
