//! Codec configurations: what initialisation segments, playlists and decoders need to know.
//!
//! - [`avc`]: H.264, its decoder configuration record and sequence parameter set
//! - [`hevc`], [`av1`], [`vp9`]: the same of these, and where decoding can start
//! - [`aac`]: AAC's AudioSpecificConfig
//! - [`opus`]: Opus's identification header and the lengths of its packets
//! - [`picture`]: what all of them tell of pictures
//! - [`annexb`]: H.264 as encoders write it, with start codes, to and from length-prefixed units
//!
//! A configuration comes from the network, so that parsing is bounded and refuses whatever the
//! packager could not write down truthfully.

pub mod aac;
pub mod annexb;
pub mod av1;
pub mod avc;
mod bits;
pub mod hevc;
pub mod opus;
pub mod picture;
#[cfg(test)]
pub(crate) mod samples;
mod sps;
pub mod vp9;
mod vui;

pub use aac::{AacConfig, InvalidAac};
pub use av1::{Av1Config, InvalidAv1};
pub use avc::{AvcConfig, InvalidAvc};
pub use hevc::{HevcConfig, InvalidHevc};
pub use opus::{InvalidOpus, OpusConfig};
pub use picture::{Colour, FrameRate, Picture, PixelAspect};
pub use vp9::{InvalidVp9, Vp9Config};
