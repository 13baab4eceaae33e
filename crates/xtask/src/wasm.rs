//! The edge module and the player's bindings.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::{repo, run, stamp};

/// The edge module that PoPs load.
pub(crate) fn edge_module() -> PathBuf {
    repo::target("wasm/edge.wasm")
}

/// Builds both; cargo decides what is up to date.
pub(crate) fn build() -> Result<()> {
    edge()?;
    run::step("Building the player");
    bind_player(&compile("weir-player-wasm")?)
}

/// Builds the edge module alone.
pub(crate) fn edge() -> Result<()> {
    run::step("Building the edge module");
    let edge = compile("weir-edge-worker")?;
    stamp::unless_made(
        &repo::target("wasm/edge.stamp"),
        &stamp::digest(std::slice::from_ref(&edge), &[])?,
        &edge_module(),
        || {
            fs::copy(&edge, edge_module())
                .map(drop)
                .context("cannot copy the edge module")
        },
    )
}

/// Each crate is built on its own, so that neither gets features that the other asked for, and as
/// a cdylib alone: beside an rlib it would not be optimised as a whole, and a quarter larger.
pub(crate) fn compile(package: &str) -> Result<PathBuf> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let mut build = run::cargo();
    build.args([
        "rustc",
        "--lib",
        "--crate-type",
        "cdylib",
        "--profile",
        "wasm",
        "--target",
        TARGET,
        "--package",
        package,
    ]);
    run::command(&mut build)?;
    fs::create_dir_all(repo::target("wasm"))?;
    Ok(repo::target(TARGET)
        .join("wasm")
        .join(package.replace('-', "_"))
        .with_extension("wasm"))
}

fn bind_player(module: &Path) -> Result<()> {
    let bindings = repo::path("www/player/pkg");
    let digest = stamp::digest(&[module.to_path_buf()], &[])?;
    let result = bindings.join("weir_player_bg.wasm");
    stamp::unless_made(&repo::target("wasm/player.stamp"), &digest, &result, || {
        run::step("Writing the player's JavaScript bindings");
        let mut bindgen = Bindgen::new();
        bindgen
            .input_path(module)
            .out_name("weir_player")
            .typescript(true)
            .web(true)?;
        bindgen
            .generate(&bindings)
            .context("wasm-bindgen refuses the player's module")
    })
}
