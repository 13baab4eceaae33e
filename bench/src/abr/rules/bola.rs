//! BOLA-E as dash.js has it: `BolaRule.js` with its placeholder buffer, `InsufficientBufferRule.js`
//! and `AbandonRequestsRule.js`, with a stable buffer time of 18 s.

use super::{
    Progress, Rule, Transfer, View,
    estimate::Pair,
    throughput::{SAFETY, bounded},
    within,
};

const MINIMUM_BUFFER_S: f64 = 10.0;
const PER_RUNG_S: f64 = 2.0;
const STABLE_S: f64 = 18.0;
const DECAY: f64 = 0.99;
const GRACE_S: f64 = 0.5;
const ABANDON_MULTIPLIER: f64 = 1.8;

pub(super) struct Bola {
    bandwidth: Pair,
    steady: bool,
    placeholder_s: f64,
    fetched_at_s: Option<f64>,
    fetched: u32,
    /// Progress of the request under way: when it was last seen, and how often.
    seen: u32,
}

impl Default for Bola {
    fn default() -> Self {
        Self {
            bandwidth: Pair::new(3.0, 8.0),
            steady: false,
            placeholder_s: 0.0,
            fetched_at_s: None,
            fetched: 0,
            seen: 0,
        }
    }
}

/// What the ladder makes of the buffer.
struct Scores {
    utilities: Vec<f64>,
    gp: f64,
    vp: f64,
}

impl Scores {
    fn new(ladder: &[f64]) -> Self {
        let utilities: Vec<f64> = ladder
            .iter()
            .map(|rate| (rate / ladder[0]).ln() + 1.0)
            .collect();
        let top = utilities[utilities.len() - 1];
        let stable_s = STABLE_S.max(MINIMUM_BUFFER_S + PER_RUNG_S * ladder.len() as f64);
        let gp = (top - 1.0) / (stable_s / MINIMUM_BUFFER_S - 1.0);
        Self {
            utilities,
            gp,
            vp: MINIMUM_BUFFER_S / gp,
        }
    }

    fn best(&self, ladder: &[f64], buffer_s: f64) -> usize {
        let score =
            |r: usize| (self.vp * (self.utilities[r] - 1.0 + self.gp) - buffer_s) / ladder[r];
        (0..ladder.len()).fold(0, |best, r| if score(r) >= score(best) { r } else { best })
    }

    /// The least buffer at which a rung is chosen.
    fn least_s(&self, ladder: &[f64], rung: usize) -> f64 {
        let below = (0..rung).map(|r| {
            let (u, v) = (self.utilities[r], self.utilities[rung]);
            let shared = (ladder[rung] * u - ladder[r] * v) / (ladder[rung] - ladder[r]);
            self.vp * (shared - 1.0 + self.gp)
        });
        below.fold(0.0, f64::max)
    }

    fn most_s(&self, rung: usize) -> f64 {
        self.vp * (self.utilities[rung] - 1.0 + self.gp)
    }
}

impl Bola {
    fn steady(&mut self, view: &View<'_>, safe: usize) -> usize {
        let scores = Scores::new(view.ladder);
        if let Some(at) = self.fetched_at_s {
            self.placeholder_s += (view.now_s - at).max(0.0);
        }
        let mut chosen = scores.best(view.ladder, view.buffer_s + self.placeholder_s);
        // BOLA-O: no rise beyond what the network carries.
        if chosen > view.last && chosen > safe {
            chosen = safe.max(view.last);
        }
        let above_s = view.buffer_s + self.placeholder_s - scores.most_s(chosen);
        self.placeholder_s -= above_s.clamp(0.0, self.placeholder_s);
        chosen
    }
}

impl Rule for Bola {
    fn begin(&mut self, view: &View<'_>) -> usize {
        within(view.ladder, 1e6)
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        self.seen = 0;
        let Some(estimate) = self.bandwidth.get() else {
            return view.last;
        };
        let safe = within(view.ladder, SAFETY * estimate);
        let chosen = if view.ladder.len() == 1 {
            0
        } else if self.steady {
            self.steady(view, safe)
        } else {
            let scores = Scores::new(view.ladder);
            let wanted_s = scores.least_s(view.ladder, safe);
            self.placeholder_s = (wanted_s - view.buffer_s).max(0.0);
            self.steady = view.buffer_s >= view.segment_s;
            safe
        };
        self.fetched_at_s = None;
        // It is not asked until two segments are in.
        if self.fetched < 2 {
            chosen
        } else {
            bounded(view, estimate, chosen)
        }
    }

    fn fetched(&mut self, transfer: &Transfer) {
        self.bandwidth
            .add(transfer.bits, transfer.body_s.max(0.001));
        self.placeholder_s *= DECAY;
        self.fetched_at_s = Some(transfer.now_s);
        self.fetched += 1;
    }

    fn abandon(&mut self, view: &View<'_>, progress: &Progress) -> Option<usize> {
        let Progress {
            rung,
            since_s,
            wait_s,
            bits,
            total,
            media_s,
            ..
        } = *progress;
        let body_s = since_s - wait_s?;
        self.seen += u32::from(bits > 0.0);
        if self.seen < 5 || body_s <= GRACE_S || rung == 0 || view.buffer_s > STABLE_S {
            return None;
        }
        let measured = bits / body_s;
        if total / measured < media_s * ABANDON_MULTIPLIER {
            return None;
        }
        let other = within(view.ladder, SAFETY * measured);
        let other_bits = total * view.ladder[other] / view.ladder[rung];
        (other < rung && total - bits > other_bits).then(|| {
            self.placeholder_s = 0.0;
            self.seen = 0;
            other
        })
    }

    fn stalled(&mut self, _now_s: f64) {
        self.placeholder_s = 0.0;
    }
}
