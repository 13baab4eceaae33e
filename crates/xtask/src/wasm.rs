//! The edge module and the player's bindings.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
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
    let player = |name, flags| bind_player(&compile_with("weir-player-wasm", "wasm", flags)?, name);
    player("weir_player", &[])?;
    // The same with a reader of DASH manifests, which most pages have no use for.
    player("weir_player_dash", &["--cfg", "dash"])
}

/// Builds the edge module alone.
pub(crate) fn edge() -> Result<()> {
    run::step("Building the edge module");
    let edge = compile("weir-edge-worker", "edge")?;
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
/// a cdylib alone: beside an rlib it would not be optimised as a whole, and a quarter larger. `profile`
/// says whether it is for size or for speed.
pub(crate) fn compile(package: &str, profile: &str) -> Result<PathBuf> {
    compile_with(package, profile, &[])
}

/// The same, with flags for the crate itself.
fn compile_with(package: &str, profile: &str, flags: &[&str]) -> Result<PathBuf> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let mut build = run::cargo();
    build.args([
        "rustc",
        "--lib",
        "--crate-type",
        "cdylib",
        "--profile",
        profile,
        "--target",
        TARGET,
        "--package",
        package,
        "--",
    ]);
    run::command(build.args(flags))?;
    fs::create_dir_all(repo::target("wasm"))?;
    Ok(repo::target(TARGET)
        .join(profile)
        .join(package.replace('-', "_"))
        .with_extension("wasm"))
}

fn bind_player(module: &Path, name: &str) -> Result<()> {
    let bindings = repo::path("www/player/pkg");
    // Which wasm-opt shrinks it stands in the lock.
    let inputs = [module.to_path_buf(), repo::path("www/package-lock.json")];
    let digest = stamp::digest(&inputs, &[])?;
    let result = bindings.join(format!("{name}_bg.wasm"));
    let stamp = repo::target(&format!("wasm/{name}.stamp"));
    stamp::unless_made(&stamp, &digest, &result, || {
        run::step("Writing the player's JavaScript bindings");
        let mut bindgen = Bindgen::new();
        bindgen
            .input_path(module)
            .out_name(name)
            .typescript(true)
            .web(true)?;
        bindgen
            .generate(&bindings)
            .context("wasm-bindgen refuses the player's module")?;
        shrink(&result)
    })
}

/// Has Binaryen optimise a module in its place: a tenth of what is sent, for code that was optimised
/// for size before. It may use what browsers have had since 2022.
fn shrink(module: &Path) -> Result<()> {
    let mut wasm_opt = Command::new(repo::path("www/node_modules/.bin/wasm-opt"));
    wasm_opt.args([
        "-Oz",
        "--enable-bulk-memory",
        "--enable-bulk-memory-opt",
        "--enable-multivalue",
        "--enable-mutable-globals",
        "--enable-nontrapping-float-to-int",
        "--enable-reference-types",
        "--enable-sign-ext",
    ]);
    run::command(wasm_opt.arg(module).arg("--output").arg(module))
}
