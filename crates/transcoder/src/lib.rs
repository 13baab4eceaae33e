//! The transcoder. It runs as a child process of the origin, so that a crash in libav kills one
//! ladder and nothing else.
//!
//! - [`pipe`]: the child's conversation with the origin over [`weir_media::framing`]
//! - [`ladder`]: units of `source` in, configurations and units of every rung out
//! - [`size`]: how large a rung's pictures are
//! - `pace`: how fast pictures really come
//! - `av`: the one module that names ffmpeg types

mod av;
pub mod ladder;
mod pace;
pub mod pipe;
pub mod size;

pub use av::{AvError, quiet_libav};
