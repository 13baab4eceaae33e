//! The AV1 sequence header (AV1 Bitstream & Decoding Process, section 5.5), as far as a packager
//! needs it.

use bytes::{BufMut, BytesMut};

use crate::codec::{
    bits::Bits,
    picture::{Colour, FrameRate, Picture},
};

/// What a sequence header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) profile: u8,
    /// seq_level_idx of the first operating point.
    pub(super) level: u8,
    pub(super) tier: u8,
    pub(super) bit_depth: u8,
    pub(super) monochrome: bool,
    /// Whether chroma has half the resolution, across and down.
    pub(super) subsampling: (u8, u8),
    pub(super) chroma_position: u8,
    /// Every frame is a key frame with a header of few fields.
    pub(super) reduced: bool,
    pub(super) picture: Picture,
}

impl Sequence {
    /// Parses the payload of a sequence header OBU. `None` when it ends early.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(payload);
        let profile = bits.number(3)?;
        bits.skip(1)?; // still_picture
        let reduced = bits.bit()?;
        let mut frame_rate = None;
        let (mut level, mut tier) = (0, 0);
        if reduced {
            level = bits.number(5)?;
        } else {
            let mut delay_bits = None;
            if bits.bit()? {
                frame_rate = read_timing(&mut bits)?;
                if bits.bit()? {
                    delay_bits = Some(read_decoder_model(&mut bits)?);
                }
            }
            let display_delays = bits.bit()?;
            let points = bits.number(5)? + 1;
            for point in 0..points {
                let (its_level, its_tier) =
                    read_operating_point(&mut bits, delay_bits, display_delays)?;
                if point == 0 {
                    (level, tier) = (its_level, its_tier);
                }
            }
        }
        let width_bits = bits.number(4)? + 1;
        let height_bits = bits.number(4)? + 1;
        let width = bits.number(width_bits)? + 1;
        let height = bits.number(height_bits)? + 1;
        skip_tools(&mut bits, reduced)?;
        let mut sequence = Self {
            profile: profile as u8,
            level: level as u8,
            tier: tier as u8,
            bit_depth: 8,
            monochrome: false,
            subsampling: (1, 1),
            chroma_position: 0,
            reduced,
            picture: Picture {
                width,
                height,
                pixel_aspect: None,
                frame_rate,
                colour: None,
            },
        };
        sequence.read_colour(&mut bits)?;
        Some(sequence)
    }

    /// color_config, section 5.5.2.
    fn read_colour(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let high_bit_depth = bits.bit()?;
        let twelve_bit = self.profile == 2 && high_bit_depth && bits.bit()?;
        self.bit_depth = match (high_bit_depth, twelve_bit) {
            (false, _) => 8,
            (true, false) => 10,
            (true, true) => 12,
        };
        self.monochrome = self.profile != 1 && bits.bit()?;
        let described = bits.bit()?;
        let mut colour = Colour::UNSPECIFIED;
        if described {
            let mut byte = || bits.number(8).map(|value| value as u8);
            (colour.primaries, colour.transfer, colour.matrix) = (byte()?, byte()?, byte()?);
        }
        const SRGB: (u8, u8, u8) = (1, 13, 0);
        if self.monochrome {
            colour.full_range = bits.bit()?;
        } else if (colour.primaries, colour.transfer, colour.matrix) == SRGB {
            colour.full_range = true;
            self.subsampling = (0, 0);
        } else {
            colour.full_range = bits.bit()?;
            self.subsampling = match (self.profile, self.bit_depth) {
                (0, _) => (1, 1),
                (1, _) => (0, 0),
                (_, 12) => {
                    let across = bits.bit()?;
                    (u8::from(across), u8::from(across && bits.bit()?))
                }
                _ => (1, 0),
            };
            if self.subsampling == (1, 1) {
                self.chroma_position = bits.number(2)? as u8;
            }
        }
        self.picture.colour = described.then_some(colour);
        Some(())
    }

    /// The fields of an AV1CodecConfigurationRecord.
    pub(super) fn put_record_header(&self, out: &mut BytesMut) {
        out.put_u8(0x81); // marker, version
        out.put_u8(self.profile << 5 | self.level);
        out.put_u8(
            self.tier << 7
                | u8::from(self.bit_depth > 8) << 6
                | u8::from(self.bit_depth == 12) << 5
                | u8::from(self.monochrome) << 4
                | self.subsampling.0 << 3
                | self.subsampling.1 << 2
                | self.chroma_position,
        );
        out.put_u8(0); // no initial_presentation_delay
    }
}

/// timing_info, section 5.5.3. The outer `Option` is the end of data.
fn read_timing(bits: &mut Bits<'_>) -> Option<Option<FrameRate>> {
    let units_in_tick = bits.number(32)?;
    let time_scale = bits.number(32)?;
    let equal_intervals = bits.bit()?;
    if !equal_intervals {
        return Some(None);
    }
    // uvlc(), section 4.10.3, is Exp-Golomb but for its largest number, which is no interval.
    let ticks_per_picture = u64::from(bits.unsigned_exp_golomb()?) + 1;
    let ticks = u64::from(units_in_tick).checked_mul(ticks_per_picture);
    Some(ticks.and_then(|ticks| FrameRate::of_ticks(ticks, time_scale)))
}

/// decoder_model_info, section 5.5.4; answers how long delays are, in bits.
fn read_decoder_model(bits: &mut Bits<'_>) -> Option<u32> {
    let delay_bits = bits.number(5)? + 1;
    bits.skip(32 + 5 + 5)?;
    Some(delay_bits)
}

/// Answers level and tier.
fn read_operating_point(
    bits: &mut Bits<'_>,
    delay_bits: Option<u32>,
    display_delays: bool,
) -> Option<(u32, u32)> {
    bits.skip(12)?; // operating_point_idc
    let level = bits.number(5)?;
    // Levels from 4.0 on have a high tier.
    let tier = if level > 7 { bits.number(1)? } else { 0 };
    if let Some(delay_bits) = delay_bits
        && bits.bit()?
    {
        bits.skip(2 * delay_bits as usize + 1)?;
    }
    if display_delays && bits.bit()? {
        bits.skip(4)?;
    }
    Some((level, tier))
}

/// From frame_id_numbers_present_flag to enable_restoration.
fn skip_tools(bits: &mut Bits<'_>, reduced: bool) -> Option<()> {
    if !reduced && bits.bit()? {
        bits.skip(4 + 3)?; // lengths of frame ids
    }
    bits.skip(3)?; // superblock size, filter intra, intra edge filter
    if !reduced {
        bits.skip(4)?; // interintra and masked compound, warped motion, dual filter
        let order_hint = bits.bit()?;
        if order_hint {
            bits.skip(2)?; // jnt_comp, ref_frame_mvs
        }
        let choose_screen_content = bits.bit()?;
        let screen_content = choose_screen_content || bits.bit()?;
        if screen_content {
            let choose_integer_mv = bits.bit()?;
            if !choose_integer_mv {
                bits.skip(1)?; // seq_force_integer_mv
            }
        }
        if order_hint {
            bits.skip(3)?; // order_hint_bits_minus_1
        }
    }
    bits.skip(3) // superres, cdef, restoration
}
