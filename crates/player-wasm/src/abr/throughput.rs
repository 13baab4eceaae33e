//! What the network gives.
//!
//! Only time in which the network was the limit counts: from the first byte of a body to the last,
//! without the bytes that had come by then. A part requested before it exists spends its waiting in
//! the time to first byte; one that is sent while it is made tells the pace of the encoder, and is
//! left out.

use super::Params;

/// What one body told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Bytes of the body.
    pub bytes: u64,
    /// Bytes that came with the first read.
    pub first_bytes: u64,
    /// From the first read to the last, in ms.
    pub body_ms: f64,
    /// Media time in the body, in ms, if it may have been sent while it was made.
    pub live_pace_ms: Option<f64>,
    /// From the request to the first read, in ms, unless the request may have waited for the media
    /// to be made.
    pub wait_ms: Option<f64>,
}

/// Moving averages over the time of transfer, and how much they are to be trusted.
#[derive(Clone, Debug)]
pub struct Throughput {
    params: &'static Params,
    quick: f64,
    slow: f64,
    usual: f64,
    /// Time of transfer seen, in s.
    seen_s: f64,
    /// Average error of what was expected, as a share of the larger of it and what came.
    error: f64,
    /// The worst of late.
    worst_error: f64,
    /// Average time to the first byte, in s.
    wait_s: f64,
    /// Below this the network is slow, in bits per second.
    slow_below: f64,
    /// By how much this slow spell has set playback back, in s.
    spell_s: f64,
    /// By how much the worst of late did, in s.
    worst_spell_s: f64,
    /// Small bodies: bits, and ms.
    gathered: (f64, f64),
}

impl Throughput {
    pub(super) fn new(params: &'static Params) -> Self {
        Self {
            params,
            quick: 0.0,
            slow: 0.0,
            usual: 0.0,
            seen_s: 0.0,
            error: 0.0,
            worst_error: params.first_error,
            wait_s: 0.0,
            slow_below: 0.0,
            spell_s: 0.0,
            worst_spell_s: 0.0,
            gathered: (0.0, 0.0),
        }
    }

    /// Takes in a sample, if it says something about the network.
    pub fn add(&mut self, sample: Sample) {
        if let Some(wait_ms) = sample.wait_ms.filter(|wait_ms| *wait_ms >= 0.0) {
            let wait_s = wait_ms.min(5000.0) / 1000.0;
            let weight = if self.wait_s == 0.0 { 1.0 } else { 0.2 };
            self.wait_s += weight * (wait_s - self.wait_s);
        }
        let min_bits = self.params.min_bytes * 8.0;
        let bits = sample.bytes as f64 * 8.0;
        let rest = bits - sample.first_bytes as f64 * 8.0;
        // One that came in one piece is faster than can be told, so the floor decides.
        let measured = if rest >= min_bits { rest } else { bits };
        let body_ms = sample.body_ms.max(self.params.min_body_ms).min(3.6e6);
        let at_pace = |pace_ms: f64| (0.85..1.2).contains(&(measured / body_ms * pace_ms / bits));
        if sample.live_pace_ms.is_some_and(at_pace) {
            return;
        }
        let (bits, ms) = self.gathered;
        self.gathered = (bits + measured, ms + body_ms);
        if self.gathered.0 >= min_bits {
            let (bits, ms) = core::mem::take(&mut self.gathered);
            self.learn(bits, ms / 1000.0);
        }
    }

    /// Takes in an estimate of an earlier visit.
    pub(super) fn recall(&mut self, bits_per_s: f64) {
        let believable = bits_per_s > 0.0 && bits_per_s <= self.params.max_bits_per_s;
        if believable && self.seen_s == 0.0 {
            (self.quick, self.slow, self.usual) = (bits_per_s, bits_per_s, bits_per_s);
            self.seen_s = self.params.recalled_s;
        }
    }

    /// Takes in the bitrate of the lowest rung.
    pub(super) fn lowest(&mut self, bits_per_s: f64) {
        self.slow_below = self.params.slow_below * bits_per_s;
    }

    fn learn(&mut self, bits: f64, seconds: f64) {
        let params = self.params;
        let rate = (bits / seconds).min(params.max_bits_per_s);
        if let Some(expected) = self.bits_per_s() {
            let error = (rate - expected).abs() / rate.max(expected);
            self.error += params.error_weight * (error - self.error);
        }
        let kept = params.error_kept_s / (params.error_kept_s + seconds);
        self.worst_error = self.error.max(self.worst_error * kept);
        if self.slow_below > 0.0 {
            let lost_s = seconds * (1.0 - rate / self.slow_below);
            self.spell_s = (self.spell_s + lost_s).max(0.0).min(params.longest_spell_s);
            let kept = params.spell_kept_s / (params.spell_kept_s + seconds);
            self.worst_spell_s = self.spell_s.max(self.worst_spell_s * kept);
        }
        // Many short transfers tell as much as a long one.
        let seconds = seconds.max(params.min_weight_s);
        // An average of all there is, until there is more than it remembers.
        let weight = |remembered_s: f64| seconds / (seconds + self.seen_s.min(remembered_s));
        self.quick += weight(params.quick_s) * (rate - self.quick);
        self.slow += weight(params.slow_s) * (rate - self.slow);
        self.usual += weight(params.usual_s) * (rate - self.usual);
        self.seen_s += seconds;
    }

    /// Bits per second, once something is known: the lesser of the quick and the slow average.
    pub fn bits_per_s(&self) -> Option<f64> {
        (self.seen_s > 0.0).then_some(self.quick.min(self.slow))
    }

    /// What to count on, in bits per second: less, the more it has varied.
    pub(super) fn predicted(&self) -> Option<f64> {
        let doubt = self.params.caution * self.error;
        self.bits_per_s().map(|rate| rate * (1.0 - doubt))
    }

    /// Average error of what was expected, from 0 to 1.
    pub(super) fn error(&self) -> f64 {
        self.error
    }

    /// The worst average error of late.
    pub(super) fn worst_error(&self) -> f64 {
        self.worst_error
    }

    /// What it gives in the long run, in bits per second, or at present if that is much more.
    pub(super) fn usual(&self) -> f64 {
        let present = self.quick.min(self.slow);
        self.usual.max(self.params.present_share * present)
    }

    /// By how much the worst slow spell of late has set playback back, in s, even if the lowest rung
    /// was fetched.
    pub(super) fn worst_spell_s(&self) -> f64 {
        self.worst_spell_s
    }

    /// Time of transfer seen, in s.
    pub(super) fn seen_s(&self) -> f64 {
        self.seen_s
    }

    /// How long an answer takes to begin, in s.
    pub(super) fn wait_s(&self) -> f64 {
        self.wait_s
    }
}
