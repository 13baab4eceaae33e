//! Where the things under test are. `cargo xtask test` sets the variables; without them the
//! places that a plain `cargo build` and `cargo xtask build-wasm` write to are taken.

use std::path::{Path, PathBuf};

/// The workspace's folder.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .expect("the package lies in the workspace")
        .to_path_buf()
}

/// The `weir` binary (`WEIR_BIN`).
pub fn weir() -> PathBuf {
    find("WEIR_BIN", "target/debug/weir")
}

/// The `weir-transcode` binary (`WEIR_TRANSCODE_BIN`).
pub fn transcoder() -> PathBuf {
    find("WEIR_TRANSCODE_BIN", "target/debug/weir-transcode")
}

/// The edge module (`WEIR_EDGE_MODULE`).
pub fn edge_module() -> PathBuf {
    find("WEIR_EDGE_MODULE", "target/wasm/edge.wasm")
}

/// The built web app (`WEIR_WWW`).
pub fn www() -> PathBuf {
    find("WEIR_WWW", "www/dist")
}

/// The demo film (`WEIR_FILM`): H.264 and AAC in MP4, an IDR every 2 s, B-frames between.
pub fn film() -> PathBuf {
    find("WEIR_FILM", "target/film/film.mp4")
}

fn find(variable: &str, default: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(|| root().join(default), PathBuf::from);
    assert!(
        path.exists(),
        "{} is missing: `cargo xtask test` makes it",
        path.display()
    );
    path
}
