//! Open bitstream units (AV1 Bitstream & Decoding Process, section 5.3).

use bytes::{BufMut, BytesMut};
use thiserror::Error;

/// Types of section 6.2.2.
pub(super) mod obu_type {
    pub(in crate::codec::av1) const SEQUENCE_HEADER: u8 = 1;
    pub(in crate::codec::av1) const TEMPORAL_DELIMITER: u8 = 2;
    pub(in crate::codec::av1) const FRAME_HEADER: u8 = 3;
    pub(in crate::codec::av1) const FRAME: u8 = 6;
}

/// obu_has_size_field in an OBU's first byte.
pub(super) const HAS_SIZE: u8 = 2;

/// An OBU that does not fit.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidObu {
    /// The forbidden bit is set: this is something else.
    #[error("the byte {byte:#04x} at {at} begins no AV1 OBU")]
    Header {
        /// Where it stands.
        at: usize,
        /// What it is.
        byte: u8,
    },
    /// It claims more bytes than there are.
    #[error("the AV1 OBU at byte {at} claims {size} bytes, {left} are left")]
    Size {
        /// Where it starts.
        at: usize,
        /// The size it claims.
        size: u64,
        /// What is there.
        left: usize,
    },
    /// The bytes end within its header.
    #[error("the AV1 OBU at byte {0} ends within its header")]
    Truncated(usize),
}

/// One OBU.
pub(super) struct Obu<'a> {
    pub(super) obu_type: u8,
    /// With its header.
    pub(super) whole: &'a [u8],
    /// Bytes of `whole`.
    pub(super) len: usize,
    pub(super) payload: &'a [u8],
}

/// The OBUs that follow each other in `data`. After an error there is nothing more.
pub(super) fn obus(data: &[u8]) -> impl Iterator<Item = Result<Obu<'_>, InvalidObu>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = data.get(at..).filter(|rest| !rest.is_empty())?;
        let read = read_obu(rest, at);
        at = read.as_ref().map_or(data.len(), |obu| at + obu.len);
        Some(read)
    })
}

fn read_obu(data: &[u8], at: usize) -> Result<Obu<'_>, InvalidObu> {
    const FORBIDDEN: u8 = 0x80;
    const EXTENSION: u8 = 4;
    let truncated = InvalidObu::Truncated(at);
    let byte = *data.first().ok_or(truncated)?;
    if byte & FORBIDDEN != 0 {
        return Err(InvalidObu::Header { at, byte });
    }
    let header = if byte & EXTENSION == 0 { 1 } else { 2 };
    let mut payload = data.get(header..).ok_or(truncated)?;
    if byte & HAS_SIZE != 0 {
        let (size, after) = take_leb128(payload).ok_or(truncated)?;
        let fits = usize::try_from(size)
            .ok()
            .and_then(|size| after.get(..size));
        payload = fits.ok_or(InvalidObu::Size {
            at,
            size,
            left: after.len(),
        })?;
        let end = data.len() - after.len() + payload.len();
        return Ok(Obu {
            obu_type: byte >> 3,
            whole: &data[..end],
            len: end,
            payload,
        });
    }
    Ok(Obu {
        obu_type: byte >> 3,
        whole: data,
        len: data.len(),
        payload,
    })
}

/// Section 4.10.5.
fn take_leb128(data: &[u8]) -> Option<(u64, &[u8])> {
    const MOST_BYTES: usize = 8;
    let mut value = 0;
    for (i, byte) in data.iter().take(MOST_BYTES).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, &data[i + 1..]));
        }
    }
    None
}

pub(super) fn put_leb128(out: &mut BytesMut, mut value: usize) {
    while value > 0x7f {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Whether the frame header at the start of `payload` is that of a key frame that is shown at
/// once (section 5.9.2): show_existing_frame is 0, frame_type is KEY_FRAME, show_frame is 1. Not
/// for streams with reduced_still_picture_header.
pub(super) fn is_shown_key_frame(payload: &[u8]) -> bool {
    payload.first().is_some_and(|first| first >> 4 == 0b0001)
}
