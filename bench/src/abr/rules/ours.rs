//! The player's own rule.

use weir_player_wasm::abr::{Abr, Download, Live, Params, Rung, Sample, Situation};

use super::{Progress, Rule, Transfer, View};

pub(super) struct Ours {
    abr: Abr,
    /// Whether it is told the size of the next segment.
    sized: bool,
    rungs: Vec<Rung>,
}

impl Ours {
    pub(super) fn new(params: &'static Params, sized: bool) -> Self {
        Self {
            abr: Abr::new(params),
            sized,
            rungs: Vec::new(),
        }
    }

    fn look(&mut self, view: &View<'_>) {
        self.rungs.clear();
        let rungs = view.ladder.iter().enumerate().map(|(r, rate)| Rung {
            bits_per_s: *rate,
            usable: true,
            next_bits: match view.sizes.first() {
                Some(next) if self.sized => next[r],
                _ => 0.0,
            },
        });
        self.rungs.extend(rungs);
    }
}

fn situation<'a>(rungs: &'a [Rung], view: &View<'_>) -> Situation<'a> {
    Situation {
        rungs,
        active: view.last,
        buffer_s: view.buffer_s,
        capacity_s: view.capacity_s,
        segment_s: view.segment_s,
        left_s: view.segment_s * view.sizes.len() as f64,
        rate: view.rate,
        live: view.live.map(|(latency_s, target_s)| Live {
            latency_s,
            target_s,
        }),
    }
}

fn ms(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

impl Rule for Ours {
    fn begin(&mut self, view: &View<'_>) -> usize {
        self.look(view);
        self.abr.begin(&self.rungs)
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        self.look(view);
        self.abr
            .choose(ms(view.now_s), &situation(&self.rungs, view))
    }

    fn fetched(&mut self, transfer: &Transfer) {
        self.abr.throughput.add(Sample {
            bytes: (transfer.bits / 8.0) as u64,
            first_bytes: 0,
            body_ms: transfer.body_s * 1000.0,
            live_pace_ms: transfer.live_s.map(|s| s * 1000.0),
            wait_ms: transfer
                .live_s
                .is_none()
                .then_some(transfer.wait_s * 1000.0),
        });
    }

    fn abandon(&mut self, view: &View<'_>, progress: &Progress) -> Option<usize> {
        self.look(view);
        let of = Download {
            rung: progress.rung,
            since_ms: progress.since_s * 1000.0,
            body_ms: progress
                .wait_s
                .map_or(0.0, |wait| (progress.since_s - wait) * 1000.0),
            bits: progress.bits,
            bits_left: progress.left,
        };
        self.abr.abandon(&situation(&self.rungs, view), &of)
    }

    fn stalled(&mut self, now_s: f64) {
        self.abr.stalled(ms(now_s));
    }
}
