//! Where the built module is.

use std::{env, path::PathBuf};

/// The file that `WEIR_EDGE_MODULE` names, or where `cargo xtask build-wasm` puts it.
pub fn path() -> PathBuf {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/wasm/edge.wasm");
    let path = env::var_os("WEIR_EDGE_MODULE").map_or_else(|| PathBuf::from(built), PathBuf::from);
    assert!(
        path.is_file(),
        "no edge module at {}: run `cargo xtask build-wasm`",
        path.display()
    );
    path
}
