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
        let made = repo::target(&format!("wasm/{name}"));
        let made = |file: &str| made.join(file);
        let mut bindgen = Bindgen::new();
        bindgen
            .input_path(module)
            .out_name("weir_player")
            .typescript(true)
            .bundler(true)?;
        bindgen
            .generate(made(""))
            .context("wasm-bindgen refuses the player's module")?;
        fs::create_dir_all(&bindings)?;
        let glue = for_each_instance(&fs::read_to_string(made("weir_player_bg.js"))?);
        let shared = bindings.join("weir_player.js");
        if name == "weir_player" {
            fs::write(&shared, glue)?;
        } else {
            let same = fs::read_to_string(&shared)? == glue;
            anyhow::ensure!(same, "the player's builds need different bindings");
        }
        let types = fs::read_to_string(made("weir_player.d.ts"))? + BIND_TYPE;
        fs::write(bindings.join("weir_player.d.ts"), types)?;
        shrink(&made("weir_player_bg.wasm"), &result)
    })
}

/// The type of what [`for_each_instance`] adds.
const BIND_TYPE: &str = "
/** Bindings for one instance of the module. */
export function bind(): {
  WebPlayer: typeof WebPlayer;
  imports: WebAssembly.ModuleImports;
  use(exports: WebAssembly.Exports): void;
};
";

/// wasm-bindgen's bindings are for one instance of a module for each page, and its loaders take more
/// than the rest. A function around the bindings gives them to each of the player's two builds,
/// whichever a page needs.
fn for_each_instance(glue: &str) -> String {
    let functions = glue
        .lines()
        .filter_map(|line| line.strip_prefix("export function ")?.split_once('('))
        .map(|(name, _)| name);
    let imports: Vec<&str> = functions.filter(|name| *name != "__wbg_set_wasm").collect();
    let imports = imports.join(", ");
    let glue = ["\n", glue].concat().replace("\nexport ", "\n");
    format!(
        "export function bind() {{{glue}
  const use = (exports) => {{ __wbg_set_wasm(exports); exports.__wbindgen_start(); }};
  return {{ WebPlayer, imports: {{ {imports} }}, use }};
}}
"
    )
}

/// Has Binaryen optimise a module: a seventh of what is sent, for code that was optimised for size
/// before. It may use what browsers have had since 2022.
fn shrink(module: &Path, result: &Path) -> Result<()> {
    let mut wasm_opt = Command::new(repo::path("www/node_modules/.bin/wasm-opt"));
    wasm_opt.args([
        "--enable-bulk-memory",
        "--enable-bulk-memory-opt",
        "--enable-multivalue",
        "--enable-mutable-globals",
        "--enable-nontrapping-float-to-int",
        "--enable-reference-types",
        "--enable-sign-ext",
        // Nothing is at the lowest addresses: they are the far end of the stack.
        "--low-memory-unused",
        // What would trap was checked by Rust before.
        "--ignore-implicit-traps",
        "--one-caller-inline-max-function-size",
        "4",
        // Branches laid out anew give the later rounds more to fold.
        "-Oz",
        "--flatten",
        "--rereloop",
        "-Oz",
        "-Oz",
        "--strip-target-features",
    ]);
    run::command(wasm_opt.arg(module).arg("--output").arg(result))
}
