//! Writing an HEVCDecoderConfigurationRecord, for streams that bring bare parameter sets.

use bytes::{BufMut, Bytes, BytesMut};

use super::{nal_type, sps::Sps};
use crate::codec::bits::without_emulation_prevention;

/// general_profile_space to general_level_idc, in bytes.
const PROFILE_LEN: usize = 12;
/// NAL unit header, and what stands in a sequence parameter set before the profile, in bytes.
const BEFORE_PROFILE: usize = 3;

/// The record of one parameter set of each kind, as NAL units without start code or length.
/// `None` if the sequence parameter set cannot be read, or one is longer than 65,535 bytes.
pub(super) fn write(vps: &[u8], sps: &[u8], pps: &[u8]) -> Option<Bytes> {
    let told = Sps::parse(sps)?;
    let payload = without_emulation_prevention(sps);
    let profile = payload.get(BEFORE_PROFILE..BEFORE_PROFILE + PROFILE_LEN)?;
    let mut record = BytesMut::with_capacity(vps.len() + sps.len() + pps.len() + 40);
    record.put_u8(1);
    record.put_slice(profile);
    // Reserved bits are ones; nothing is known of segmentation and parallelism.
    record.put_slice(&[0xf0, 0, 0xfc]);
    record.put_u8(0xfc | told.chroma_format_idc);
    record.put_u8(0xf8 | told.bit_depth_luma_minus8);
    record.put_u8(0xf8 | told.bit_depth_chroma_minus8);
    // No frame rate; lengths of four bytes.
    record.put_u16(0);
    let nested = u8::from(told.temporal_id_nesting);
    record.put_u8((told.sub_layers_minus1 + 1) << 3 | nested << 2 | 3);
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
