//! Frames to bytes and back, however the pipe cuts them up.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::{Frame, InvalidFrame, MAX_FRAME_LEN};

const LENGTH_FIELD: usize = size_of::<u32>();

/// A unit too large for the pipe.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a frame of {0} bytes is longer than {MAX_FRAME_LEN}")]
pub struct FrameTooLong(pub usize);

/// The bytes of one frame, length included.
///
/// # Errors
/// [`FrameTooLong`] beyond [`MAX_FRAME_LEN`].
pub fn encode(frame: &Frame) -> Result<Bytes, FrameTooLong> {
    let payload_hint = match frame {
        Frame::Unit { unit, .. } => unit.data.len(),
        _ => 0,
    };
    let mut out = BytesMut::with_capacity(payload_hint + 64);
    out.put_u32_le(0);
    frame.write(&mut out);
    let len = out.len() - LENGTH_FIELD;
    if len > MAX_FRAME_LEN {
        return Err(FrameTooLong(len));
    }
    out[..LENGTH_FIELD].copy_from_slice(&(len as u32).to_le_bytes());
    Ok(out.freeze())
}

/// Finds frames in what a pipe brings. It holds at most one incomplete frame beyond what was fed
/// at once.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// Takes bytes as they come. Call [`next_frame`](Self::next_frame) until it answers `None`
    /// before feeding more.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete frame, or `None` until more is fed.
    ///
    /// # Errors
    /// [`InvalidFrame`]; the stream is then lost.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, InvalidFrame> {
        let Some(len) = self.buffer.first_chunk::<LENGTH_FIELD>() else {
            return Ok(None);
        };
        let len = u32::from_le_bytes(*len) as usize;
        if len > MAX_FRAME_LEN {
            return Err(InvalidFrame::TooLong(len));
        }
        if self.buffer.len() - LENGTH_FIELD < len {
            return Ok(None);
        }
        self.buffer.advance(LENGTH_FIELD);
        Frame::read(self.buffer.split_to(len).freeze()).map(Some)
    }

    /// Whether the stream stopped in the middle of a frame, if it stopped here.
    pub fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty()
    }
}
