//! Sans-IO ingest sessions: bytes of an encoder's connection in, media units out.
//!
//! - [`rtmp`]: the session of one RTMP publisher
//! - [`ts`]: an MPEG transport stream, as SRT carries it
//! - [`flv`]: bodies of FLV tags, as RTMP carries them
//! - [`repair`]: the door every unit comes through: timestamps made continuous, each repair counted
//! - [`amf0`]: the values of RTMP commands and FLV script data
//!
//! Nothing here reads a clock or a socket; every parser is bounded and none panics.

pub mod amf0;
pub mod flv;
pub mod repair;
pub mod rtmp;
pub mod ts;
