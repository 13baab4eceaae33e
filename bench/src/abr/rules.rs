//! What chooses: our rule as the player has it, and models of others' written from what they
//! publish.

mod bola;
mod estimate;
mod hls_js;
mod mpc;
mod ours;
mod shaka;
mod throughput;

use weir_player_wasm::abr::Params;

/// What a rule is told when it is to choose.
pub(crate) struct View<'a> {
    pub(crate) now_s: f64,
    /// Bits per second of each rung.
    pub(crate) ladder: &'a [f64],
    /// Bits of the segments to come, by rung; for those who know them.
    pub(crate) sizes: &'a [Vec<f64>],
    /// The rung before.
    pub(crate) last: usize,
    pub(crate) buffer_s: f64,
    pub(crate) capacity_s: f64,
    pub(crate) segment_s: f64,
    pub(crate) rate: f64,
    /// Latency and its target, in s.
    pub(crate) live: Option<(f64, f64)>,
}

/// What has come, whole or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(crate) now_s: f64,
    pub(crate) bits: f64,
    /// From the request to the first byte; of a part that was waited for not the network's.
    pub(crate) wait_s: f64,
    /// From the first byte to the last.
    pub(crate) body_s: f64,
    /// Length of the media, if it came while it was made.
    pub(crate) live_s: Option<f64>,
}

/// What is on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) rung: usize,
    pub(crate) since_s: f64,
    /// From the request to the first byte, if that has come.
    pub(crate) wait_s: Option<f64>,
    pub(crate) bits: f64,
    /// All bits of this request.
    pub(crate) total: f64,
    /// Bits to come until the end of the segment.
    pub(crate) left: f64,
    /// Length of the media asked for, in s.
    pub(crate) media_s: f64,
}

/// A rule that chooses rungs.
pub(crate) trait Rule {
    /// The rung to begin with.
    fn begin(&mut self, view: &View<'_>) -> usize;
    /// The rung of the next segment.
    fn choose(&mut self, view: &View<'_>) -> usize;
    /// Something came.
    fn fetched(&mut self, transfer: &Transfer);
    /// Every 100 ms: whether to stop this and fetch another rung of the same segment.
    fn abandon(&mut self, _view: &View<'_>, _progress: &Progress) -> Option<usize> {
        None
    }
    /// Playback stalled.
    fn stalled(&mut self, _now_s: f64) {}
}

/// A rule by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    OursSized,
    HlsJs,
    Shaka,
    Bola,
    Mpc,
    Throughput,
    Lowest,
}

impl Kind {
    /// All, ours first.
    pub(crate) const ALL: [Self; 8] = [
        Self::Ours,
        Self::OursSized,
        Self::HlsJs,
        Self::Shaka,
        Self::Bola,
        Self::Mpc,
        Self::Throughput,
        Self::Lowest,
    ];

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "Weir",
            Self::OursSized => "Weir, sizes known",
            Self::HlsJs => "hls.js-like",
            Self::Shaka => "Shaka-like",
            Self::Bola => "BOLA-E-like",
            Self::Mpc => "robustMPC-like",
            Self::Throughput => "throughput-like",
            Self::Lowest => "lowest rung",
        }
    }

    /// One that knows nothing yet.
    pub(crate) fn make(self, params: &'static Params) -> Box<dyn Rule> {
        match self {
            Self::Ours => Box::new(ours::Ours::new(params, false)),
            Self::OursSized => Box::new(ours::Ours::new(params, true)),
            Self::HlsJs => Box::new(hls_js::HlsJs::default()),
            Self::Shaka => Box::new(shaka::Shaka::default()),
            Self::Bola => Box::new(bola::Bola::default()),
            Self::Mpc => Box::new(mpc::Mpc::default()),
            Self::Throughput => Box::new(throughput::Throughput::default()),
            Self::Lowest => Box::new(Lowest),
        }
    }
}

/// Always takes the lowest rung: its stalls are those that no choice avoids.
struct Lowest;

impl Rule for Lowest {
    fn begin(&mut self, _view: &View<'_>) -> usize {
        0
    }

    fn choose(&mut self, _view: &View<'_>) -> usize {
        0
    }

    fn fetched(&mut self, _transfer: &Transfer) {}
}

/// The highest rung within a budget, else the lowest.
fn within(ladder: &[f64], bits_per_s: f64) -> usize {
    ladder
        .iter()
        .rposition(|rate| *rate <= bits_per_s)
        .unwrap_or(0)
}
