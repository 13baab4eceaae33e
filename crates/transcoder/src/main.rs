//! `weir-transcode`: started by the origin, one process per broadcast.

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

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
            weir_transcoder::pipe::live(std::io::stdin().lock(), std::io::stdout().lock())?;
        }
    }
    Ok(())
}
