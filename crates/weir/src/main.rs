//! The `weir` binary: one process, one role.
//!
//! - [`cli`]: what can be asked for
//! - [`lookup`]: where things are that nobody named
//! - [`serve`], [`origin`], [`pop`]: one assembly per role
//! - [`transcode`], [`openapi`]: two small ones
//! - [`certificate`]: what HTTPS and RTMPS show
//! - [`acme`]: where it comes from, if not from the operator
//! - [`heap`]: the one call to the C library
//! - [`shutdown`]: how a role is asked to end

mod acme;
mod certificate;
mod cli;
mod heap;
mod lookup;
mod openapi;
mod origin;
mod pop;
mod serve;
mod shutdown;
mod transcode;

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    heap::share();
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // For a person: no backtrace, whatever the environment says.
            eprintln!("weir: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
    };
    match command {
        Command::Serve(args) => runtime()?.block_on(serve::run(args)),
        Command::Origin(args) => runtime()?.block_on(origin::run(args)),
        Command::Pop(args) => runtime()?.block_on(pop::run(args)),
        Command::Openapi => openapi::print(),
        Command::Transcode(args) => transcode::exec(&args),
    }
}
