//! AAC as its AudioSpecificConfig tells it (ISO/IEC 14496-3 section 1.6.2.1).

use bytes::Bytes;
use thiserror::Error;

use super::bits::Bits;

/// Samples in a frame of AAC-LC.
pub const SAMPLES_PER_FRAME: u32 = 1024;

/// Longest AudioSpecificConfig taken, in bytes. Real ones have 2 to 5.
pub const MAX_ASC_LEN: usize = 64;

/// An AudioSpecificConfig that cannot be packaged.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidAac {
    /// Longer than [`MAX_ASC_LEN`].
    #[error("an AudioSpecificConfig of {0} bytes is longer than {MAX_ASC_LEN}")]
    TooLong(usize),
    /// It ends before what it announces.
    #[error("the AudioSpecificConfig ends early, after {0} bytes")]
    Truncated(usize),
    /// Only AAC-LC, and HE-AAC around it, are taken.
    #[error("MPEG-4 audio object type {0} is not supported, only AAC-LC and HE-AAC")]
    ObjectType(u8),
    /// A reserved index or a rate out of range.
    #[error("AAC sampling rate {0} Hz is not supported")]
    SampleRate(u32),
    /// Layouts in a program config element, and reserved ones.
    #[error("AAC channel configuration {0} is not supported")]
    Channels(u8),
    /// Frames of 960 samples, which browsers don't play.
    #[error("AAC frames of 960 samples are not supported")]
    ShortFrames,
}

/// MPEG-4 AAC in raw frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AacConfig {
    /// The AudioSpecificConfig.
    pub asc: Bytes,
    /// Audio object type as signalled: 2 AAC-LC, 5 HE-AAC, 29 HE-AAC v2.
    pub object_type: u8,
    /// Samples per second of the core coder. A frame has [`SAMPLES_PER_FRAME`] of these.
    pub sample_rate: u32,
    /// Channels of the core coder.
    pub channels: u8,
}

impl AacConfig {
    /// Reads an AudioSpecificConfig.
    ///
    /// # Errors
    /// Refuses what is cut short, other object types than AAC-LC and HE-AAC, reserved rates and
    /// layouts, and frames of 960 samples.
    pub fn parse(asc: Bytes) -> Result<Self, InvalidAac> {
        if asc.len() > MAX_ASC_LEN {
            return Err(InvalidAac::TooLong(asc.len()));
        }
        let truncated = InvalidAac::Truncated(asc.len());
        let mut bits = Bits::new(&asc);
        let object_type = object_type(&mut bits).ok_or(truncated)?;
        let sample_rate = sample_rate(&mut bits).ok_or(truncated)??;
        let channels = bits.number(4).ok_or(truncated)? as u8;
        let core_type = match object_type {
            AAC_LC => AAC_LC,
            SBR | PS => {
                self::sample_rate(&mut bits).ok_or(truncated)??;
                self::object_type(&mut bits).ok_or(truncated)?
            }
            other => return Err(InvalidAac::ObjectType(other)),
        };
        if core_type != AAC_LC {
            return Err(InvalidAac::ObjectType(core_type));
        }
        let frame_length_flag = bits.bit().ok_or(truncated)?;
        if frame_length_flag {
            return Err(InvalidAac::ShortFrames);
        }
        let channels = match channels {
            1..=6 => channels,
            7 => 8,
            other => return Err(InvalidAac::Channels(other)),
        };
        Ok(Self {
            asc,
            object_type,
            sample_rate,
            channels,
        })
    }

    /// The codec as RFC 6381 section 3.3 writes it, such as `mp4a.40.2`.
    pub fn rfc6381(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }
}

const AAC_LC: u8 = 2;
const SBR: u8 = 5;
const PS: u8 = 29;

/// GetAudioObjectType of table 1.16.
fn object_type(bits: &mut Bits<'_>) -> Option<u8> {
    const ESCAPE: u32 = 31;
    let value = match bits.number(5)? {
        ESCAPE => 32 + bits.number(6)?,
        value => value,
    };
    Some(value as u8)
}

/// samplingFrequencyIndex of table 1.18, or the rate itself. The outer `Option` is the end of
/// data.
fn sample_rate(bits: &mut Bits<'_>) -> Option<Result<u32, InvalidAac>> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8_000, 7_350,
    ];
    const ESCAPE: u32 = 15;
    let rate = match bits.number(4)? {
        ESCAPE => bits.number(24)?,
        index => RATES.get(index as usize).copied().unwrap_or(0),
    };
    Some(if (7_350..=96_000).contains(&rate) {
        Ok(rate)
    } else {
        Err(InvalidAac::SampleRate(rate))
    })
}

#[cfg(test)]
#[path = "aac_tests.rs"]
mod tests;
