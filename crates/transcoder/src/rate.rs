//! How many pictures a second a source has, and which of them a rung gets.

use weir_media::{
    codec::FrameRate,
    unit::{TIMESCALE, Timestamp},
};

/// Rates that sources are made at.
const NOMINAL: [u32; 11] = [10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 120];

/// The rate of pictures that are `intervals` apart, in ticks. Millisecond timestamps hide what a
/// nominal rate is exactly, so that one within 5% is taken. `None` without an interval.
pub(crate) fn measured(mut intervals: Vec<i64>) -> Option<FrameRate> {
    intervals.sort_unstable();
    let median = *intervals.get(intervals.len() / 2)?;
    let rate = f64::from(TIMESCALE) / median.max(1) as f64;
    let nominal = NOMINAL
        .into_iter()
        .map(|nominal| (nominal, (f64::from(nominal) / rate - 1.0).abs()))
        .filter(|(_, error)| *error < 0.05)
        .min_by(|(_, a), (_, b)| a.total_cmp(b));
    Some(match nominal {
        Some((numerator, _)) => FrameRate {
            numerator,
            denominator: 1,
        },
        None => FrameRate {
            numerator: ((rate * 1000.0).round() as u32).max(1),
            denominator: 1000,
        },
    })
}

/// Leaves out pictures of a source that is faster than a rung has use for: below 720 lines 30 a
/// second do, above 60. Every second picture (or third, …) is kept. A source whose pictures come
/// farther apart than it says keeps them all.
#[derive(Debug)]
pub(crate) struct Thinning {
    rate: FrameRate,
    /// Pictures closer than this to the last one are left out, in ticks.
    least_interval: i64,
    last: Option<Timestamp>,
}

impl Thinning {
    /// For a rung of `height` lines of a source of `source` pictures a second.
    pub(crate) fn new(source: FrameRate, height: u32) -> Self {
        let most = if height >= 720 { 60.0 } else { 30.0 };
        let every = (source.as_f64() / most).round().clamp(1.0, 1000.0);
        let interval = f64::from(TIMESCALE) / source.as_f64();
        let least_interval = match every > 1.0 {
            // Half an interval is room for jitter.
            true => ((every - 0.5) * interval) as i64,
            false => 0,
        };
        Self {
            rate: FrameRate {
                numerator: source.numerator,
                denominator: source.denominator.saturating_mul(every as u32),
            },
            least_interval,
            last: None,
        }
    }

    /// What is left of the source's rate.
    pub(crate) fn rate(&self) -> FrameRate {
        self.rate
    }

    /// Whether the rung gets the picture. IDR pictures it gets all.
    pub(crate) fn keeps(&mut self, pts: Timestamp, idr: bool) -> bool {
        let keeps = idr
            || self
                .last
                .is_none_or(|last| pts.0.saturating_sub(last.0) >= self.least_interval);
        if keeps {
            self.last = Some(pts);
        }
        keeps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(numerator: u32, denominator: u32) -> FrameRate {
        FrameRate {
            numerator,
            denominator,
        }
    }

    #[test]
    fn a_rate_is_measured_through_jitter() {
        let check = |intervals_ms: &[i64], expected| {
            let intervals = intervals_ms.iter().map(|ms| ms * 90).collect();
            assert_eq!(measured(intervals), expected, "{intervals_ms:?}");
        };
        check(&[33, 34, 33], Some(rate(30, 1)));
        check(&[16, 17, 17], Some(rate(60, 1)));
        check(&[41, 42, 42], Some(rate(24, 1)));
        check(&[40, 40, 40], Some(rate(25, 1)));
        check(&[33, 500, 34], Some(rate(30, 1)));
        check(&[500], Some(rate(2000, 1000)));
        check(&[0], Some(rate(90_000_000, 1000)));
        check(&[], None);
    }

    fn kept(rate: FrameRate, height: u32, times_ms: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut thinning = Thinning::new(rate, height);
        let times = times_ms.into_iter();
        times
            .filter(|ms| thinning.keeps(Timestamp::from_ms(*ms), false))
            .collect()
    }

    #[test]
    fn fast_sources_are_halved_below_720_lines() {
        let sixty = || (0..12).map(|i| i * 1000 / 60);
        assert_eq!(kept(rate(60, 1), 720, sixty()).len(), 12);
        assert_eq!(kept(rate(60, 1), 480, sixty()), [0, 33, 66, 100, 133, 166]);
        assert_eq!(Thinning::new(rate(60, 1), 480).rate().as_f64(), 30.0);
        let fifty = (0..6).map(|i| i * 20);
        assert_eq!(kept(rate(50, 1), 480, fifty), [0, 40, 80]);
        let thirty = || (0..6).map(|i| i * 1000 / 30);
        assert_eq!(kept(rate(30, 1), 240, thirty()).len(), 6);
        // 59.94 is 30,000/1001 then, and 120 is 60 or 30.
        let ntsc = Thinning::new(rate(60_000, 1001), 360).rate();
        assert_eq!((ntsc.numerator, ntsc.denominator), (60_000, 2002));
        assert_eq!(Thinning::new(rate(120, 1), 720).rate().as_f64(), 60.0);
        assert_eq!(Thinning::new(rate(120, 1), 360).rate().as_f64(), 30.0);
    }

    #[test]
    fn slow_pictures_of_a_fast_source_pass() {
        // Variable rate, or a source that lies.
        let times = [0, 100, 133, 150, 300, 333, 366];
        assert_eq!(kept(rate(60, 1), 360, times), [0, 100, 133, 300, 333, 366]);
    }

    #[test]
    fn an_idr_picture_is_always_kept() {
        let mut thinning = Thinning::new(rate(60, 1), 480);
        let mut keeps = |ms, idr| thinning.keeps(Timestamp::from_ms(ms), idr);
        assert!(keeps(0, true) && !keeps(17, false) && keeps(33, false));
        assert!(keeps(50, true) && !keeps(67, false) && keeps(83, false));
    }
}
