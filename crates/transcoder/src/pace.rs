//! How fast pictures really come.
//!
//! x264 counts pictures, not time, unless it may hold one back to see how long it lasts. So that
//! a rung's bitrate is one of real time without that delay, the ladder measures the source and
//! corrects what it asks of x264.

use std::collections::VecDeque;

use weir_media::{
    codec::FrameRate,
    unit::{TIMESCALE, Timestamp},
};

/// Mean rate of the last two seconds or so, gaps left out.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<Timestamp>,
    intervals: VecDeque<i64>,
}

/// Longer than between pictures of any moving source.
const GAP: i64 = TIMESCALE as i64 / 4;

/// Intervals that are remembered.
const WINDOW: usize = 60;
/// Fewer tell nothing.
const LEAST: usize = 10;

impl Pace {
    /// A picture is shown, later than the one before.
    pub(crate) fn note(&mut self, pts: Timestamp) {
        if let Some(last) = self.last.replace(pts) {
            let interval = pts.0.saturating_sub(last.0);
            if (1..GAP).contains(&interval) {
                self.intervals.push_back(interval);
            }
        }
        if self.intervals.len() > WINDOW {
            self.intervals.pop_front();
        }
    }

    /// The bitrate to ask of an encoder that believes in `nominal`, so that a second of pictures
    /// as they come costs `kbps`. `None` until enough of them have come.
    pub(crate) fn corrected_kbps(&self, kbps: u32, nominal: FrameRate) -> Option<u32> {
        if self.intervals.len() < LEAST {
            return None;
        }
        let ticks: i64 = self.intervals.iter().sum();
        let real = self.intervals.len() as f64 * f64::from(TIMESCALE) / ticks as f64;
        // A burst is no reason to starve or to flood.
        let correction = (nominal.as_f64() / real).clamp(0.2, 5.0);
        Some((f64::from(kbps) * correction).round() as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOMINAL: FrameRate = FrameRate {
        numerator: 30,
        denominator: 1,
    };

    fn corrected(times_ms: impl IntoIterator<Item = i64>) -> Option<u32> {
        let mut pace = Pace::default();
        times_ms
            .into_iter()
            .for_each(|ms| pace.note(Timestamp::from_ms(ms)));
        pace.corrected_kbps(1000, NOMINAL)
    }

    #[test]
    fn each_picture_gets_the_share_of_its_real_time() {
        assert_eq!(corrected((0..90).map(|i| i * 1000 / 30)), Some(1000));
        assert_eq!(corrected((0..90).map(|i| i * 20)), Some(600));
        assert_eq!(corrected((0..90).map(|i| i * 40)), Some(1200));
    }

    #[test]
    fn a_gap_is_no_slow_picture() {
        let before = (0..20).map(|i| i * 20);
        let after = (0..20).map(|i| 10_000 + i * 20);
        assert_eq!(corrected(before.chain(after)), Some(600));
    }

    #[test]
    fn few_pictures_tell_nothing_and_a_burst_little() {
        assert_eq!(corrected((0..8).map(|i| i * 20)), None);
        assert_eq!(corrected(0..90), Some(200));
    }
}
