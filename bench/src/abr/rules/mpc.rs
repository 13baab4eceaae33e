//! robustMPC (Yin et al., SIGCOMM 2015): the best of all ways through the next five segments, whose
//! sizes it knows, at the harmonic mean of the last five throughputs, lowered by the largest error
//! of the last five predictions.

use std::collections::VecDeque;

use super::{Rule, Transfer, View, within};

const HORIZON: usize = 5;
const PAST: usize = 5;

#[derive(Default)]
pub(super) struct Mpc {
    rates: VecDeque<f64>,
    errors: VecDeque<f64>,
    predicted: Option<f64>,
}

fn keep(list: &mut VecDeque<f64>, value: f64) {
    list.push_back(value);
    if list.len() > PAST {
        list.pop_front();
    }
}

/// The search, in Mbit/s.
struct Search<'a> {
    view: &'a View<'a>,
    rate: f64,
    stall_cost: f64,
    steps: usize,
    best: f64,
}

impl Search<'_> {
    /// The best that comes of here, if it beats what is known.
    fn go(&mut self, step: usize, last: usize, buffer_s: f64, so_far: f64) -> bool {
        if step == self.steps {
            let better = so_far > self.best;
            self.best = self.best.max(so_far);
            return better;
        }
        let ladder = self.view.ladder;
        let top = ladder[ladder.len() - 1] / 1e6;
        if so_far + (self.steps - step) as f64 * top <= self.best {
            return false;
        }
        let mut better = false;
        for r in (0..ladder.len()).rev() {
            let bits = match self.view.sizes.get(step) {
                Some(sizes) => sizes[r],
                None => ladder[r] * self.view.segment_s,
            };
            let fetch_s = bits / self.rate;
            let stall_s = (fetch_s - buffer_s).max(0.0);
            let next_s = (buffer_s - fetch_s).max(0.0) + self.view.segment_s;
            let gain = ladder[r] / 1e6
                - self.stall_cost * stall_s
                - (ladder[r] - ladder[last]).abs() / 1e6;
            better |= self.go(step + 1, r, next_s, so_far + gain);
        }
        better
    }
}

impl Rule for Mpc {
    fn begin(&mut self, view: &View<'_>) -> usize {
        within(view.ladder, 1e6)
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        if self.rates.is_empty() {
            return view.last;
        }
        let harmonic =
            self.rates.len() as f64 / self.rates.iter().map(|rate| 1.0 / rate).sum::<f64>();
        let error = self
            .errors
            .iter()
            .fold(0.0, |most: f64, error| most.max(*error));
        self.predicted = Some(harmonic);
        let ladder = view.ladder;
        let mut search = Search {
            view,
            rate: harmonic / (1.0 + error),
            stall_cost: ladder[ladder.len() - 1] / 1e6,
            steps: HORIZON,
            best: f64::NEG_INFINITY,
        };
        let mut chosen = 0;
        for r in 0..ladder.len() {
            let sizes = view.sizes.first();
            let bits = sizes.map_or(ladder[r] * view.segment_s, |sizes| sizes[r]);
            let fetch_s = bits / search.rate;
            let stall_s = (fetch_s - view.buffer_s).max(0.0);
            let next_s = (view.buffer_s - fetch_s).max(0.0) + view.segment_s;
            let gain = ladder[r] / 1e6
                - search.stall_cost * stall_s
                - (ladder[r] - ladder[view.last]).abs() / 1e6;
            if search.go(1, r, next_s, gain) {
                chosen = r;
            }
        }
        chosen
    }

    fn fetched(&mut self, transfer: &Transfer) {
        let rate = transfer.bits / transfer.body_s.max(0.001);
        if let Some(predicted) = self.predicted.take() {
            keep(&mut self.errors, (predicted - rate).abs() / rate);
        }
        keep(&mut self.rates, rate);
    }
}
