//! The transcoder. It runs as a child process of the origin, so that a crash in libav kills one
//! ladder and nothing else.
//!
//! - [`pipe`]: the child's conversation with the origin over [`weir_media::framing`]
//! - [`ladder`]: units of `source` in, configurations and units of every rung out
//! - [`slate`]: what is shown while the source is away
//! - [`choose`]: which encoder makes a rung, and whether this machine has it
//! - [`size`]: how large a rung's pictures are
//! - `overload`: which rungs are left out when time does not suffice
//! - `rate`: how many pictures a second there are, and how many of them a rung gets
//! - `pace`: how fast pictures really come
//! - [`bitstream`]: units as decoders take them and encoders give them
//! - `av`: the one module that names ffmpeg types

mod av;
pub mod bitstream;
pub mod choose;
pub mod ladder;
mod overload;
mod pace;
pub mod pipe;
mod rate;
pub mod size;
pub mod slate;

pub use av::{AvError, quiet_libav};
