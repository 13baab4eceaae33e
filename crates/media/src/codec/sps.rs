//! The H.264 sequence parameter set (ISO/IEC 14496-10 section 7.3.2.1.1), as far as a packager
//! needs it.

use super::{
    bits::{Bits, without_emulation_prevention},
    picture::{Colour, FrameRate, PixelAspect},
    vui,
};

/// How samples are stored, in the numbers that AVCDecoderConfigurationRecord repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SampleFormat {
    /// 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub(super) chroma_format_idc: u8,
    pub(super) bit_depth_luma_minus8: u8,
    pub(super) bit_depth_chroma_minus8: u8,
}

/// What a sequence parameter set tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sps {
    pub(super) format: SampleFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) pixel_aspect: Option<PixelAspect>,
    pub(super) frame_rate: Option<FrameRate>,
    pub(super) colour: Option<Colour>,
}

/// Level 6.2 allows 139,264 macroblocks; twice 8192 pixels a side is beyond any of them.
const MAX_SIDE: u32 = 16_384;
/// Section 7.4.2.1.1 bounds num_ref_frames_in_pic_order_cnt_cycle.
const MAX_POC_CYCLE: u32 = 255;

impl Sps {
    /// Parses a NAL unit, header byte included. `None` when it ends early or holds values the
    /// standard forbids.
    pub(super) fn parse(nal: &[u8]) -> Option<Self> {
        let payload = without_emulation_prevention(nal.get(1..)?);
        let mut bits = Bits::new(&payload);
        let profile = bits.number(8)?;
        bits.skip(16)?; // constraint flags, level_idc
        bits.unsigned_exp_golomb()?; // seq_parameter_set_id
        let format = if has_chroma_format(profile) {
            sample_format(&mut bits)?
        } else {
            SampleFormat::EIGHT_BIT_420
        };
        bits.unsigned_exp_golomb()?; // log2_max_frame_num_minus4
        skip_picture_order(&mut bits)?;
        bits.unsigned_exp_golomb()?; // max_num_ref_frames
        bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
        let width_mbs = bits.unsigned_exp_golomb()?.checked_add(1)?;
        let height_map_units = bits.unsigned_exp_golomb()?.checked_add(1)?;
        let frames_only = bits.bit()?;
        if !frames_only {
            bits.skip(1)?; // mb_adaptive_frame_field_flag
        }
        let fields = if frames_only { 1 } else { 2 };
        bits.skip(1)?; // direct_8x8_inference_flag
        // Table 6-1 and equations 7-19 to 7-22.
        let (unit_x, unit_y) = match format.chroma_format_idc {
            1 => (2, 2 * fields),
            2 => (2, fields),
            _ => (1, fields),
        };
        let coded_width = width_mbs.checked_mul(16)?;
        let coded_height = height_map_units.checked_mul(16 * fields)?;
        let (mut width, mut height) = (coded_width, coded_height);
        if bits.bit()? {
            let mut edge = || bits.unsigned_exp_golomb();
            let (left, right, top, bottom) = (edge()?, edge()?, edge()?, edge()?);
            let crop = |a: u32, b: u32, unit: u32| a.checked_add(b)?.checked_mul(unit);
            width = width.checked_sub(crop(left, right, unit_x)?)?;
            height = height.checked_sub(crop(top, bottom, unit_y)?)?;
        }
        if width == 0 || height == 0 || coded_width > MAX_SIDE || coded_height > MAX_SIDE {
            return None;
        }
        let mut sps = Self {
            format,
            width,
            height,
            pixel_aspect: None,
            frame_rate: None,
            colour: None,
        };
        if bits.bit()? {
            // Encoders have written truncated VUIs; they describe, but nothing is decoded by
            // what is read here, so the rest stands without them.
            let _ = sps.read_vui(&mut bits);
        }
        Some(sps)
    }

    /// Video usability information, section E.1.1, up to the timing.
    fn read_vui(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.pixel_aspect = vui::read_aspect(bits)?;
        self.colour = vui::read_colour(bits)?;
        vui::skip_chroma_location(bits)?;
        if bits.bit()? {
            let units_in_tick = bits.number(32)?;
            let time_scale = bits.number(32)?;
            // A picture takes two ticks.
            self.frame_rate = FrameRate::of_ticks(u64::from(units_in_tick) * 2, time_scale);
        }
        Some(())
    }
}

/// The profiles that write chroma_format_idc.
fn has_chroma_format(profile: u32) -> bool {
    matches!(
        profile,
        44 | 83 | 86 | 100 | 110 | 118 | 122 | 128 | 134 | 135 | 138 | 139 | 244
    )
}

impl SampleFormat {
    const EIGHT_BIT_420: Self = Self {
        chroma_format_idc: 1,
        bit_depth_luma_minus8: 0,
        bit_depth_chroma_minus8: 0,
    };
}

/// Reads from chroma_format_idc to the scaling lists.
fn sample_format(bits: &mut Bits<'_>) -> Option<SampleFormat> {
    let chroma_format_idc = bits.unsigned_exp_golomb().filter(|&idc| idc <= 3)? as u8;
    if chroma_format_idc == 3 {
        bits.skip(1)?; // separate_colour_plane_flag: crops in whole pixels either way
    }
    // 14 bits are the most that any profile has.
    let mut depth = || bits.unsigned_exp_golomb().filter(|&depth| depth <= 6);
    let (luma, chroma) = (depth()? as u8, depth()? as u8);
    bits.skip(1)?; // qpprime_y_zero_transform_bypass_flag
    if bits.bit()? {
        let lists = if chroma_format_idc == 3 { 12 } else { 8 };
        for list in 0..lists {
            if bits.bit()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(SampleFormat {
        chroma_format_idc,
        bit_depth_luma_minus8: luma,
        bit_depth_chroma_minus8: chroma,
    })
}

/// Section 7.3.2.1.1.1.
fn skip_scaling_list(bits: &mut Bits<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..size {
        if next != 0 {
            let delta = bits.signed_exp_golomb()?;
            next = last.checked_add(delta)?.rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

fn skip_picture_order(bits: &mut Bits<'_>) -> Option<()> {
    match bits.unsigned_exp_golomb()? {
        0 => {
            bits.unsigned_exp_golomb()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.skip(1)?; // delta_pic_order_always_zero_flag
            bits.signed_exp_golomb()?; // offset_for_non_ref_pic
            bits.signed_exp_golomb()?; // offset_for_top_to_bottom_field
            let cycle = bits.unsigned_exp_golomb()?;
            if cycle > MAX_POC_CYCLE {
                return None;
            }
            for _ in 0..cycle {
                bits.signed_exp_golomb()?;
            }
        }
        2 => {}
        _ => return None,
    }
    Some(())
}
