//! Looking ahead: what the next segments would be like, if the network gave what is predicted.
//!
//! A plan takes a first rung and then goes on in one direction, a rung at a time or staying, which
//! is what the best plans do when the throughput is taken to be constant (SODA, SIGCOMM 2024). So
//! there are a few dozen plans for each first rung, however long the ladder.

use super::{Download, Params, Situation};

/// What plans are made from.
#[derive(Clone, Copy)]
pub(super) struct Outlook<'a> {
    pub(super) params: &'a Params,
    pub(super) at: &'a Situation<'a>,
    /// Bits per second counted on.
    pub(super) bits_per_s: f64,
    /// How long an answer takes to begin, in s.
    pub(super) wait_s: f64,
    /// Buffer that a plan wants to end with, in s.
    pub(super) end_s: f64,
    /// Bitrate of the best rung.
    pub(super) top: f64,
}

/// Where a plan has come to.
#[derive(Clone, Copy)]
struct State {
    buffer_s: f64,
    latency_s: f64,
    quality: f64,
}

impl Outlook<'_> {
    /// The first rung of the best plan.
    pub(super) fn best(&self) -> usize {
        let worth = |r: usize| self.worth(r, self.bits(r, true));
        let mut best = self.at.active;
        let mut most = worth(best);
        for r in (0..self.at.rungs.len()).filter(|&r| self.at.rungs[r].usable) {
            let worth = worth(r);
            if worth > most {
                (best, most) = (r, worth);
            }
        }
        best
    }

    /// The lower rung that is worth more than going on with a transfer, if there is one.
    pub(super) fn instead_of(&self, of: &Download) -> Option<usize> {
        let on_its_way = Self {
            wait_s: 0.0,
            ..*self
        };
        let mut best = None;
        let mut most = on_its_way.worth(of.rung, of.bits_left) + self.params.abandon_margin;
        for r in (0..of.rung).filter(|&r| self.at.rungs[r].usable) {
            let worth = self.worth(r, self.bits(r, false));
            if worth > most {
                (best, most) = (Some(r), worth);
            }
        }
        best
    }

    /// What the best plan is worth that begins with a rung, of whose first segment `bits` are to
    /// come.
    fn worth(&self, first: usize, bits: f64) -> f64 {
        let begin = State {
            buffer_s: self.at.buffer_s,
            latency_s: self.at.live.map_or(0.0, |live| live.latency_s),
            quality: self.quality(self.at.active),
        };
        let (gain, state) = self.play(begin, first, bits);
        let steps = self.params.horizon.saturating_sub(1);
        let [up, down] = [true, false].map(|up| self.go_on(state, first, steps, up));
        gain + up.max(down)
    }

    /// Bits of a segment of this rung: the next one's if that is known and asked for.
    fn bits(&self, rung: usize, next: bool) -> f64 {
        let rung = &self.at.rungs[rung];
        match rung.next_bits {
            bits if next && bits > 0.0 => bits,
            _ => rung.bits_per_s * self.at.segment_s,
        }
    }

    fn quality(&self, rung: usize) -> f64 {
        self.at.rungs[rung].bits_per_s / self.top
    }

    fn go_on(&self, state: State, rung: usize, steps: u32, up: bool) -> f64 {
        if steps == 0 {
            return -self.shortage(state.buffer_s);
        }
        let stay = self.step(state, rung, steps, up);
        let neighbour = if up {
            (rung + 1..self.at.rungs.len()).find(|&r| self.at.rungs[r].usable)
        } else {
            (0..rung).rev().find(|&r| self.at.rungs[r].usable)
        };
        match neighbour {
            Some(other) => stay.max(self.step(state, other, steps, up)),
            None => stay,
        }
    }

    fn step(&self, state: State, rung: usize, steps: u32, up: bool) -> f64 {
        let (gain, next) = self.play(state, rung, self.bits(rung, false));
        gain + self.go_on(next, rung, steps - 1, up)
    }

    /// One segment: what it is worth, and where it leads.
    fn play(&self, state: State, rung: usize, bits: f64) -> (f64, State) {
        let Params {
            stall_cost,
            switch_cost,
            latency_cost,
            rate_cost,
            ..
        } = *self.params;
        let at = self.at;
        let fetch_s = self.wait_s + bits / self.bits_per_s;
        let played_s = fetch_s * at.rate;
        let quality = self.quality(rung);
        let switch = switch_cost * (quality - state.quality).abs();
        let Some(live) = at.live else {
            let stall_s = (played_s - state.buffer_s).max(0.0);
            let buffer_s = (state.buffer_s - played_s).max(0.0) + at.segment_s;
            let next = State {
                buffer_s: buffer_s.min(at.capacity_s.max(at.segment_s)),
                quality,
                ..state
            };
            return (quality - stall_cost * stall_s - switch, next);
        };
        // It comes while it is played, and no sooner than it is made.
        let late_s = (played_s - at.segment_s).max(0.0);
        let spare_s = (at.segment_s - played_s).max(0.0);
        let stall_s = (late_s - state.buffer_s).max(0.0);
        let buffer_s = (state.buffer_s - late_s).max(0.0) + spare_s;
        let latency_s = state.latency_s + stall_s;
        let next = State {
            // What can be made up for is what the target allows.
            buffer_s: buffer_s.min(state.buffer_s.max(at.capacity_s)),
            latency_s,
            quality,
        };
        let above_s = (latency_s - live.target_s).max(0.0);
        let gain = quality
            - stall_cost * stall_s
            - switch
            - at.segment_s * (latency_cost * above_s + rate_cost * (at.rate - 1.0).abs());
        (gain, next)
    }

    /// What it costs to end with less than is wanted.
    fn shortage(&self, buffer_s: f64) -> f64 {
        let missing_s = (self.end_s - buffer_s).max(0.0);
        self.params.shortage_cost * missing_s * missing_s / self.end_s
    }
}
