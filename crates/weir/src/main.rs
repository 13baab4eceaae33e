//! The `weir` binary: one process, one role.
//!
//! - [`cli`]: what can be asked for
//! - [`lookup`]: where things are that nobody named
//! - [`serve`], [`origin`], [`pop`]: one assembly per role
//! - [`transcode`], [`openapi`]: two small ones
//! - [`certificate`]: what HTTPS and RTMPS show
//! - [`acme`]: where it comes from, if not from the operator
//! - [`edge`]: signing edge modules and rolling them out
//! - [`edge_secret`]: what origins and points of presence know each other by
//! - [`heap`]: the calls to the C library
//! - [`files`]: how many files and sockets the process may have open
//! - [`room`]: what can be said about rooms
//! - [`status`]: how a point of presence does, as a table
//! - [`token`]: playback tokens, and the keys that sign them
//! - [`shutdown`]: how a role is asked to end

mod acme;
mod cache;
mod certificate;
mod cli;
mod edge;
mod edge_secret;
mod files;
mod heap;
mod lookup;
mod openapi;
mod origin;
mod pop;
mod room;
mod serve;
mod shutdown;
mod status;
mod ticket_keys;
mod token;
mod transcode;

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command, PopCommand, PopTask};

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
        heap::keep_trimmed()?;
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
    };
    match command {
        Command::Serve(args) => runtime()?.block_on(serve::run(*args)),
        Command::Origin(args) => runtime()?.block_on(origin::run(args)),
        Command::Pop(PopCommand { run, task }) => match task {
            Some(PopTask::Status(args)) => status::print(&args),
            None => runtime()?.block_on(pop::run(run)),
        },
        Command::Token(command) => token::run(command),
        Command::Edge(task) => edge::run(task),
        Command::Openapi => openapi::print(),
        Command::Transcode(args) => transcode::exec(&args),
    }
}
