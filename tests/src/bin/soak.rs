//! The long soaks, run by `cargo xtask soak`. What came of one is printed as Markdown; the exit
//! status tells whether something happened that must never happen.

// What it prints is what it is run for.
#![allow(clippy::print_stdout)]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use weir_tests::soak::{self, Films, Soak};

#[derive(Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    soak: Name,
}

#[derive(Subcommand)]
enum Name {
    /// A 1080p broadcast whose encoder and transcoder keep failing, watched by players.
    Broadcast {
        /// How long.
        #[arg(long, default_value_t = 30)]
        minutes: u64,
        /// H.264 and AAC, an IDR every 2 s; pushed over and over.
        #[arg(long)]
        film: PathBuf,
        /// From one failure of the encoder to the next, in seconds.
        #[arg(long, default_value_t = 60)]
        encoder_fails_every: u64,
        /// From one SIGKILL of the transcoder to the next, in seconds.
        #[arg(long, default_value_t = 45)]
        transcoder_dies_every: u64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Name::Broadcast {
        minutes,
        film,
        encoder_fails_every,
        transcoder_dies_every,
    } = Cli::parse().soak;
    let report = soak::run(&Soak {
        length: Duration::from_secs(minutes * 60),
        encoder_fails_every: Duration::from_secs(encoder_fails_every),
        transcoder_dies_every: Duration::from_secs(transcoder_dies_every),
        films: Films::with(&film),
        args: vec!["--ladder".to_owned(), "standard".to_owned()],
        apart: true,
        renditions: vec!["source", "720p", "480p", "360p", "audio"],
        browser: true,
        talks: true,
    })
    .await;
    println!("{report}");
    let errors = report.watched.map_or(0, |watched| watched.errors.len());
    match report.violations.len() + errors {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
