//! Bit rates as players are told them (draft-rfc8216bis section 4.4.6.2).

use super::TARGET_DURATION_S;

/// One segment as far as its bit rate goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sized {
    /// Its number: segments that follow each other are numbered so.
    pub msn: u64,
    /// Size in bits.
    pub bits: f64,
    /// Length in seconds.
    pub seconds: f64,
}

/// Peak and mean bit rate in bit/s.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BitRate {
    /// Largest bit rate of any contiguous segments that last between half and one and a half
    /// target durations together; of shorter ones while there are no others.
    pub peak: f64,
    /// All bits by all seconds.
    pub average: f64,
    /// How much was measured, in seconds.
    pub seconds: f64,
}

/// Least of a target duration over which a peak is taken, in seconds. A millisecond less is
/// forgiven: a keyframe interval of 2 s comes a little short through RTMP's clock.
const LEAST_S: f64 = 0.5 * TARGET_DURATION_S as f64 - 0.001_5;

/// Most of it.
const MOST_S: f64 = 1.5 * TARGET_DURATION_S as f64;

impl BitRate {
    /// Measures segments in order of their numbers; what is not there is a GAP.
    pub fn of(segments: impl Iterator<Item = Sized>) -> Self {
        let mut measured = Self::default();
        let (mut bits, mut peak_of_short) = (0.0, 0.0_f64);
        // The contiguous segments that end with the newest one and are not too long.
        let mut recent: Vec<Sized> = Vec::new();
        for segment in segments.filter(|segment| segment.seconds > 0.0) {
            bits += segment.bits;
            measured.seconds += segment.seconds;
            peak_of_short = peak_of_short.max(segment.bits / segment.seconds);
            if recent
                .last()
                .is_some_and(|last| last.msn + 1 != segment.msn)
            {
                recent.clear();
            }
            recent.push(segment);
            let (mut bits, mut seconds) = (0.0, 0.0);
            let mut kept = 0;
            for segment in recent.iter().rev() {
                seconds += segment.seconds;
                if seconds > MOST_S {
                    break;
                }
                bits += segment.bits;
                kept += 1;
                if seconds >= LEAST_S {
                    measured.peak = measured.peak.max(bits / seconds);
                }
            }
            recent.drain(..recent.len() - kept);
        }
        if measured.seconds > 0.0 {
            measured.average = bits / measured.seconds;
        }
        if measured.peak == 0.0 {
            measured.peak = peak_of_short;
        }
        measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(segments: &[(u64, f64, f64)]) -> BitRate {
        BitRate::of(
            segments
                .iter()
                .map(|&(msn, bits, seconds)| Sized { msn, bits, seconds }),
        )
    }

    #[test]
    fn the_peak_is_over_half_to_one_and_a_half_target_durations() {
        assert_eq!(of(&[(1, 2e6, 2.0), (2, 6e6, 2.0), (3, 1e6, 2.0)]).peak, 3e6);
        // Half a second of anything says nothing by itself.
        let short = of(&[(1, 2e6, 2.0), (2, 2e6, 0.5), (3, 2e6, 2.0)]);
        assert_eq!((short.peak, short.average), (4e6 / 2.5, 6e6 / 4.5));
        // One longer than all that is no set, unless there is no other.
        assert_eq!(of(&[(1, 70e6, 7.0)]).peak, 10e6);
    }

    #[test]
    fn what_a_gap_parts_is_not_contiguous() {
        let parted = of(&[(1, 1e6, 1.0), (3, 9e6, 1.0), (4, 1e6, 1.0)]);
        assert_eq!(parted.peak, 5e6);
    }

    #[test]
    fn nothing_has_no_bit_rate() {
        assert_eq!(of(&[]), BitRate::default());
        assert_eq!(of(&[(1, 1e6, 0.5)]).peak, 2e6);
    }
}
