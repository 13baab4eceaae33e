//! How long parts are.
//!
//! A part may be as long as PART-TARGET and, unless it is the last of its segment, must have 85%
//! of it (draft-rfc8216bis section 4.4.3.7). PART-TARGET is one for all renditions of a video and
//! never changes, so that it must leave room for whole frames of every track. Both profiles do for
//! nearly all rates: 350 ms holds 8 pictures at 24, 10 at 30, 20 at 60 a second and 15 frames of
//! AAC at 48 kHz; 210 ms holds 5, 6, 12 and 9. For rates that don't fit, such as 10 pictures a
//! second, a longer one is chosen.

use crate::unit::TIMESCALE;

/// How long the parts of a video are meant to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartProfile {
    /// A third of a second, declared as 350 ms: a player is about a second behind, and asks three
    /// times a second.
    #[default]
    Standard,
    /// A fifth of a second, declared as 210 ms: less delay for more requests and bytes.
    Fast,
}

impl PartProfile {
    /// Declared length of parts in milliseconds, if the frames fit it.
    const fn declared_ms(self) -> u32 {
        match self {
            Self::Standard => 350,
            Self::Fast => 210,
        }
    }

    /// Most of PART-TARGET that a part is meant to fill, in thousandths. The rest takes the
    /// millisecond jitter of RTMP's clock; five pictures at 24 a second leave only that.
    const fn fill_most(self) -> u64 {
        match self {
            Self::Standard => 975,
            Self::Fast => 995,
        }
    }
}

/// Longest declared length in milliseconds, for a picture or less in four seconds.
const LONGEST_MS: u32 = 4000;

/// Declared lengths are multiples of this, in milliseconds.
const STEP_MS: u32 = 10;

/// Least of PART-TARGET that whole frames must fill for it to be chosen, in thousandths.
const FILL_LEAST: u64 = 860;

/// Least of PART-TARGET that a part must have unless it is the last of its segment, in thousandths.
const REQUIRED: u64 = 850;

/// PART-TARGET of a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartTarget {
    profile: PartProfile,
    ms: u32,
}

impl PartTarget {
    /// What a profile declares as long as nothing is known of the frames.
    pub fn of(profile: PartProfile) -> Self {
        Self {
            profile,
            ms: profile.declared_ms(),
        }
    }

    /// The shortest from the profile's length up that whole frames of every track fill well.
    /// `frames` are (length in ticks, ticks per second); a picture's length may be a millisecond
    /// off.
    pub fn choose(profile: PartProfile, frames: &[(u32, u32)]) -> Self {
        let fits = |ms: &u32| {
            frames.iter().all(|&(frame, timescale)| {
                let frame = u64::from(nominal(frame, timescale).max(1));
                let target = u64::from(*ms) * u64::from(timescale);
                // In millionths of a second times the timescale.
                let filled = (target * profile.fill_most() / 1_000_000 / frame) * frame * 1_000_000;
                filled >= target * FILL_LEAST
            })
        };
        let ms = (profile.declared_ms()..=LONGEST_MS)
            .step_by(STEP_MS as usize)
            .find(fits)
            .unwrap_or(LONGEST_MS);
        Self { profile, ms }
    }

    /// As declared, in seconds.
    pub fn seconds(self) -> f64 {
        f64::from(self.ms) / 1000.0
    }

    /// Length of the parts of a GAP in milliseconds: well within the rules, like those of media.
    pub(crate) fn gap_ms(self) -> u64 {
        u64::from(self.ms) * 952 / 1000
    }

    /// The rule for a track of `timescale` ticks per second.
    pub(super) fn rule(self, timescale: u32) -> PartRule {
        let per_mille = |part: u64| u64::from(self.ms) * u64::from(timescale) * part / 1_000_000;
        PartRule {
            longest: per_mille(1000),
            aim: per_mille(self.profile.fill_most()),
            required: per_mille(REQUIRED),
        }
    }
}

/// What a picture of `frame` ticks really lasts: a millisecond clock shows 1/24 s as 41 or 42 ms.
/// Frames of audio are as long as they say.
fn nominal(frame: u32, timescale: u32) -> u32 {
    if timescale != TIMESCALE {
        return frame;
    }
    const RATES: [(u32, u32); 9] = [
        (24_000, 1001),
        (24, 1),
        (25, 1),
        (30_000, 1001),
        (30, 1),
        (48, 1),
        (50, 1),
        (60_000, 1001),
        (60, 1),
    ];
    RATES
        .into_iter()
        .map(|(rate, per)| (TIMESCALE * per).div_ceil(rate))
        .filter(|length| length.abs_diff(frame) < TIMESCALE / 1000)
        .min_by_key(|length| length.abs_diff(frame))
        .unwrap_or(frame)
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

    /// Pictures as long as a 90 kHz clock tells, and as RTMP's millisecond clock does.
    const PICTURES: [u32; 14] = [
        3750,
        3754,
        3600,
        3003,
        3000,
        1800,
        1500,
        1502,
        41 * 90,
        42 * 90,
        33 * 90,
        34 * 90,
        16 * 90,
        17 * 90,
    ];

    #[test]
    fn common_rates_get_the_length_of_their_profile() {
        for profile in [PartProfile::Standard, PartProfile::Fast] {
            for pictures in PICTURES {
                for rate in [48_000, 44_100] {
                    let frames = [(pictures, 90_000), (1024, rate)];
                    let target = PartTarget::choose(profile, &frames);
                    assert_eq!(target, PartTarget::of(profile), "{pictures} {rate}");
                }
            }
        }
    }

    #[test]
    fn slow_pictures_get_a_length_that_whole_frames_fill() {
        for (per_second, ms) in [(20, 360), (10, 420), (5, 420), (2, 520), (1, 1030)] {
            let frames = [(90_000 / per_second, 90_000), (1024, 48_000)];
            let target = PartTarget::choose(PartProfile::Standard, &frames);
            assert_eq!(target.ms, ms, "{per_second} a second");
        }
        let slow = PartTarget::choose(PartProfile::Standard, &[(90_000 * 60, 90_000)]);
        assert_eq!(slow.ms, LONGEST_MS);
    }

    /// Cuts frames into parts as the packager does, on a clock of whole milliseconds.
    #[test]
    fn parts_of_jittering_pictures_keep_the_rules() {
        for profile in [PartProfile::Standard, PartProfile::Fast] {
            let rule = PartTarget::of(profile).rule(90_000);
            for (rate, per) in [
                (24_000, 1001),
                (24, 1),
                (25, 1),
                (30_000, 1001),
                (30, 1),
                (60, 1),
            ] {
                let at = |n: u64| n * 1000 * per / rate * 90;
                let mut length = 0;
                for n in 0..5000 {
                    let picture = at(n + 1) - at(n);
                    if rule.overflows(length, picture) {
                        assert!(
                            rule.allows(length, false),
                            "{profile:?} {rate}/{per}: {length}"
                        );
                        length = 0;
                    }
                    length += picture;
                    if rule.is_full(length, picture) {
                        assert!(
                            rule.allows(length, false),
                            "{profile:?} {rate}/{per}: {length}"
                        );
                        length = 0;
                    }
                }
            }
        }
    }
}
