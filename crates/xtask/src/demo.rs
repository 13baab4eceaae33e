//! The whole thing, to look at: a film pushed over RTMP, watched in a browser.
//!
//! - [`server`]: `weir serve` and its operator's API
//! - [`push`]: ffmpeg, pushing the film again and again
//! - [`check`]: a browser in a person's place
//! - [`whep`]: a browser that publishes and watches over WebRTC

mod check;
mod push;
mod server;
mod whep;

use std::{ffi::OsStr, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{film, repo, run, setup, wasm, www};

#[derive(Args)]
pub(crate) struct Options {
    /// Push this film instead of Big Buck Bunny.
    #[arg(long, conflicts_with = "check")]
    source: Option<PathBuf>,
    /// Let a browser watch for 15 s, print what it found, and exit.
    #[arg(long)]
    check: bool,
    /// Have the browser publish and watch over WebRTC instead.
    #[arg(long, requires = "check")]
    whep: bool,
    /// The part profile: standard (333 ms) or fast (200 ms).
    #[arg(long, default_value = "standard")]
    parts: String,
    /// Where videos, events and keys are kept.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Installs, builds, starts, pushes; ends everything it started when it ends.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    // Asked for first, so that Ctrl-C during a later step ends what was started before it.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;

    setup::run(setup::Purpose::Demo)?;
    run::step("Building Weir");
    let programs = [
        "build",
        "--bins",
        "--package",
        "weir-weir",
        "--package",
        "weir-transcoder",
    ];
    run::command(run::cargo().args(programs))?;
    wasm::build()?;
    www::build()?;
    let (film, title) = match &options.source {
        Some(source) => (film::own(source)?, source.file_stem().unwrap_or_default()),
        None => (film::demo()?, OsStr::new("Big Buck Bunny")),
    };

    run::step("Starting Weir");
    let data = options.data.clone().unwrap_or_else(|| repo::target("demo"));
    let server = server::Server::start(&data, &options.parts, options.check)?;
    let video = server.create_video(&title.to_string_lossy())?;
    if options.whep {
        return whep::run(&server, &video);
    }
    if options.check {
        return check::run(&server, &video, &film, signals);
    }

    let push = push::Push::start(&film, &video.push_url(), &data, |_| {})?;
    println!();
    println!("  Watch       {}{}", server.ready.viewer, video.watch_url);
    println!(
        "  Push        {}   (or {} with streamid=publish:KEY)",
        video.rtmp_url, video.srt_url
    );
    println!(
        "  Stream key  {}   (the film is being pushed with it)",
        video.stream_key
    );
    println!(
        "  Operator    {}   token in {}",
        server.ready.operator,
        server.token_file()
    );
    println!("  Logs        {}", data.join("weir.log").display());
    println!();
    println!("Ctrl-C stops everything.");
    signals.wait().next();
    run::step("Stopping");
    drop(push);
    drop(server);
    Ok(ExitCode::SUCCESS)
}
