//! The server's side of one RTMP publisher's connection (Adobe RTMP specification 1.0).
//!
//! - [`Session`]: the state machine: bytes and `now` in, bytes to send and [`Event`]s out
//! - `capabilities`: what is taken of Enhanced RTMP, as `connect` is answered
//! - [`outcome`]: how a session ends, and what the encoder is told
//! - [`handshake`]: section 5.2
//! - [`chunk`]: section 5.3, the chunk stream, reading and writing
//! - `media`: audio and video, read, repaired, told by track
//! - `metadata`: what `onMetaData` tells of tracks
//! - [`message`]: whole messages: types (sections 5.4 and 7.1) and aggregates
//!
//! The chunk layer is our own; `docs/decisions/` says why.

mod capabilities;
pub mod chunk;
pub mod handshake;
mod media;
pub mod message;
mod metadata;
pub mod outcome;
mod reply;
mod session;

pub use outcome::{End, Refusal, SessionError, Wait};
pub use session::{Event, Limits, PublishRequest, Session, StreamKey};
