//! `weir-transcode`: started by the origin, one process per broadcast.

use std::io::{Read, Write};

use anyhow::Context;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use weir_media::framing::LadderJob;

#[derive(Parser)]
#[command(
    version,
    about = "Makes the renditions of a broadcast; started by the origin"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read a live source from stdin and write its renditions to stdout, both as frames
    Live,
    /// Read the last pictures of a source from stdin and write a loop to show in its place to
    /// stdout, both as frames
    Slate,
    /// Read a job (JSON) from stdin, open its encoders once, and say which they are
    Check,
}

fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    weir_transcoder::quiet_libav();
    match Arguments::parse().command {
        Command::Live => {
            weir_transcoder::pipe::live(std::io::stdin(), std::io::stdout().lock())?;
        }
        Command::Slate => {
            weir_transcoder::pipe::slate(std::io::stdin(), std::io::stdout().lock())?;
        }
        Command::Check => check()?,
    }
    Ok(())
}

fn check() -> anyhow::Result<()> {
    let mut job = Vec::new();
    std::io::stdin().read_to_end(&mut job)?;
    let job: LadderJob = serde_json::from_slice(&job).context("the job cannot be read")?;
    let mut out = std::io::stdout().lock();
    for (rendition, encoder) in weir_transcoder::choose::check(&job)? {
        writeln!(out, "{rendition} {encoder}")?;
    }
    Ok(())
}
