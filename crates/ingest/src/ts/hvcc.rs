//! An HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1) out of parameter sets.

use bytes::{BufMut, Bytes, BytesMut};
use weir_media::codec::hevc::nal_type;

/// general_profile_space to general_level_idc.
const PROFILE_LEN: usize = 12;
/// NAL unit header, and what stands in a sequence parameter set before the profile.
const BEFORE_PROFILE: usize = 3;

/// The record of one parameter set of each kind, as NAL units without start code or length.
/// `None` if the sequence parameter set can't be read.
pub(super) fn record(vps: &[u8], sps: &[u8], pps: &[u8]) -> Option<Bytes> {
    let plain = without_emulation_prevention(sps);
    let layers = plain.get(2)? >> 1 & 7;
    let nested = plain.get(2)? & 1;
    let profile = plain.get(BEFORE_PROFILE..BEFORE_PROFILE + PROFILE_LEN)?;
    let format = Format::parse(layers, plain.get(BEFORE_PROFILE + PROFILE_LEN..)?)?;
    let mut record = BytesMut::with_capacity(vps.len() + sps.len() + pps.len() + 40);
    record.put_u8(1);
    record.put_slice(profile);
    // Reserved bits are ones; nothing is known of segmentation and parallelism.
    record.put_slice(&[0xf0, 0, 0xfc]);
    record.put_u8(0xfc | format.chroma_format_idc);
    record.put_u8(0xf8 | format.bit_depth_luma_minus8);
    record.put_u8(0xf8 | format.bit_depth_chroma_minus8);
    // No frame rate; lengths of four bytes.
    record.put_u16(0);
    record.put_u8((layers + 1) << 3 | nested << 2 | 3);
    record.put_u8(3);
    for (kind, set) in [
        (nal_type::VPS, vps),
        (nal_type::SPS, sps),
        (nal_type::PPS, pps),
    ] {
        record.put_u8(0x80 | kind);
        record.put_u16(1);
        record.put_u16(u16::try_from(set.len()).ok()?);
        record.put_slice(set);
    }
    Some(record.freeze())
}

/// What the record repeats of the sequence parameter set (ISO/IEC 23008-2 section 7.3.2.2).
struct Format {
    chroma_format_idc: u8,
    bit_depth_luma_minus8: u8,
    bit_depth_chroma_minus8: u8,
}

impl Format {
    /// `rest` is what follows the general profile and level.
    fn parse(layers: u8, rest: &[u8]) -> Option<Self> {
        const SUB_LAYER_PROFILE_BITS: usize = 88;
        const SUB_LAYER_LEVEL_BITS: usize = 8;
        let mut bits = Bits { bytes: rest, at: 0 };
        if layers > 0 {
            let mut skipped = 0;
            for layer in 0..8 {
                let (has_profile, has_level) = (bits.bit()?, bits.bit()?);
                if layer < layers {
                    skipped += usize::from(has_profile) * SUB_LAYER_PROFILE_BITS;
                    skipped += usize::from(has_level) * SUB_LAYER_LEVEL_BITS;
                }
            }
            bits.at += skipped;
        }
        let _id = bits.exp_golomb()?;
        let chroma_format_idc = bits.exp_golomb()?;
        if chroma_format_idc == 3 {
            let _separate_colour_planes = bits.bit()?;
        }
        let (_width, _height) = (bits.exp_golomb()?, bits.exp_golomb()?);
        if bits.bit()? {
            for _ in 0..4 {
                bits.exp_golomb()?;
            }
        }
        let (luma, chroma) = (bits.exp_golomb()?, bits.exp_golomb()?);
        let fits = chroma_format_idc <= 3 && luma <= 7 && chroma <= 7;
        fits.then_some(Self {
            chroma_format_idc: chroma_format_idc as u8,
            bit_depth_luma_minus8: luma as u8,
            bit_depth_chroma_minus8: chroma as u8,
        })
    }
}

/// The payload of a NAL unit: the threes that keep start codes from appearing are taken out.
fn without_emulation_prevention(nal: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// ue(v), of up to 16 bits.
    fn exp_golomb(&mut self) -> Option<u32> {
        const MAX_ZEROS: u32 = 16;
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > MAX_ZEROS {
                return None;
            }
        }
        let mut value = 1u32;
        for _ in 0..zeros {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value - 1)
    }
}
