//! Video usability information: the fields that H.264 (ISO/IEC 14496-10 section E.1.1) and HEVC
//! (ISO/IEC 23008-2 section E.2.1) begin it with alike.

use super::{
    bits::Bits,
    picture::{Colour, PixelAspect},
};

/// Reads the sample aspect ratio. The outer `Option` is the end of data; `Some(None)` is not
/// told.
pub(super) fn read_aspect(bits: &mut Bits<'_>) -> Option<Option<PixelAspect>> {
    if !bits.bit()? {
        return Some(None);
    }
    const TABLE: [(u16, u16); 16] = [
        (1, 1),
        (12, 11),
        (10, 11),
        (16, 11),
        (40, 33),
        (24, 11),
        (20, 11),
        (32, 11),
        (80, 33),
        (18, 11),
        (15, 11),
        (64, 33),
        (160, 99),
        (4, 3),
        (3, 2),
        (2, 1),
    ];
    const EXTENDED_SAR: u32 = 255;
    let (horizontal, vertical) = match bits.number(8)? {
        EXTENDED_SAR => (bits.number(16)? as u16, bits.number(16)? as u16),
        idc @ 1..=16 => TABLE[idc as usize - 1],
        _ => (0, 0),
    };
    let told = horizontal > 0 && vertical > 0;
    Some(told.then_some(PixelAspect {
        horizontal,
        vertical,
    }))
}

/// Reads overscan and colour, likewise.
pub(super) fn read_colour(bits: &mut Bits<'_>) -> Option<Option<Colour>> {
    if bits.bit()? {
        bits.skip(1)?; // overscan_appropriate_flag
    }
    if !bits.bit()? {
        return Some(None);
    }
    bits.skip(3)?; // video_format
    let full_range = bits.bit()?;
    if !bits.bit()? {
        return Some(None);
    }
    let mut byte = || bits.number(8).map(|value| value as u8);
    Some(Some(Colour {
        primaries: byte()?,
        transfer: byte()?,
        matrix: byte()?,
        full_range,
    }))
}

/// Passes over where chroma samples lie.
pub(super) fn skip_chroma_location(bits: &mut Bits<'_>) -> Option<()> {
    if bits.bit()? {
        bits.unsigned_exp_golomb()?; // chroma_sample_loc_type_top_field
        bits.unsigned_exp_golomb()?; // chroma_sample_loc_type_bottom_field
    }
    Some(())
}
