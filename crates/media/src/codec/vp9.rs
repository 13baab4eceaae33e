//! VP9 as its VPCodecConfigurationRecord tells it (VP Codec ISO Media File Format Binding,
//! section 3), and the sizes of its key frames.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::{
    bits::Bits,
    picture::{Colour, Picture},
};

/// Bytes of a record: VP9 has no codec initialization data.
pub const RECORD_LEN: usize = 8;

/// A record that cannot be packaged.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidVp9 {
    /// Not [`RECORD_LEN`] bytes long.
    #[error("a VP9 configuration record of {0} bytes, where one has {RECORD_LEN}")]
    Length(usize),
    /// Only profiles 0 to 3 exist.
    #[error("VP9 profile {0} is unknown")]
    Profile(u8),
    /// Only 8, 10 and 12 bits exist.
    #[error("VP9 samples of {0} bits are unknown")]
    BitDepth(u8),
    /// A picture without pixels.
    #[error("VP9 pictures of {0}x{1} pixels")]
    Size(u32, u32),
}

/// VP9 in frames or superframes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vp9Config {
    /// The record, as it goes into `vpcC` behind version and flags; it tells of RGB only where the
    /// samples can be.
    pub record: Bytes,
    /// What the record and the key frame tell.
    pub picture: Picture,
}

impl Vp9Config {
    /// Reads a record. Pictures are `width` by `height` pixels, as a key frame says
    /// ([`keyframe_size`]): the record does not.
    ///
    /// # Errors
    /// Refuses records of another length, unknown profiles and depths, and empty pictures.
    pub fn parse(record: Bytes, width: u32, height: u32) -> Result<Self, InvalidVp9> {
        let [profile, _, format, primaries, transfer, matrix, _, _] = record[..] else {
            return Err(InvalidVp9::Length(record.len()));
        };
        if profile > 3 {
            return Err(InvalidVp9::Profile(profile));
        }
        let bit_depth = format >> 4;
        if !matches!(bit_depth, 8 | 10 | 12) {
            return Err(InvalidVp9::BitDepth(bit_depth));
        }
        const MAX_SIDE: u32 = 1 << 16;
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
            return Err(InvalidVp9::Size(width, height));
        }
        let has_rgb = format >> 1 & 7 == YUV_444;
        let (record, matrix) = match matrix {
            IDENTITY if !has_rgb => (with_matrix(&record, UNSPECIFIED), UNSPECIFIED),
            matrix => (record, matrix),
        };
        let colour = Colour {
            primaries,
            transfer,
            matrix,
            full_range: format & 1 == 1,
        };
        Ok(Self {
            picture: Picture {
                width,
                height,
                pixel_aspect: None,
                frame_rate: None,
                colour: (colour != Colour::UNSPECIFIED).then_some(colour),
            },
            record,
        })
    }

    /// The codec as section 4 of the binding writes it, such as `vp09.00.31.08`; with the optional
    /// fields only where they differ from what their absence means.
    pub fn rfc6381(&self) -> String {
        let byte = |i: usize| self.record.get(i).copied().unwrap_or_default();
        let format = byte(2);
        let level = match byte(1) {
            0 => self.least_level(),
            level => level,
        };
        let short = format!("vp09.{:02}.{level:02}.{:02}", byte(0), format >> 4);
        let subsampling = format >> 1 & 7;
        let colour = self.picture.colour.unwrap_or(Colour::UNSPECIFIED);
        // 0 and 1 are both 4:2:0; they differ in where chroma samples lie.
        if colour.may_be_bt709() && subsampling <= 1 {
            return short;
        }
        format!(
            "{short}.{subsampling:02}.{:02}.{:02}.{:02}.{:02}",
            colour.primaries,
            colour.transfer,
            colour.matrix,
            u8::from(colour.full_range),
        )
    }

    /// The lowest level that allows the size, for encoders that leave it at 0 (undefined): players
    /// ask for one. By luma picture size, at 30 pictures a second.
    fn least_level(&self) -> u8 {
        const LEVELS: [(u64, u8); 8] = [
            (36_864, 10),
            (73_728, 11),
            (122_880, 20),
            (245_760, 21),
            (552_960, 30),
            (983_040, 31),
            (2_228_224, 40),
            (8_912_896, 50),
        ];
        let pixels = u64::from(self.picture.width) * u64::from(self.picture.height);
        let fitting = LEVELS.iter().find(|(most, _)| pixels <= *most);
        fitting.map_or(60, |(_, level)| *level)
    }
}

/// chromaSubsampling of 4:4:4.
const YUV_444: u8 = 3;
/// matrixCoefficients of RGB. FFmpeg writes it as well where it passes on VP9 that nothing is told
/// of, which a player would show in wrong colours.
const IDENTITY: u8 = 0;
const UNSPECIFIED: u8 = 2;

fn with_matrix(record: &[u8], matrix: u8) -> Bytes {
    const MATRIX_AT: usize = 5;
    let mut record = BytesMut::from(record);
    record[MATRIX_AT] = matrix;
    record.freeze()
}

/// Width and height that the key frame at the start of `data` says, a frame or a superframe;
/// `None` if it begins with another frame (VP9 Bitstream & Decoding Process, section 6.2).
pub fn keyframe_size(data: &[u8]) -> Option<(u32, u32)> {
    const FRAME_MARKER: u32 = 2;
    const SYNC_CODE: u32 = 0x49_8342;
    const CS_RGB: u32 = 7;
    // The uncompressed header has its size within this.
    let mut bits = Bits::new(&data[..data.len().min(16)]);
    if bits.number(2)? != FRAME_MARKER {
        return None;
    }
    let profile = u8::from(bits.bit()?) | u8::from(bits.bit()?) << 1;
    if profile == 3 {
        bits.skip(1)?; // reserved_zero
    }
    let show_existing_frame = bits.bit()?;
    let non_key_frame = bits.bit()?;
    let show_frame = bits.bit()?;
    if show_existing_frame || non_key_frame || !show_frame {
        return None;
    }
    bits.skip(1)?; // error_resilient_mode
    if bits.number(24)? != SYNC_CODE {
        return None;
    }
    if profile >= 2 {
        bits.skip(1)?; // ten_or_twelve_bit
    }
    let any_subsampling = profile == 1 || profile == 3;
    if bits.number(3)? != CS_RGB {
        bits.skip(1)?; // color_range
        if any_subsampling {
            bits.skip(3)?; // subsampling_x, subsampling_y, reserved_zero
        }
    } else if any_subsampling {
        bits.skip(1)?; // reserved_zero
    }
    Some((bits.number(16)? + 1, bits.number(16)? + 1))
}

#[cfg(test)]
#[path = "vp9_tests.rs"]
mod tests;
