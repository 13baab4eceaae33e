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
//! | 7 | [`Frame::Slate`] | the [`SlateJob`] as JSON |
//! | 8 | [`Frame::Again`] | rendition, i64 pts |
//! | 9 | [`Frame::Undecodable`] | i64 dts |
//!
//! A rendition is a length byte and its written form; numbers are little-endian. A unit's flags
//! are 1 audio, 2 keyframe, 4 cut. The origin sends a job, then the configurations and units of
//! `source` (if the job has rungs of video) and of `audio` (if it has rungs of sound), each track
//! in order, its configuration again when its coding changes. The child answers with those of
//! each rung under the rung's name, and says which of video it leaves out for lack of time. Either
//! side says [`Frame::End`] when nothing follows; a pipe that closes without it means that the
//! other side is gone.

mod frame;
mod ladder;
mod slate;
mod stream;

pub use frame::{Frame, InvalidFrame};
pub use ladder::{
    AudioCodec, EncoderChoice, LadderJob, LadderRung, RUNG_BITRATES, RUNG_HEIGHTS, RungState,
    SOUND_BITRATES, SoundRung, VideoCodec,
};
pub use slate::SlateJob;
pub use stream::{Decoder, FrameTooLong, encode};

/// Longest frame in bytes, its length field not counted. An IDR picture of 8K video stays below.
pub const MAX_FRAME_LEN: usize = 8 << 20;

#[cfg(test)]
mod tests;
