//! AV1 as its AV1CodecConfigurationRecord tells it (AV1 Codec ISO Media File Format Binding,
//! section 2.3), and its temporal units.
//!
//! - `obu`: the units a stream is made of
//! - `sequence`: the sequence header

mod obu;
mod sequence;

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

pub use self::obu::InvalidObu;
use self::{
    obu::{obu_type, obus},
    sequence::Sequence,
};
use super::picture::{Colour, Picture};

/// Longest record taken, in bytes. Real ones have about 20.
pub const MAX_RECORD_LEN: usize = 4096;

const HEADER_LEN: usize = 4;

/// A record that cannot be packaged.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidAv1 {
    /// Longer than [`MAX_RECORD_LEN`].
    #[error("an AV1 configuration record of {0} bytes is longer than {MAX_RECORD_LEN}")]
    TooLong(usize),
    /// The record ends before what it announces.
    #[error("the AV1 configuration record ends early, after {0} bytes")]
    Truncated(usize),
    /// A marker bit and version 1 begin every record.
    #[error("an AV1 configuration record cannot begin with {0:#04x}")]
    Version(u8),
    /// Pictures can't be described without it.
    #[error("the AV1 configuration record holds no sequence header")]
    NoSequenceHeader,
    /// The sequence header is cut short or holds forbidden values.
    #[error("the AV1 sequence header of {0} bytes cannot be read")]
    SequenceHeader(usize),
    /// What follows the fields is no sequence of OBUs.
    #[error(transparent)]
    Obu(#[from] InvalidObu),
}

/// AV1 in temporal units without temporal delimiters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Av1Config {
    /// The record, as it goes into `av1C`, with a sequence header.
    pub record: Bytes,
    /// What the sequence header tells.
    pub picture: Picture,
    sequence: Sequence,
}

impl Av1Config {
    /// Reads a record.
    ///
    /// # Errors
    /// Refuses records that are cut short, unreasonably long, or without a readable sequence
    /// header. Without one ([`InvalidAv1::NoSequenceHeader`]) a stream can still be right: its
    /// first keyframe brings it, see [`from_sequence_header`](Self::from_sequence_header).
    pub fn parse(record: Bytes) -> Result<Self, InvalidAv1> {
        if record.is_empty() {
            // FFmpeg sends one before it knows better.
            return Err(InvalidAv1::NoSequenceHeader);
        }
        if record.len() > MAX_RECORD_LEN {
            return Err(InvalidAv1::TooLong(record.len()));
        }
        let Some((&[first, ..], config_obus)) = record.split_first_chunk::<HEADER_LEN>() else {
            return Err(InvalidAv1::Truncated(record.len()));
        };
        const MARKER_AND_VERSION: u8 = 0x81;
        if first != MARKER_AND_VERSION {
            return Err(InvalidAv1::Version(first));
        }
        let mut header = None;
        for obu in obus(config_obus) {
            let obu = obu?;
            if obu.obu_type == obu_type::SEQUENCE_HEADER {
                header = header.or(Some(obu.payload));
            }
        }
        let header = header.ok_or(InvalidAv1::NoSequenceHeader)?;
        let sequence = Sequence::parse(header).ok_or(InvalidAv1::SequenceHeader(header.len()))?;
        Ok(Self {
            picture: sequence.picture,
            sequence,
            record,
        })
    }

    /// Makes a record of the payload of a sequence header OBU.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_sequence_header(payload: &[u8]) -> Result<Self, InvalidAv1> {
        let len = payload.len();
        if len > MAX_RECORD_LEN - 8 {
            return Err(InvalidAv1::TooLong(len));
        }
        let sequence = Sequence::parse(payload).ok_or(InvalidAv1::SequenceHeader(len))?;
        let mut record = BytesMut::with_capacity(len + 8);
        sequence.put_record_header(&mut record);
        record.put_u8(obu_type::SEQUENCE_HEADER << 3 | obu::HAS_SIZE);
        obu::put_leb128(&mut record, len);
        record.put_slice(payload);
        Self::parse(record.freeze())
    }

    /// Whether a sequence header with this payload says what the record's does.
    pub fn has_sequence_header(&self, payload: &[u8]) -> bool {
        Sequence::parse(payload).as_ref() == Some(&self.sequence)
    }

    /// The codec as section 5 of the binding writes it, such as `av01.0.04M.08`; with the optional
    /// fields only where they differ from what their absence means.
    pub fn rfc6381(&self) -> String {
        let Sequence {
            profile,
            level,
            tier,
            bit_depth,
            monochrome,
            subsampling,
            chroma_position,
            ..
        } = self.sequence;
        let tier = if tier == 0 { 'M' } else { 'H' };
        let short = format!("av01.{profile}.{level:02}{tier}.{bit_depth:02}");
        let colour = self.picture.colour.unwrap_or(Colour::UNSPECIFIED);
        if colour.may_be_bt709() && !monochrome && subsampling == (1, 1) {
            return short;
        }
        format!(
            "{short}.{}.{}{}{}.{:02}.{:02}.{:02}.{}",
            u8::from(monochrome),
            subsampling.0,
            subsampling.1,
            if subsampling == (1, 1) {
                chroma_position
            } else {
                0
            },
            colour.primaries,
            colour.transfer,
            colour.matrix,
            u8::from(colour.full_range),
        )
    }
}

/// One temporal unit as an encoder sent it, ready to be packaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemporalUnit {
    /// The unit without temporal delimiters, which a file has no use for.
    pub data: Bytes,
    /// Payload of the sequence header in it, if there is one.
    pub sequence_header: Option<Bytes>,
    /// Decoding can start here: a key frame that is shown, with a sequence header before it
    /// (section 2.4: sync samples).
    pub keyframe: bool,
}

impl TemporalUnit {
    /// Looks through the OBUs of a unit.
    ///
    /// # Errors
    /// [`InvalidObu`] when an OBU leads past the end.
    pub fn read(unit: &Bytes) -> Result<Self, InvalidObu> {
        let (mut sequence_header, mut reduced) = (None, false);
        let (mut key_frame, mut seen_frame) = (false, false);
        let mut delimiters = 0;
        for obu in obus(unit) {
            let obu = obu?;
            match obu.obu_type {
                obu_type::TEMPORAL_DELIMITER => delimiters += obu.len,
                obu_type::SEQUENCE_HEADER if !seen_frame => {
                    reduced = Sequence::parse(obu.payload).is_some_and(|header| header.reduced);
                    sequence_header = Some(unit.slice_ref(obu.payload));
                }
                obu_type::FRAME | obu_type::FRAME_HEADER if !seen_frame => {
                    seen_frame = true;
                    key_frame = reduced || obu::is_shown_key_frame(obu.payload);
                }
                _ => {}
            }
        }
        let data = if delimiters == 0 {
            unit.clone()
        } else {
            let mut data = BytesMut::with_capacity(unit.len() - delimiters);
            for obu in obus(unit).flatten() {
                if obu.obu_type != obu_type::TEMPORAL_DELIMITER {
                    data.put_slice(obu.whole);
                }
            }
            data.freeze()
        };
        Ok(Self {
            data,
            keyframe: key_frame && sequence_header.is_some(),
            sequence_header,
        })
    }
}

#[cfg(test)]
#[path = "av1_tests.rs"]
mod tests;
