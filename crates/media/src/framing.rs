//! What the origin and a transcoder child say to each other over pipes.
//!
//! A frame is a little-endian u32 length of all that follows, a kind byte, and a payload:
//!
//! | kind | frame | payload |
//! | --- | --- | --- |
//! | 1 | [`Frame::Job`] | the [`LadderJob`] as JSON |
//! | 2 | [`Frame::Config`] | rendition, codec byte (1 AVC, 2 AAC, 3 HEVC, 4 AV1, 5 VP9 with u32 width and u32 height, 6 Opus), [`codec_private`](crate::unit::TrackConfig::codec_private) |
//! | 3 | [`Frame::Unit`] | rendition, flags, i64 dts, i64 pts, coded bytes |
//! | 4 | [`Frame::End`] | nothing |
//! | 5 | [`Frame::Rung`] | rendition, state byte (0 shed, 1 made), i64 pts |
//! | 6 | [`Frame::Idle`] | nothing |
//!
//! A rendition is a length byte and its written form; numbers are little-endian. The origin sends
//! a job, then the configuration and units of `source`; the child answers with those of each
//! rung, and says which it leaves out for lack of time. Either side says [`Frame::End`] when nothing follows; a pipe that closes without it
//! means that the other side is gone.

mod frame;
mod ladder;
mod stream;

pub use frame::{Frame, InvalidFrame};
pub use ladder::{
    EncoderChoice, LadderJob, LadderRung, RUNG_BITRATES, RUNG_HEIGHTS, RungState, VideoCodec,
};
pub use stream::{Decoder, FrameTooLong, encode};

/// Longest frame in bytes, its length field not counted. An IDR picture of 8K video stays below.
pub const MAX_FRAME_LEN: usize = 8 << 20;

#[cfg(test)]
mod tests;
