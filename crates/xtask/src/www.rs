//! The web app.

use std::{path::Path, process::Command};

use anyhow::Result;

use crate::{repo, run, stamp};

/// Builds `www/dist` when anything in `www` changed, the player's bindings included.
pub(crate) fn build() -> Result<()> {
    let www = repo::path("www");
    let digest = digest(&www)?;
    stamp::unless_made(
        &repo::target("www.stamp"),
        &digest,
        &www.join("dist/index.html"),
        || {
            run::step("Building the web app");
            run::command(Command::new("npm").args(["run", "build"]).current_dir(&www))
        },
    )
}

/// Builds `www/dist-player`, the player as a package for npm, likewise.
pub(crate) fn build_player() -> Result<()> {
    let www = repo::path("www");
    stamp::unless_made(
        &repo::target("www-player.stamp"),
        &digest(&www)?,
        &www.join("dist-player/index.js"),
        || {
            run::step("Building the player's package");
            let mut npm = Command::new("npm");
            run::command(npm.args(["run", "build:player"]).current_dir(&www))
        },
    )
}

fn digest(www: &Path) -> Result<String> {
    let made = ["node_modules", "dist", "dist-player"];
    stamp::digest(&[www.to_path_buf()], &made)
}
