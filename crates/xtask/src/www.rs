//! The web app.

use std::process::Command;

use anyhow::Result;

use crate::{repo, run, stamp};

/// Builds `www/dist` when anything in `www` changed, the player's bindings included.
pub(crate) fn build() -> Result<()> {
    let www = repo::path("www");
    let digest = stamp::digest(std::slice::from_ref(&www), &["node_modules", "dist"])?;
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
