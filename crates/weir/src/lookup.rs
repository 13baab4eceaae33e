//! Where things are that nobody named: next to the executable, as a release has them, or in the
//! layout that building the workspace leaves.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The edge module.
pub(crate) fn edge_module(named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let places = ["edge.wasm", "../wasm/edge.wasm"];
    find("edge module", "--edge-module", named, &places, Path::is_file)?
        .context("no edge module found; build it with `cargo xtask build-wasm` or name one with --edge-module")
}

/// The web app's folder; an origin can do without.
pub(crate) fn www(named: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    find(
        "web app",
        "--www",
        named,
        &["www", "../../www/dist"],
        Path::is_dir,
    )
}

/// The transcoder; without one, only the source is offered.
pub(crate) fn transcoder(named: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    find(
        "transcoder",
        "--transcoder",
        named,
        &["weir-transcode"],
        Path::is_file,
    )
}

/// What was named must be there; otherwise the first of `places` (relative to the executable's
/// folder) that is.
fn find(
    what: &str,
    option: &str,
    named: Option<PathBuf>,
    places: &[&str],
    fits: fn(&Path) -> bool,
) -> anyhow::Result<Option<PathBuf>> {
    if let Some(named) = named {
        if !fits(&named) {
            bail!("{what} {} does not exist ({option})", named.display());
        }
        return Ok(Some(named));
    }
    let executable = std::env::current_exe().context("where is this executable?")?;
    let folder = executable.parent().unwrap_or(Path::new("."));
    Ok(places
        .iter()
        .map(|place| folder.join(place))
        .find(|path| fits(path)))
}
