//! How long the loops of a slate are.
//!
//! Pictures and silence loop each by itself: whoever repeats them puts loop after loop, and drifts
//! nowhere, since each is as long as it says. Where a length exists that is a whole number of
//! pictures and of audio units, it is taken, and both begin again together.

use std::ops::RangeInclusive;

use weir_media::{
    codec::{FrameRate, opus},
    unit::{TIMESCALE, Timestamp, TrackConfig},
};

/// Seconds: a segment can end with each loop.
const LENGTH: RangeInclusive<f64> = 2.0..=3.0;

/// The length of the loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoopLength {
    pub(super) rate: FrameRate,
    pub(super) pictures: u32,
    /// The audio of at least as much time, within one unit.
    pub(super) audio_units: u32,
}

impl LoopLength {
    /// For so many pictures a second, and audio like this.
    pub(super) fn choose(rate: FrameRate, audio: Option<&TrackConfig>) -> Self {
        let unit = audio.and_then(AudioUnit::of);
        let least = (LENGTH.start() * rate.as_f64()).ceil().max(1.0) as u32;
        let most = (LENGTH.end() * rate.as_f64()).floor() as u32;
        let length = |pictures| Self {
            rate,
            pictures,
            audio_units: 0,
        };
        // The shortest of the best.
        let chosen = (least..=most.max(least))
            .map(length)
            .min_by_key(|length| {
                let together = unit.is_none_or(|unit| length.is_whole(unit.samples, unit.rate));
                (!length.is_whole(1, TIMESCALE), !together, length.pictures)
            })
            .unwrap_or(length(least));
        let audio_units = unit.map_or(0, |unit| {
            let (length, per_second) = chosen.as_fraction();
            let samples = length * u128::from(unit.rate);
            samples.div_ceil(per_second * u128::from(unit.samples)) as u32
        });
        Self {
            audio_units,
            ..chosen
        }
    }

    /// When a picture is shown, by its number.
    pub(super) fn time_of(&self, number: u32) -> Timestamp {
        let ticks = u128::from(number) * u128::from(self.rate.denominator) * u128::from(TIMESCALE);
        let rate = u128::from(self.rate.numerator.max(1));
        Timestamp(((ticks + rate / 2) / rate) as i64)
    }

    /// In seconds.
    fn as_fraction(&self) -> (u128, u128) {
        let length = u128::from(self.pictures) * u128::from(self.rate.denominator);
        (length, u128::from(self.rate.numerator.max(1)))
    }

    /// Whether it is a whole number of so many samples, of so many a second.
    fn is_whole(&self, samples: u32, rate: u32) -> bool {
        let (length, per_second) = self.as_fraction();
        (length * u128::from(rate)).is_multiple_of(per_second * u128::from(samples))
    }
}

/// The units that silence is made of.
#[derive(Clone, Copy)]
struct AudioUnit {
    samples: u32,
    rate: u32,
}

impl AudioUnit {
    fn of(config: &TrackConfig) -> Option<Self> {
        let rate = match config {
            TrackConfig::Aac(aac) => aac.sample_rate,
            TrackConfig::Opus(_) => opus::SAMPLE_RATE,
            _ => return None,
        };
        let samples = config.usual_audio_samples()?;
        Some(Self { samples, rate })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use weir_media::codec::{AacConfig, OpusConfig};

    use super::*;

    #[test]
    fn both_loops_are_as_long_where_that_can_be() {
        let aac = |asc: &'static [u8]| {
            TrackConfig::Aac(AacConfig::parse(Bytes::from_static(asc)).unwrap())
        };
        let aac_48k = aac(&[0x11, 0x90]);
        let aac_44k = aac(&[0x12, 0x10]);
        let head = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
        let opus = TrackConfig::Opus(OpusConfig::parse(Bytes::from_static(head)).unwrap());
        let check = |(numerator, denominator), audio: Option<&TrackConfig>, expected| {
            let rate = FrameRate {
                numerator,
                denominator,
            };
            let chosen = LoopLength::choose(rate, audio);
            let ticks = chosen.time_of(chosen.pictures).0;
            assert_eq!(
                (chosen.pictures, ticks, chosen.audio_units),
                expected,
                "{rate:?} {audio:?}"
            );
        };
        check((30, 1), None, (60, 180_000, 0));
        check((30, 1), Some(&aac_48k), (64, 192_000, 100));
        check((25, 1), Some(&aac_48k), (56, 201_600, 105));
        check((30, 1), Some(&opus), (60, 180_000, 100));
        check((24, 1), Some(&opus), (48, 180_000, 100));
        // No length below 17 s is a whole number of both.
        check((30, 1), Some(&aac_44k), (60, 180_000, 87));
        check((30_000, 1001), Some(&aac_48k), (60, 180_180, 94));
        // Only every fourth picture is at a whole tick.
        check((24_000, 1001), Some(&opus), (48, 180_180, 101));
        check((1, 1), Some(&opus), (2, 180_000, 100));
        check((1, 10), None, (1, 900_000, 0));
    }
}
