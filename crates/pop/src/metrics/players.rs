//! What players say of themselves with their requests (CMCD), as counters.

use prometheus_client::{metrics::counter::Counter, registry::Registry};
use weir_model::Cmcd;

use super::histogram::Histogram;

/// kbit/s: from the lowest audio to 8K.
const RATES_KBPS: &[f64] = &[
    100.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0, 32_000.0, 64_000.0,
];
/// Seconds of media that wait to be played.
const BUFFERS_SECONDS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 40.0,
];

/// The CMCD that came with requests. No player is told from another.
pub(crate) struct Players {
    requests: Counter,
    starting: Counter,
    starved: Counter,
    bitrate_kbps: Histogram,
    throughput_kbps: Histogram,
    buffer_seconds: Histogram,
}

impl Players {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let players = Self {
            requests: Counter::default(),
            starting: Counter::default(),
            starved: Counter::default(),
            bitrate_kbps: Histogram::new(RATES_KBPS),
            throughput_kbps: Histogram::new(RATES_KBPS),
            buffer_seconds: Histogram::new(BUFFERS_SECONDS),
        };
        registry.register(
            "weir_pop_cmcd_requests",
            "Requests that came with CMCD",
            players.requests.clone(),
        );
        registry.register(
            "weir_pop_cmcd_startup",
            "Requests of players that start, seek or recover (su)",
            players.starting.clone(),
        );
        registry.register(
            "weir_pop_cmcd_starved",
            "Requests of players whose buffer ran empty (bs)",
            players.starved.clone(),
        );
        registry.register(
            "weir_pop_cmcd_bitrate_kbps",
            "Encoded bitrate of what players asked for (br)",
            players.bitrate_kbps.clone(),
        );
        registry.register(
            "weir_pop_cmcd_throughput_kbps",
            "Throughput that players measured (mtp)",
            players.throughput_kbps.clone(),
        );
        registry.register(
            "weir_pop_cmcd_buffer_seconds",
            "Media that players had in store (bl)",
            players.buffer_seconds.clone(),
        );
        players
    }

    /// Counts one request.
    pub(crate) fn count(&self, cmcd: &Cmcd) {
        self.requests.inc();
        self.starting.inc_by(u64::from(cmcd.startup));
        self.starved.inc_by(u64::from(cmcd.starved));
        let observe = |histogram: &Histogram, value: Option<u32>, unit| {
            if let Some(value) = value {
                histogram.observe(f64::from(value) / unit);
            }
        };
        observe(&self.bitrate_kbps, cmcd.bitrate_kbps, 1.0);
        observe(&self.throughput_kbps, cmcd.throughput_kbps, 1.0);
        observe(&self.buffer_seconds, cmcd.buffer_ms, 1000.0);
    }

    /// Requests that came with CMCD, and those of players whose buffer ran empty.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.requests.get(), self.starved.get())
    }
}
