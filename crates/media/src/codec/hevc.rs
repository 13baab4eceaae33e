//! HEVC as its HEVCDecoderConfigurationRecord tells it (ISO/IEC 14496-15 section 8.3.3.1).

mod record;
mod sps;

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use self::sps::Sps;
use super::picture::Picture;

/// NAL unit types of ISO/IEC 23008-2 table 7-1 that a packager tells apart.
pub mod nal_type {
    /// Broken link with leading pictures that can be decoded.
    pub const BLA_W_RADL: u8 = 17;
    /// Broken link without leading pictures.
    pub const BLA_N_LP: u8 = 18;
    /// IDR picture with leading pictures that can be decoded.
    pub const IDR_W_RADL: u8 = 19;
    /// IDR picture without leading pictures.
    pub const IDR_N_LP: u8 = 20;
    /// Video parameter set.
    pub const VPS: u8 = 32;
    /// Sequence parameter set.
    pub const SPS: u8 = 33;
    /// Picture parameter set.
    pub const PPS: u8 = 34;

    /// The type of a NAL unit that begins with `first`.
    pub const fn of(first: u8) -> u8 {
        first >> 1 & 0x3f
    }

    /// Whether a picture of this type begins a closed GOP: everything from it on can be decoded
    /// and shown. A CRA picture, and a broken link with pictures that are skipped, does not; an
    /// encoder that writes open GOPs has an IDR picture at its start alone.
    pub const fn starts_closed_gop(nal_type: u8) -> bool {
        matches!(nal_type, BLA_W_RADL | BLA_N_LP | IDR_W_RADL | IDR_N_LP)
    }
}

/// Longest record taken, in bytes. Real ones have about 120, or 2,000 with x265's own remarks.
pub const MAX_RECORD_LEN: usize = 16 * 1024;

/// Bytes before the arrays of parameter sets.
const HEADER_LEN: usize = 23;
/// Which of them holds lengthSizeMinusOne, in its lowest two bits.
pub const NAL_LENGTH_SIZE_AT: usize = 21;

/// A record that cannot be packaged.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidHevc {
    /// Longer than [`MAX_RECORD_LEN`].
    #[error("an HEVC configuration record of {0} bytes is longer than {MAX_RECORD_LEN}")]
    TooLong(usize),
    /// The record ends before what it announces.
    #[error("the HEVC configuration record ends early, after {0} bytes")]
    Truncated(usize),
    /// Only version 1 exists.
    #[error("HEVC configuration record version {0} is unknown")]
    Version(u8),
    /// Units must be prefixed with four bytes of length.
    #[error("NAL units with {0}-byte lengths are not supported, only 4-byte ones")]
    NalLengthSize(u8),
    /// A decoder needs one of each kind.
    #[error("the HEVC configuration record holds no parameter set of type {0}")]
    MissingSet(u8),
    /// The sequence parameter set is cut short or holds forbidden values.
    #[error("the sequence parameter set of {0} bytes cannot be read")]
    Sps(usize),
}

/// HEVC in length-prefixed NAL units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HevcConfig {
    /// The record, as it goes into `hvcC`: its arrays of parameter sets are marked as complete, as
    /// `hvc1` asks.
    pub record: Bytes,
    /// What the sequence parameter set tells.
    pub picture: Picture,
}

impl HevcConfig {
    /// Reads a record.
    ///
    /// # Errors
    /// Refuses records that are cut short, unreasonably long, without parameter sets, with an
    /// unreadable sequence parameter set, or with NAL lengths of other than four bytes.
    pub fn parse(record: Bytes) -> Result<Self, InvalidHevc> {
        if record.len() > MAX_RECORD_LEN {
            return Err(InvalidHevc::TooLong(record.len()));
        }
        let truncated = InvalidHevc::Truncated(record.len());
        let version = *record.first().ok_or(truncated)?;
        if version != 1 {
            return Err(InvalidHevc::Version(version));
        }
        let lengths = *record.get(NAL_LENGTH_SIZE_AT).ok_or(truncated)?;
        let nal_length_size = (lengths & 3) + 1;
        if nal_length_size != 4 {
            return Err(InvalidHevc::NalLengthSize(nal_length_size));
        }
        let mut normal = BytesMut::from(&record[..]);
        let len = mark_complete(&mut normal).ok_or(truncated)?;
        normal.truncate(len);
        let mut config = Self {
            record: normal.freeze(),
            picture: Picture {
                width: 0,
                height: 0,
                pixel_aspect: None,
                frame_rate: None,
                colour: None,
            },
        };
        let first = |nal_type| {
            let mut sets = config.parameter_sets();
            sets.find(|set| nal_type::of(set[0]) == nal_type)
                .ok_or(InvalidHevc::MissingSet(nal_type))
        };
        first(nal_type::VPS)?;
        first(nal_type::PPS)?;
        let sps = first(nal_type::SPS)?;
        config.picture = Sps::parse(sps).ok_or(InvalidHevc::Sps(sps.len()))?.picture;
        Ok(config)
    }

    /// Of one parameter set of each kind, as NAL units without start code or length.
    ///
    /// # Errors
    /// Refuses a sequence parameter set that cannot be read, and whatever [`parse`](Self::parse)
    /// does.
    pub fn from_parameter_sets(vps: &[u8], sps: &[u8], pps: &[u8]) -> Result<Self, InvalidHevc> {
        let record = record::write(vps, sps, pps).ok_or(InvalidHevc::Sps(sps.len()))?;
        Self::parse(record)
    }

    /// The NAL units of the record, without length, in its order.
    pub fn parameter_sets(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.record.get(HEADER_LEN..).unwrap_or_default();
        let mut left_in_array = 0;
        std::iter::from_fn(move || {
            loop {
                while left_in_array == 0 {
                    let (_, sets, after) = take_array_header(rest)?;
                    left_in_array = sets;
                    rest = after;
                }
                let (set, after) = take_set(rest)?;
                left_in_array -= 1;
                rest = after;
                if !set.is_empty() {
                    return Some(set);
                }
            }
        })
    }

    /// The codec as RFC 6381 and ISO/IEC 14496-15 section E.3 write it, such as
    /// `hvc1.1.6.L93.B0`.
    pub fn rfc6381(&self) -> String {
        let Some([_, profile, compatibility @ .., level]) = self.record.first_chunk::<13>() else {
            return "hvc1".to_owned();
        };
        let (flags, constraints) = compatibility.split_at(4);
        let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
        let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
        // The compatibility flags in reverse order of bits.
        let flags = flags
            .iter()
            .fold(0, |all, byte| all << 8 | u32::from(*byte));
        let mut codec = format!(
            "hvc1.{space}{}.{:X}.{tier}{level}",
            profile & 0x1f,
            flags.reverse_bits()
        );
        let told = constraints.iter().rposition(|&byte| byte != 0);
        for byte in told.map_or(&[][..], |last| &constraints[..=last]) {
            codec.push_str(&format!(".{byte:X}"));
        }
        codec
    }
}

/// Sets array_completeness of every array of parameter sets: what the samples of a `hvc1` track
/// need is in the record. Answers where the last one ends; `None` if that is past the end of data.
fn mark_complete(record: &mut [u8]) -> Option<usize> {
    const ARRAY_COMPLETENESS: u8 = 0x80;
    let arrays = *record.get(HEADER_LEN - 1)?;
    let mut at = HEADER_LEN;
    for _ in 0..arrays {
        let (len, sets, mut rest) = take_array_header(record.get(at..)?)?;
        let start = rest.len();
        for _ in 0..sets {
            rest = take_set(rest)?.1;
        }
        let used = len + start - rest.len();
        if matches!(record[at] & 0x3f, nal_type::VPS..=nal_type::PPS) {
            record[at] |= ARRAY_COMPLETENESS;
        }
        at += used;
    }
    Some(at)
}

/// Takes NAL_unit_type and numNalus; answers the bytes they take, numNalus, and what follows.
fn take_array_header(data: &[u8]) -> Option<(usize, u16, &[u8])> {
    let ([_, high, low], after) = data.split_first_chunk::<3>()?;
    Some((3, u16::from_be_bytes([*high, *low]), after))
}

fn take_set(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, after) = data.split_first_chunk::<2>()?;
    after.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

#[cfg(test)]
#[path = "hevc_tests.rs"]
mod tests;
