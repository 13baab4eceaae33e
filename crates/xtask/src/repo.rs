//! Where things are in the repository.

use std::path::{Path, PathBuf};

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .ancestors()
        .nth(2)
        .expect("the package lies in crates/ of the workspace")
        .to_path_buf()
}

/// A path below the workspace's folder.
pub(crate) fn path(relative: &str) -> PathBuf {
    root().join(relative)
}

/// A path below cargo's target folder.
pub(crate) fn target(relative: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    target
        .map_or_else(|| path("target"), |folder| root().join(folder))
        .join(relative)
}
