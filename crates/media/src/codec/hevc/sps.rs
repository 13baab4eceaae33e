//! The HEVC sequence parameter set (ISO/IEC 23008-2 section 7.3.2.2.1), as far as a packager
//! needs it.

use crate::codec::{
    bits::{Bits, without_emulation_prevention},
    picture::{FrameRate, Picture},
    vui,
};

/// Level 7.2 allows pictures of 16,888 a side; what is larger than this nobody encodes.
const MAX_SIDE: u32 = 16_384;
/// Section 7.4.3.2.1 bounds num_short_term_ref_pic_sets ...
const MAX_SHORT_TERM_SETS: u32 = 64;
/// ... sps_max_dec_pic_buffering_minus1, and with it the pictures in a set ...
const MAX_REFERENCES: usize = 16;
/// ... and num_long_term_ref_pics_sps.
const MAX_LONG_TERM: u32 = 32;

/// What a sequence parameter set tells.
pub(super) struct Sps {
    pub(super) picture: Picture,
    pub(super) sub_layers_minus1: u8,
    pub(super) temporal_id_nesting: bool,
    pub(super) chroma_format_idc: u8,
    pub(super) bit_depth_luma_minus8: u8,
    pub(super) bit_depth_chroma_minus8: u8,
}

impl Sps {
    /// Parses a NAL unit, header included. `None` when it ends early or holds values the standard
    /// forbids.
    pub(super) fn parse(nal: &[u8]) -> Option<Self> {
        let payload = without_emulation_prevention(nal.get(2..)?);
        let mut bits = Bits::new(&payload);
        bits.skip(4)?; // sps_video_parameter_set_id
        let sub_layers_minus1 = bits.number(3)?;
        let temporal_id_nesting = bits.bit()?;
        skip_profile_tier_level(&mut bits, sub_layers_minus1)?;
        bits.unsigned_exp_golomb()?; // sps_seq_parameter_set_id
        let chroma_format_idc = bits.unsigned_exp_golomb().filter(|&idc| idc <= 3)?;
        if chroma_format_idc == 3 {
            bits.skip(1)?; // separate_colour_plane_flag: crops in whole pixels either way
        }
        let coded_width = bits.unsigned_exp_golomb()?;
        let coded_height = bits.unsigned_exp_golomb()?;
        let (mut width, mut height) = (coded_width, coded_height);
        if bits.bit()? {
            // Table 6-1.
            let (unit_x, unit_y) = match chroma_format_idc {
                1 => (2, 2),
                2 => (2, 1),
                _ => (1, 1),
            };
            let mut edge = || bits.unsigned_exp_golomb();
            let (left, right, top, bottom) = (edge()?, edge()?, edge()?, edge()?);
            let crop = |a: u32, b: u32, unit: u32| a.checked_add(b)?.checked_mul(unit);
            width = width.checked_sub(crop(left, right, unit_x)?)?;
            height = height.checked_sub(crop(top, bottom, unit_y)?)?;
        }
        if width == 0 || height == 0 || coded_width > MAX_SIDE || coded_height > MAX_SIDE {
            return None;
        }
        let mut bit_depth = || {
            let minus8 = bits.unsigned_exp_golomb().filter(|&bits| bits <= 7)?;
            u8::try_from(minus8).ok()
        };
        let (bit_depth_luma_minus8, bit_depth_chroma_minus8) = (bit_depth()?, bit_depth()?);
        let mut picture = Picture {
            width,
            height,
            pixel_aspect: None,
            frame_rate: None,
            colour: None,
        };
        // What follows describes; nothing is decoded by what is read here.
        if skip_to_vui(&mut bits, sub_layers_minus1) == Some(true) {
            let _ = read_vui(&mut bits, &mut picture);
        }
        Some(Self {
            picture,
            sub_layers_minus1: sub_layers_minus1 as u8,
            temporal_id_nesting,
            chroma_format_idc: chroma_format_idc as u8,
            bit_depth_luma_minus8,
            bit_depth_chroma_minus8,
        })
    }
}

/// Section 7.3.3, with profilePresentFlag.
fn skip_profile_tier_level(bits: &mut Bits<'_>, sub_layers_minus1: u32) -> Option<()> {
    const PROFILE: usize = 88;
    const LEVEL: usize = 8;
    bits.skip(PROFILE + LEVEL)?;
    let mut present = Vec::with_capacity(8);
    for _ in 0..sub_layers_minus1 {
        present.push((bits.bit()?, bits.bit()?));
    }
    if sub_layers_minus1 > 0 {
        bits.skip(2 * (8 - sub_layers_minus1 as usize))?; // reserved_zero_2bits
    }
    for (profile, level) in present {
        bits.skip(if profile { PROFILE } else { 0 } + if level { LEVEL } else { 0 })?;
    }
    Some(())
}

/// From log2_max_pic_order_cnt_lsb_minus4 to vui_parameters_present_flag, which it answers.
fn skip_to_vui(bits: &mut Bits<'_>, sub_layers_minus1: u32) -> Option<bool> {
    let poc_lsb_bits = bits.unsigned_exp_golomb().filter(|&bits| bits <= 12)? + 4;
    let ordering_infos = if bits.bit()? {
        sub_layers_minus1 + 1
    } else {
        1
    };
    for _ in 0..3 * ordering_infos {
        bits.unsigned_exp_golomb()?; // sps_max_dec_pic_buffering_minus1 and two more
    }
    for _ in 0..6 {
        bits.unsigned_exp_golomb()?; // sizes of coding and transform blocks, hierarchy depths
    }
    if bits.bit()? && bits.bit()? {
        skip_scaling_lists(bits)?;
    }
    bits.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.bit()? {
        bits.skip(8)?; // pcm_sample_bit_depth_luma_minus1 and chroma
        bits.unsigned_exp_golomb()?; // log2_min_pcm_luma_coding_block_size_minus3
        bits.unsigned_exp_golomb()?; // log2_diff_max_min_pcm_luma_coding_block_size
        bits.skip(1)?; // pcm_loop_filter_disabled_flag
    }
    skip_short_term_sets(bits)?;
    if bits.bit()? {
        let pictures = bits.unsigned_exp_golomb()?;
        if pictures > MAX_LONG_TERM {
            return None;
        }
        for _ in 0..pictures {
            bits.skip(poc_lsb_bits as usize + 1)?;
        }
    }
    bits.skip(2)?; // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
    bits.bit()
}

/// Section 7.3.4.
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size_id in 0..4 {
        let matrices = if size_id == 3 { 2 } else { 6 };
        for _ in 0..matrices {
            if !bits.bit()? {
                bits.unsigned_exp_golomb()?; // scaling_list_pred_matrix_id_delta
                continue;
            }
            let coefficients = 64.min(1 << (4 + 2 * size_id));
            let dc = usize::from(size_id > 1);
            for _ in 0..dc + coefficients {
                bits.signed_exp_golomb()?;
            }
        }
    }
    Some(())
}

/// Every st_ref_pic_set (section 7.3.7). How long one is depends on the set before it: those that
/// are predicted have a flag for each of its pictures.
/// Answers the last set: differences in picture order to what is referred to, those before from
/// the nearest on, then those after, likewise.
fn skip_short_term_sets(bits: &mut Bits<'_>) -> Option<Vec<i64>> {
    let sets = bits.unsigned_exp_golomb()?;
    if sets > MAX_SHORT_TERM_SETS {
        return None;
    }
    let mut deltas: Vec<i64> = Vec::new();
    for index in 0..sets {
        deltas = if index > 0 && bits.bit()? {
            predicted_set(bits, &deltas)?
        } else {
            explicit_set(bits)?
        };
        if deltas.len() > MAX_REFERENCES {
            return None;
        }
    }
    Some(deltas)
}

/// Equations 7-61 and 7-62: the pictures of the set before, moved, and the one it belonged to.
fn predicted_set(bits: &mut Bits<'_>, reference: &[i64]) -> Option<Vec<i64>> {
    let back = bits.bit()?;
    let distance = i64::from(bits.unsigned_exp_golomb()?) + 1;
    let moved_by = if back { -distance } else { distance };
    let mut deltas = Vec::with_capacity(reference.len() + 1);
    for delta in reference.iter().copied().chain([0]) {
        let used_by_current = bits.bit()?;
        if (used_by_current || bits.bit()?) && delta + moved_by != 0 {
            deltas.push(delta + moved_by);
        }
    }
    deltas.sort_unstable_by_key(|delta| (*delta > 0, delta.abs()));
    Some(deltas)
}

fn explicit_set(bits: &mut Bits<'_>) -> Option<Vec<i64>> {
    let (before, after) = (bits.unsigned_exp_golomb()?, bits.unsigned_exp_golomb()?);
    if before.checked_add(after)? as usize > MAX_REFERENCES {
        return None;
    }
    let mut deltas = Vec::with_capacity((before + after) as usize);
    for (pictures, sign) in [(before, -1), (after, 1)] {
        let mut delta = 0;
        for _ in 0..pictures {
            delta += sign * (i64::from(bits.unsigned_exp_golomb()?) + 1);
            bits.skip(1)?; // used_by_curr_pic_flag
            deltas.push(delta);
        }
    }
    Some(deltas)
}

/// Video usability information, section E.2.1, up to the timing.
fn read_vui(bits: &mut Bits<'_>, picture: &mut Picture) -> Option<()> {
    picture.pixel_aspect = vui::read_aspect(bits)?;
    picture.colour = vui::read_colour(bits)?;
    vui::skip_chroma_location(bits)?;
    bits.skip(3)?; // neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
    if bits.bit()? {
        for _ in 0..4 {
            bits.unsigned_exp_golomb()?; // default display window
        }
    }
    if bits.bit()? {
        let units_in_tick = bits.number(32)?;
        let time_scale = bits.number(32)?;
        picture.frame_rate = FrameRate::of_ticks(units_in_tick.into(), time_scale);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No encoder at hand writes predicted sets; these bits are written by hand.
    #[test]
    fn reads_predicted_reference_sets() {
        let written = [
            "011", // two sets
            "010", "010", // the first: one picture before, one after
            "11", "11",  // at -1 and +1, both used
            "111", // the second: predicted, one back
            "111", // from -1, +1 and 0: -2, the picture itself (left out), -1
        ]
        .concat();
        let mut bytes = [0u8; 4];
        for (i, bit) in written.chars().enumerate() {
            bytes[i / 8] |= u8::from(bit == '1') << (7 - i % 8);
        }
        let mut bits = Bits::new(&bytes);
        assert_eq!(skip_short_term_sets(&mut bits), Some(vec![-1, -2]));
        let mut rest = Bits::new(&bytes);
        rest.skip(written.len()).unwrap();
        assert_eq!(bits.number(8), rest.number(8), "not a bit more was read");
    }
}
