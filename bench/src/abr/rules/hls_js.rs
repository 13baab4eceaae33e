//! hls.js 1.6 with its defaults: `abr-controller.ts`.
//!
//! The averages are of the body and of what the first byte takes beyond its usual time. A level is
//! taken if 0.95 of the estimate carries it, 0.7 for one above the last, and the fragment comes
//! before the buffer is empty. A fragment is given up after half of its duration if the rest of it
//! comes too late and a lower one comes sooner.

use super::{
    Progress, Rule, Transfer, View,
    estimate::{Ewma, Pair},
};

const DEFAULT: f64 = 500e3;
const FACTOR: f64 = 0.95;
const UP_FACTOR: f64 = 0.7;
const MAX_STARVATION_S: f64 = 4.0;
const HALF_LIVES: (f64, f64) = (3.0, 9.0);

pub(super) struct HlsJs {
    bandwidth: Pair,
    first_byte: Ewma,
    /// What a given-up fragment leaves to go on with.
    default: f64,
}

impl Default for HlsJs {
    fn default() -> Self {
        let mut first_byte = Ewma::new(HALF_LIVES.1);
        first_byte.add(1.0, 0.1);
        Self {
            bandwidth: Pair::new(HALF_LIVES.0, HALF_LIVES.1),
            first_byte,
            default: DEFAULT,
        }
    }
}

impl HlsJs {
    fn estimate(&self) -> f64 {
        self.bandwidth.get().unwrap_or(self.default)
    }

    /// The best of the levels up to `top` that comes in time.
    fn best(
        &self,
        view: &View<'_>,
        top: usize,
        last: usize,
        most_s: f64,
        factors: (f64, f64),
        estimate: f64,
    ) -> Option<usize> {
        (0..=top).rev().find(|&level| {
            let factor = if level <= last { factors.0 } else { factors.1 };
            let (rate, adjusted) = (view.ladder[level], factor * estimate);
            let fetch_s = self.first_byte.get() + rate * view.segment_s / adjusted;
            adjusted >= rate && (view.live.is_some() || fetch_s < most_s)
        })
    }

    fn sample(&mut self, bits: f64, since_s: f64, wait_s: f64) {
        let counted = since_s - wait_s.min(self.first_byte.get());
        self.bandwidth.add(bits, counted.max(0.05));
    }

    fn sample_first_byte(&mut self, wait_s: f64) {
        let weight = 2.0_f64.sqrt() * (-wait_s * wait_s / 2.0).exp();
        self.first_byte.add(weight, wait_s.max(0.005));
    }
}

impl Rule for HlsJs {
    fn begin(&mut self, view: &View<'_>) -> usize {
        super::within(view.ladder, UP_FACTOR * self.default)
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        let top = view.ladder.len() - 1;
        let starvation_s = view.buffer_s / view.rate;
        let find = |most_s| {
            self.best(
                view,
                top,
                view.last,
                most_s,
                (FACTOR, UP_FACTOR),
                self.estimate(),
            )
        };
        let at_once = (starvation_s > 0.0).then(|| find(starvation_s)).flatten();
        let tolerated_s = view.segment_s.min(MAX_STARVATION_S);
        at_once
            .or_else(|| find(starvation_s + tolerated_s))
            .unwrap_or(0)
    }

    fn fetched(&mut self, transfer: &Transfer) {
        if transfer.live_s.is_none() {
            self.sample_first_byte(transfer.wait_s);
        }
        // Of a part that is waited for it knows the waiting too.
        let wait_s = transfer.wait_s;
        self.sample(transfer.bits, wait_s + transfer.body_s, wait_s);
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
        let first_byte_s = self.first_byte.get();
        if rung == 0 || since_s <= first_byte_s.max(media_s / view.rate / 2.0) {
            return None;
        }
        let starvation_s = view.buffer_s / view.rate;
        let loaded = wait_s.filter(|_| bits > 0.0);
        let estimate = match loaded {
            Some(wait_s) => bits / (since_s - wait_s).max(0.001),
            None => self.estimate(),
        };
        let expected = total.max(bits);
        let rest_s = match loaded {
            Some(_) => (expected - bits) / estimate,
            None => expected / estimate + first_byte_s,
        };
        if rest_s <= starvation_s {
            return None;
        }
        let takes = |level: usize| first_byte_s + view.ladder[level] * media_s / estimate;
        let in_time = |level: &usize| takes(*level) < starvation_s.min(media_s + first_byte_s);
        let level = (1..rung).rev().find(in_time).unwrap_or(0);
        let instead_s = takes(level);
        if instead_s >= rest_s || instead_s > media_s * 10.0 {
            return None;
        }
        match loaded {
            Some(wait_s) => self.sample(bits, since_s, wait_s),
            None => self.sample_first_byte(since_s),
        }
        let rate = view.ladder[level];
        if UP_FACTOR * self.estimate() > rate {
            self.bandwidth = Pair::new(HALF_LIVES.0, HALF_LIVES.1);
            self.default = rate;
        }
        Some(
            self.best(view, level, level, starvation_s, (1.0, 1.0), rate)
                .unwrap_or(level),
        )
    }
}
