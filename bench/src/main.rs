//! Side-by-side benchmarks. Each writes `target/bench/NAME.json` and prints the same rows; the
//! tables worth keeping are in `bench/README.md`.

mod abr;
mod canvas;
mod delivery;
mod edge;
mod events;
mod flat;
mod forms;
mod ingest;
mod packaging;
mod peer;
mod player;
mod process;
mod publisher;
mod report;
mod sim;
mod transcode;

use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// What one passthrough stream costs the packager: CPU and memory, next to nginx-rtmp's HLS.
    Packaging {
        /// Numbers of concurrent streams.
        #[arg(long, value_delimiter = ',', default_value = "1,10,50")]
        streams: Vec<usize>,
        /// Seconds that each server is fed; longer than the live window of 60 s, so that it is full.
        #[arg(long, default_value_t = 80)]
        seconds: u64,
        /// Rounds, with both servers in each; medians are reported.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// How many passthrough streams this machine takes until the first part is late, next to
    /// nginx-rtmp.
    Ingest {
        /// Numbers of concurrent streams to try, from the fewest on.
        #[arg(
            long,
            value_delimiter = ',',
            default_value = "25,50,75,100,125,150,200,250,300,400"
        )]
        streams: Vec<usize>,
        /// Seconds that each server is fed.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Rounds, with both servers in each; medians are reported.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// What a live ladder costs next to one ffmpeg that does the same, and how late it is.
    Transcode {
        /// Seconds of film.
        #[arg(long, default_value_t = 30)]
        seconds: u32,
        /// Rounds, with both in each; medians are reported.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// How fast a point of presence answers, next to nginx's proxy_cache and Varnish.
    Edge(delivery::Options),
    /// Whether the origin notices how many watch one live video.
    Flat {
        /// Numbers of real viewers; none without a number.
        #[arg(long, value_delimiter = ',', num_args = 0.., default_value = "10,100,1000")]
        viewers: Vec<usize>,
        /// Numbers of viewers in virtual time, likewise.
        #[arg(long, value_delimiter = ',', num_args = 0.., default_value = "10,10000,100000")]
        simulated: Vec<u32>,
        /// Seconds that each crowd is counted for, at most 40.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=40))]
        seconds: u64,
    },
    /// What rendering and compressing a live playlist costs.
    Forms {
        /// Rounds of 50 ms for each figure; medians are reported.
        #[arg(long, default_value_t = 21)]
        rounds: usize,
    },
    /// How many events a second are made durable and counted.
    Events {
        /// Numbers of events in a batch.
        #[arg(long, value_delimiter = ',', default_value = "5,50,500")]
        per_batch: Vec<usize>,
        /// Callers that each wait for the answer before they send again.
        #[arg(long, default_value_t = 64)]
        callers: usize,
        /// Seconds of each round.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Rounds; medians are reported.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// The choice of renditions on recorded networks, next to other players' rules.
    SimAbr(abr::Options),
    /// Players in real browsers, side by side over the same shaped link.
    Player(player::Options),
    /// A million viewers in virtual time: origin requests, hit ratios and waits.
    SimCdn {
        /// How large the world is.
        #[arg(long, value_enum, default_value_t = sim::Size::Internet)]
        size: sim::Size,
        /// Where the charts go.
        #[arg(long, default_value = "docs/sim")]
        charts: std::path::PathBuf,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    match Cli::parse().bench {
        Bench::Packaging {
            streams,
            seconds,
            rounds,
        } => packaging::run(&streams, Duration::from_secs(seconds), rounds).await,
        Bench::Ingest {
            streams,
            seconds,
            rounds,
        } => ingest::run(&streams, Duration::from_secs(seconds), rounds).await,
        Bench::Edge(options) => delivery::run(&options).await,
        Bench::Transcode { seconds, rounds } => transcode::run(seconds, rounds).await,
        Bench::Flat {
            viewers,
            simulated,
            seconds,
        } => flat::run(&viewers, &simulated, Duration::from_secs(seconds)).await,
        Bench::Forms { rounds } => forms::run(rounds),
        Bench::Events {
            per_batch,
            callers,
            seconds,
            rounds,
        } => events::run(&per_batch, callers, Duration::from_secs(seconds), rounds).await,
        Bench::Player(options) => player::run(&options).await,
        Bench::SimAbr(options) => abr::run(&options),
        Bench::SimCdn { size, charts } => sim::cdn(size, &charts),
    }
}
