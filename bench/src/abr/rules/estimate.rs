//! Moving averages as hls.js, Shaka Player and dash.js have them.

/// A moving average with a half-life, freed of the bias towards its beginning at zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ewma {
    half_life: f64,
    estimate: f64,
    weight: f64,
}

impl Ewma {
    pub(super) fn new(half_life: f64) -> Self {
        Self {
            half_life,
            estimate: 0.0,
            weight: 0.0,
        }
    }

    fn kept(&self, weight: f64) -> f64 {
        0.5_f64.powf(weight / self.half_life)
    }

    pub(super) fn add(&mut self, weight: f64, value: f64) {
        let kept = self.kept(weight);
        self.estimate = value * (1.0 - kept) + kept * self.estimate;
        self.weight += weight;
    }

    pub(super) fn get(&self) -> f64 {
        self.estimate / (1.0 - self.kept(self.weight)).max(1e-9)
    }
}

/// The lesser of a fast and a slow average of bits per second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    fast: Ewma,
    slow: Ewma,
}

impl Pair {
    pub(super) fn new(fast: f64, slow: f64) -> Self {
        Self {
            fast: Ewma::new(fast),
            slow: Ewma::new(slow),
        }
    }

    /// `seconds` of transfer weigh as much.
    pub(super) fn add(&mut self, bits: f64, seconds: f64) {
        for average in [&mut self.fast, &mut self.slow] {
            average.add(seconds, bits / seconds);
        }
    }

    pub(super) fn get(&self) -> Option<f64> {
        (self.fast.weight > 0.0).then(|| self.fast.get().min(self.slow.get()))
    }
}
