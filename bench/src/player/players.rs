//! Who is watched with: each with a page of its own and the library that its npm package has for pages,
//! minified.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{broadcast::Broadcast, film, stage::Stage};

const PAGES: &str = "bench/player/pages";
const INSTALLED: &str = "tests/browser/node_modules";
/// Our npm package.
const OURS: &str = "www/dist-player";

/// A player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Player {
    /// `<weir-player>`.
    Weir,
    /// hls.js.
    Hlsjs,
    /// hls.js without what few need.
    HlsjsLight,
    /// Shaka Player.
    Shaka,
    /// dash.js.
    Dashjs,
}

impl Player {
    pub(crate) const ALL: [Self; 5] = [
        Self::Weir,
        Self::Hlsjs,
        Self::HlsjsLight,
        Self::Shaka,
        Self::Dashjs,
    ];

    /// As it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Weir => "weir",
            Self::Hlsjs => "hls.js",
            Self::HlsjsLight => "hls.js light",
            Self::Shaka => "Shaka",
            Self::Dashjs => "dash.js",
        }
    }

    fn page(self) -> &'static str {
        match self {
            Self::Weir => "weir.html",
            Self::Hlsjs | Self::HlsjsLight => "hlsjs.html",
            Self::Shaka => "shaka.html",
            Self::Dashjs => "dashjs.html",
        }
    }

    fn library(self) -> Option<&'static str> {
        match self {
            Self::Weir => None,
            Self::Hlsjs => Some("hls.js/dist/hls.min.js"),
            Self::HlsjsLight => Some("hls.js/dist/hls.light.min.js"),
            Self::Shaka => Some("shaka-player/dist/shaka-player.compiled-es2021.js"),
            Self::Dashjs => Some("dashjs/dist/modern/umd/dash.all.min.js"),
        }
    }

    /// What it is given of the film: the form that it is made for first.
    fn film(self) -> &'static str {
        match self {
            Self::Weir | Self::Hlsjs | Self::HlsjsLight => film::HLS,
            Self::Shaka | Self::Dashjs => film::DASH,
        }
    }

    /// What it is given of a broadcast: LL-HLS, if it reads that.
    fn broadcast(self, broadcast: &Broadcast) -> String {
        match self {
            Self::Dashjs => broadcast.manifest(),
            _ => broadcast.playlist(),
        }
    }

    /// Puts its page and its library on a stage, to play the film or a broadcast. The page is `/`.
    pub(super) fn enter(self, stage: &mut Stage, broadcast: Option<&Broadcast>) -> Result<()> {
        let source = match broadcast {
            Some(broadcast) => self.broadcast(broadcast),
            None => format!("{}{}", film::PATH, self.film()),
        };
        let page = Path::new(PAGES).join(self.page());
        let page = std::fs::read_to_string(&page)
            .with_context(|| format!("cannot read {}", page.display()))?;
        let page = page
            .replace("{source}", &source)
            .replace("{name}", self.name());
        stage.put_page(page)?;
        match self.library() {
            Some(library) => stage.put_file("/library.js", &Path::new(INSTALLED).join(library)),
            None => our_package(stage),
        }
    }
}

fn our_package(stage: &mut Stage) -> Result<()> {
    let folder = PathBuf::from(OURS);
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("{OURS} is missing: run it by `cargo xtask bench`"))?;
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".js") || name.ends_with(".wasm") {
            stage.put_file(&format!("/player/{name}"), &path)?;
        }
    }
    Ok(())
}
