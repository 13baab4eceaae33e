//! Weir's own build tool, run as `cargo xtask`.
//!
//! - [`setup`]: what a fresh machine lacks
//! - [`wasm`]: the edge module and the player's bindings
//! - [`cloudflare`]: the Workers for Cloudflare
//! - [`www`]: the web app
//! - [`film`]: the film that the demo and the tests push
//! - [`demo`]: the whole thing, to look at; with `--check`, looked at by a browser
//! - [`test`]: every test
//! - [`tidy`]: rules of the house that the compiler doesn't know
//! - [`repo`], [`run`], [`stamp`]: where things are, running programs, skipping what is done

// What it prints is what it is run for.
#![allow(clippy::print_stdout)]

mod cloudflare;
mod demo;
mod film;
mod repo;
mod run;
mod setup;
mod stamp;
mod test;
mod tidy;
mod wasm;
mod www;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, shows and tests Weir")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start Weir with a film being pushed, and print where to watch it.
    Demo(demo::Options),
    /// Run every test: units, integration, browser.
    Test(test::Options),
    /// Install what this machine lacks to build and run Weir.
    Setup {
        /// What it is to be able to do.
        #[arg(long, value_enum, default_value_t = setup::Purpose::Test)]
        purpose: setup::Purpose,
    },
    /// Build the edge module, the player's Wasm and the web app.
    BuildWasm,
    /// Build the edge for where it is to run.
    BuildEdge {
        /// Whose machines.
        #[arg(long, value_enum)]
        target: EdgeTarget,
    },
    /// Prepare the film that the demo and the tests push.
    Film,
    /// Check the rules of the house that the compiler doesn't know.
    Tidy,
    /// Run a benchmark, such as `packaging`.
    Bench {
        /// Its name.
        name: String,
        /// Passed on to it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run a simulation, such as `cdn`, in virtual time.
    Sim {
        /// Its name.
        name: String,
        /// Passed on to it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run a soak, such as `broadcast`: for hours, if you have them.
    Soak {
        /// Its name.
        name: String,
        /// Passed on to it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// Where an edge runs that is not `weir pop`.
#[derive(Clone, Copy, clap::ValueEnum)]
enum EdgeTarget {
    /// Two Workers, ready for `npx wrangler deploy`.
    Cloudflare,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Setup { purpose } => succeed(setup::run(purpose)),
        Command::BuildWasm => succeed(build_wasm()),
        Command::BuildEdge {
            target: EdgeTarget::Cloudflare,
        } => succeed(cloudflare::build()),
        Command::Film => succeed(film::demo().map(drop)),
        Command::Tidy => tidy::run(),
        Command::Bench { name, args } => succeed(bench(&name, &args)),
        Command::Sim { name, args } => succeed(sim(&name, &args)),
        Command::Soak { name, args } => succeed(soak(&name, &args)),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn succeed(outcome: Result<()>) -> Result<ExitCode> {
    outcome.map(|()| ExitCode::SUCCESS)
}

fn build_wasm() -> Result<()> {
    setup::run(setup::Purpose::Build)?;
    wasm::build()?;
    www::build()
}

fn bench(name: &str, args: &[String]) -> Result<()> {
    if name == "size" {
        return size();
    }
    setup::run(setup::Purpose::Bench)?;
    film::demo()?;
    if name == "player" {
        wasm::build()?;
        www::build_player()?;
    }
    build_release("weir-bench")?;
    let mut bench = std::process::Command::new(repo::target("release/weir-bench"));
    run::command(bench.arg(name).args(args).current_dir(repo::root()))
}

/// Needs neither a film nor a server: it weighs files.
fn size() -> Result<()> {
    setup::run(setup::Purpose::Demo)?;
    wasm::build()?;
    www::build_player()?;
    let mut node = std::process::Command::new("node");
    run::command(node.arg("bench/size.mjs").current_dir(repo::root()))
}

fn sim(name: &str, args: &[String]) -> Result<()> {
    // For the font of its charts.
    setup::run(setup::Purpose::Demo)?;
    run::command(run::cargo().args(["build", "--release", "--bins", "-p", "weir-bench"]))?;
    let mut sim = std::process::Command::new(repo::target("release/weir-bench"));
    let name = format!("sim-{name}");
    run::command(sim.arg(name).args(args).current_dir(repo::root()))
}

fn soak(name: &str, args: &[String]) -> Result<()> {
    setup::run(setup::Purpose::Test)?;
    build_wasm()?;
    let film = film::full_hd()?;
    build_release("weir-tests")?;
    let mut soak = std::process::Command::new(repo::target("release/soak"));
    soak.arg(name).arg("--film").arg(film).args(args);
    soak.env("WEIR_BIN", repo::target("release/weir"));
    soak.env("WEIR_TRANSCODE_BIN", repo::target("release/weir-transcode"));
    run::command(&mut soak)
}

/// Builds Weir and the programs of `package`: one invocation for all, so that what they share is
/// compiled once.
fn build_release(package: &str) -> Result<()> {
    let weir = ["-p", "weir-weir", "-p", "weir-transcoder"];
    let all = ["build", "--release", "--bins", "-p", package];
    run::command(run::cargo().args(all).args(weir))
}
