//! H.264 as its AVCDecoderConfigurationRecord tells it (ISO/IEC 14496-15 section 5.3.3.1).

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::{
    picture::{Colour, FrameRate, Picture, PixelAspect},
    sps::Sps,
};

/// NAL unit types of ISO/IEC 14496-10 table 7-1 that a packager tells apart.
pub mod nal_type {
    /// Coded slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Supplemental enhancement information.
    pub const SEI: u8 = 6;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const AUD: u8 = 9;
    /// Filler data.
    pub const FILLER: u8 = 12;
}

/// Longest record taken, in bytes. Real ones have about 50.
pub const MAX_RECORD_LEN: usize = 4096;

/// A record that cannot be packaged.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidAvc {
    /// Longer than [`MAX_RECORD_LEN`].
    #[error("an AVC configuration record of {0} bytes is longer than {MAX_RECORD_LEN}")]
    TooLong(usize),
    /// The record ends before what it announces.
    #[error("the AVC configuration record ends early, after {0} bytes")]
    Truncated(usize),
    /// Only version 1 exists.
    #[error("AVC configuration record version {0} is unknown")]
    Version(u8),
    /// Units must be prefixed with four bytes of length, as every encoder that streams does.
    #[error("NAL units with {0}-byte lengths are not supported, only 4-byte ones")]
    NalLengthSize(u8),
    /// There is nothing to decode with.
    #[error("the AVC configuration record holds no sequence parameter set")]
    NoSps,
    /// There is nothing to decode with.
    #[error("the AVC configuration record holds no picture parameter set")]
    NoPps,
    /// The sequence parameter set is cut short or holds forbidden values.
    #[error("the sequence parameter set of {0} bytes cannot be read")]
    Sps(usize),
}

/// H.264 in length-prefixed NAL units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvcConfig {
    /// The record, as it goes into `avcC`.
    pub record: Bytes,
    /// Coded width in pixels, after cropping.
    pub width: u32,
    /// Coded height in pixels, after cropping.
    pub height: u32,
    /// Shape of a pixel; square when not told.
    pub pixel_aspect: Option<PixelAspect>,
    /// Nominal frame rate, when the stream tells a believable one.
    pub frame_rate: Option<FrameRate>,
    /// Colour description, when the stream tells one.
    pub colour: Option<Colour>,
}

impl AvcConfig {
    /// Reads a record.
    ///
    /// # Errors
    /// Refuses records that are cut short, unreasonably long, without parameter sets, with an
    /// unreadable sequence parameter set, or with NAL lengths of other than four bytes.
    pub fn parse(record: Bytes) -> Result<Self, InvalidAvc> {
        if record.len() > MAX_RECORD_LEN {
            return Err(InvalidAvc::TooLong(record.len()));
        }
        let truncated = InvalidAvc::Truncated(record.len());
        let [version, _, _, _, lengths, ..] = record[..] else {
            return Err(truncated);
        };
        if version != 1 {
            return Err(InvalidAvc::Version(version));
        }
        let nal_length_size = (lengths & 3) + 1;
        if nal_length_size != 4 {
            return Err(InvalidAvc::NalLengthSize(nal_length_size));
        }
        let mut rest = &record[5..];
        let sps = take_parameter_sets(&mut rest, 0x1f).ok_or(truncated)?;
        let pps = take_parameter_sets(&mut rest, 0xff).ok_or(truncated)?;
        let sps = sps.ok_or(InvalidAvc::NoSps)?;
        pps.ok_or(InvalidAvc::NoPps)?;
        let Sps {
            width,
            height,
            pixel_aspect,
            frame_rate,
            colour,
            ..
        } = Sps::parse(sps).ok_or(InvalidAvc::Sps(sps.len()))?;
        Ok(Self {
            record,
            width,
            height,
            pixel_aspect,
            frame_rate,
            colour,
        })
    }

    /// Makes a record of one sequence and one picture parameter set, both NAL units without
    /// start code or length.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_parameter_sets(sps: &[u8], pps: &[u8]) -> Result<Self, InvalidAvc> {
        let [_, profile, compatibility, level, ..] = *sps else {
            return Err(InvalidAvc::Sps(sps.len()));
        };
        let longest = sps.len().max(pps.len());
        if longest > MAX_RECORD_LEN {
            return Err(InvalidAvc::TooLong(longest));
        }
        if pps.is_empty() {
            return Err(InvalidAvc::NoPps);
        }
        let mut record = BytesMut::with_capacity(sps.len() + pps.len() + 15);
        // Reserved bits are ones; lengths of 4 bytes; one SPS; one PPS.
        record.put_slice(&[1, profile, compatibility, level, 0xff, 0xe1]);
        record.put_u16(sps.len() as u16);
        record.put_slice(sps);
        record.put_u8(1);
        record.put_u16(pps.len() as u16);
        record.put_slice(pps);
        if matches!(profile, 100 | 110 | 122 | 144) {
            let format = Sps::parse(sps).ok_or(InvalidAvc::Sps(sps.len()))?.format;
            record.put_u8(0xfc | format.chroma_format_idc);
            record.put_u8(0xf8 | format.bit_depth_luma_minus8);
            record.put_u8(0xf8 | format.bit_depth_chroma_minus8);
            record.put_u8(0); // no SPS extensions
        }
        Self::parse(record.freeze())
    }

    /// The parameter sets of the record, sequence first, as NAL units without length.
    pub fn parameter_sets(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.record.get(5..).unwrap_or_default();
        let mut sets = Vec::new();
        for count_mask in [0x1f, 0xff] {
            let count = rest.first().map_or(0, |count| count & count_mask);
            rest = rest.get(1..).unwrap_or_default();
            for _ in 0..count {
                let Some(set) = take_parameter_set(&mut rest) else {
                    break;
                };
                sets.push(set);
            }
        }
        sets.into_iter()
    }

    /// The codec as RFC 6381 and ISO/IEC 14496-15 annex E write it, such as `avc1.64001f`.
    pub fn rfc6381(&self) -> String {
        let byte = |i: usize| self.record.get(i).copied().unwrap_or_default();
        format!("avc1.{:02x}{:02x}{:02x}", byte(1), byte(2), byte(3))
    }

    /// What the sequence parameter set tells.
    pub fn picture(&self) -> Picture {
        Picture {
            width: self.width,
            height: self.height,
            pixel_aspect: self.pixel_aspect,
            frame_rate: self.frame_rate,
            colour: self.colour,
        }
    }

    /// Width in square pixels, as a viewer sees it.
    pub fn display_width(&self) -> u32 {
        self.picture().display_width()
    }
}

/// Takes a count and so many parameter sets; answers the first. `None` at the end of data.
fn take_parameter_sets<'a>(rest: &mut &'a [u8], count_mask: u8) -> Option<Option<&'a [u8]>> {
    let (count, sets) = rest.split_first()?;
    *rest = sets;
    let mut first = None;
    for _ in 0..count & count_mask {
        let set = take_parameter_set(rest)?;
        first.get_or_insert(set);
    }
    Some(first)
}

fn take_parameter_set<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk::<2>()?;
    let (set, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    *rest = after;
    Some(set)
}

#[cfg(test)]
#[path = "avc_tests.rs"]
mod tests;
