//! Weir's two Workers for Cloudflare, each in a folder that `npx wrangler deploy` takes as it is.
//! Everything is made here, by libraries and programs from cargo's and npm's registries. Binaryen is
//! not among them: it makes the rooms' module a tenth smaller, and its compressed form no smaller at
//! all.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::{repo, run, setup, stamp, wasm};

const SHELL: &str = "crates/edge-worker/cloudflare";
const ROOMS: &str = "crates/edge-rooms";

/// The folder of the edge's Worker.
fn edge() -> PathBuf {
    repo::target("cloudflare/edge")
}

/// The folder of the rooms' Worker.
pub(crate) fn rooms() -> PathBuf {
    repo::target("cloudflare/rooms")
}

/// Builds both.
pub(crate) fn build() -> Result<()> {
    setup::edge()?;
    wasm::edge()?;
    build_edge()?;
    build_rooms()?;
    for folder in [edge(), rooms()] {
        println!("{}", folder.display());
    }
    Ok(())
}

/// The shell as one file, beside the module that PoPs load too.
fn build_edge() -> Result<()> {
    run::step("Bundling the edge's shell");
    let (shell, folder) = (repo::path(SHELL), edge());
    fs::create_dir_all(&folder)?;
    run::command(
        Command::new("npm")
            .args(["run", "check"])
            .current_dir(&shell),
    )?;
    bundle(
        &shell.join("shell/main.ts"),
        &folder.join("shell.js"),
        "edge.wasm",
    )?;
    copy(&wasm::edge_module(), &folder.join("edge.wasm"))?;
    copy(&shell.join("wrangler.toml"), &folder.join("wrangler.toml"))
}

fn build_rooms() -> Result<()> {
    run::step("Building the rooms");
    let (source, folder) = (repo::path(ROOMS), rooms());
    let module = wasm::compile("weir-edge-rooms", "wasm")?;
    let (shim, config) = (source.join("shim.js"), source.join("wrangler.toml"));
    let digest = stamp::digest(&[module.clone(), shim.clone(), config.clone()], &[])?;
    let stamp = repo::target("cloudflare/rooms.stamp");
    stamp::unless_made(&stamp, &digest, &folder.join("rooms.js"), || {
        fs::create_dir_all(&folder)?;
        let bindings = repo::target("cloudflare/rooms-bindings");
        bind_rooms(&module, &bindings)?;
        copy(&shim, &bindings.join("shim.js"))?;
        bundle(
            &bindings.join("shim.js"),
            &folder.join("rooms.js"),
            "rooms_bg.wasm",
        )?;
        copy(
            &bindings.join("rooms_bg.wasm"),
            &folder.join("rooms_bg.wasm"),
        )?;
        copy(&config, &folder.join("wrangler.toml"))
    })
}

/// Bindings from which the module can be started anew, as the shim does after a panic.
fn bind_rooms(module: &Path, folder: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(module)
        .out_name("rooms")
        .typescript(false)
        .module(true)?
        .reset_state_function(true)
        .force_enable_abort_handler(true);
    bindgen
        .generate(folder)
        .context("wasm-bindgen refuses the rooms' module")?;
    // An import in the source phase is what Cloudflare's runtime does with any import of Wasm.
    let bindings = folder.join("rooms.js");
    let text = fs::read_to_string(&bindings)
        .with_context(|| format!("cannot read {}", bindings.display()))?;
    fs::write(&bindings, text.replace("import source ", "import "))
        .with_context(|| format!("cannot write {}", bindings.display()))
}

/// Into one file, but for the `module` beside it.
fn bundle(entry: &Path, outfile: &Path, module: &str) -> Result<()> {
    let esbuild = repo::path(SHELL).join("node_modules/.bin/esbuild");
    let mut esbuild = Command::new(esbuild);
    esbuild
        .arg(entry)
        .args(["--bundle", "--format=esm", "--target=es2024"])
        .args(["--external:cloudflare:*", "--log-level=warning"])
        .arg(format!("--external:./{module}"))
        .arg(format!("--outfile={}", outfile.display()));
    run::command(&mut esbuild)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}
