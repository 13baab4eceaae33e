//! How long parts are.
//!
//! A part may be as long as PART-TARGET and, unless it is the last of its segment, must have 85%
//! of it (draft-rfc8216bis section 4.4.3.7). PART-TARGET is one for all renditions of a video and
//! never changes, so that it must leave room for whole frames of every track. 350 ms does for
//! nearly all: 8 pictures at 24, 10 at 30, 20 at 60 a second, 15 frames of AAC at 48 kHz. For
//! rates that don't fit, such as 10 pictures a second, a longer one is chosen.

/// Declared length of parts in milliseconds, if the frames fit it.
const STANDARD_MS: u32 = 350;

/// Longest declared length in milliseconds, for a picture or less in four seconds.
const LONGEST_MS: u32 = 4000;

/// Declared lengths are multiples of this, in milliseconds.
const STEP_MS: u32 = 10;

/// Most of PART-TARGET that a part is meant to fill, in thousandths: the rest takes the
/// millisecond jitter of RTMP's clock.
const FILL_MOST: u64 = 975;

/// Least of PART-TARGET that whole frames must fill for it to be chosen, in thousandths.
const FILL_LEAST: u64 = 860;

/// Least of PART-TARGET that a part must have unless it is the last of its segment, in thousandths.
const REQUIRED: u64 = 850;

/// PART-TARGET of a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartTarget {
    ms: u32,
}

impl Default for PartTarget {
    /// 350 ms.
    fn default() -> Self {
        Self { ms: STANDARD_MS }
    }
}

impl PartTarget {
    /// The shortest from 350 ms up that whole frames of every track fill well. `frames` are
    /// (length in ticks, ticks per second).
    pub fn choose(frames: &[(u32, u32)]) -> Self {
        let fits = |ms: &u32| {
            frames.iter().all(|&(frame, timescale)| {
                let frame = u64::from(frame.max(1));
                let target = u64::from(*ms) * u64::from(timescale);
                // In millionths of a second times the timescale.
                let filled = (target * FILL_MOST / 1_000_000 / frame) * frame * 1_000_000;
                filled >= target * FILL_LEAST
            })
        };
        let ms = (STANDARD_MS..=LONGEST_MS)
            .step_by(STEP_MS as usize)
            .find(fits)
            .unwrap_or(LONGEST_MS);
        Self { ms }
    }

    /// As declared, in seconds.
    pub fn seconds(self) -> f64 {
        f64::from(self.ms) / 1000.0
    }

    /// The rule for a track of `timescale` ticks per second.
    pub(super) fn rule(self, timescale: u32) -> PartRule {
        let per_mille = |part: u64| u64::from(self.ms) * u64::from(timescale) * part / 1_000_000;
        PartRule {
            longest: per_mille(1000),
            aim: per_mille(FILL_MOST),
            required: per_mille(REQUIRED),
        }
    }
}

/// [`PartTarget`] in the ticks of a track.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartRule {
    longest: u64,
    aim: u64,
    required: u64,
}

impl PartRule {
    /// Whether a part of `length` must end before a frame of `next`.
    pub(super) fn overflows(&self, length: u64, next: u64) -> bool {
        length > 0 && length + next > self.longest
    }

    /// Whether a part of `length` is long enough, and another frame like its last would carry it
    /// past what is aimed at.
    pub(super) fn is_full(&self, length: u64, last: u64) -> bool {
        length >= self.required && length + last > self.aim
    }

    /// Whether a part of `length` keeps the rules.
    pub(super) fn allows(&self, length: u64, last_of_segment: bool) -> bool {
        length <= self.longest && (last_of_segment || length >= self.required)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_rates_get_the_standard_length() {
        for pictures in [3750, 3754, 3600, 3003, 3000, 1800, 1500, 1502, 750] {
            for rate in [48_000, 44_100, 32_000] {
                let target = PartTarget::choose(&[(pictures, 90_000), (1024, rate)]);
                assert_eq!(target, PartTarget::default(), "{pictures} {rate}");
            }
        }
    }

    #[test]
    fn slow_pictures_get_a_length_that_whole_frames_fill() {
        for (per_second, ms) in [(20, 360), (10, 420), (5, 420), (2, 520), (1, 1030)] {
            let target = PartTarget::choose(&[(90_000 / per_second, 90_000), (1024, 48_000)]);
            assert_eq!(target.ms, ms, "{per_second} a second");
        }
        assert_eq!(PartTarget::choose(&[(90_000 * 60, 90_000)]).ms, LONGEST_MS);
    }
}
