//! What a live ladder costs, next to one ffmpeg process that decodes once and encodes the same
//! three renditions; and how long after the encoder a rendition's parts are in its playlist.

mod cost;
mod delay;
mod film;

use std::collections::BTreeMap;

use anyhow::Result;

use crate::report::{self, Row, median};

/// Height and kbit/s of each rung, at x264's veryfast.
const RUNGS: [(u32, u32); 3] = [(720, 2500), (480, 1200), (360, 700)];
const PRESET: &str = "veryfast";
const FFMPEG: &str = "ffmpeg";

/// Runs the benchmark and publishes its rows.
#[expect(clippy::print_stderr, reason = "progress of a long command")]
pub(crate) async fn run(seconds: u32, rounds: usize) -> Result<()> {
    let film = film::prepare(seconds)?;
    let source = cost::Source::read(&film)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("cost, round {round} of {rounds}: weir-transcode");
        ours.push(cost::of_weir(&source)?);
        eprintln!("cost, round {round} of {rounds}: {FFMPEG}");
        theirs.push(cost::of_ffmpeg(&film)?);
    }
    let mut rows = vec![Row {
        case: "1080p24 to 720p, 480p and 360p".to_owned(),
        metric: "CPU per second of film",
        unit: "s",
        ours: median(ours) / source.seconds(),
        peers: BTreeMap::from([(FFMPEG, median(theirs) / source.seconds())]),
    }];
    let mut delays: BTreeMap<String, Vec<delay::Delay>> = BTreeMap::new();
    for round in 1..=rounds {
        eprintln!("delay, round {round} of {rounds}");
        for (rendition, delay) in delay::measure(&film).await? {
            delays.entry(rendition).or_default().push(delay);
        }
    }
    for (rendition, delays) in delays {
        let mut row = |metric, figure: fn(&delay::Delay) -> f64| {
            rows.push(Row {
                case: format!("{rendition}, fed in real time"),
                metric,
                unit: "ms",
                ours: median(delays.iter().map(figure).collect()),
                peers: BTreeMap::new(),
            });
        };
        row("encoder to playlist, p50", |delay| delay.p50_ms);
        row("encoder to playlist, p99", |delay| delay.p99_ms);
    }
    report::publish("transcode", &rows)
}
