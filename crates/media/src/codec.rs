//! Codec configurations: what initialisation segments, playlists and decoders need to know.
//!
//! - [`avc`]: H.264, its decoder configuration record and sequence parameter set
//! - [`aac`]: AAC's AudioSpecificConfig
//! - [`annexb`]: H.264 as encoders write it, with start codes, to and from length-prefixed units
//!
//! A configuration comes from the network, so that parsing is bounded and refuses whatever the
//! packager could not write down truthfully.

pub mod aac;
pub mod annexb;
pub mod avc;
mod bits;
#[cfg(test)]
pub(crate) mod samples;
mod sps;

pub use aac::{AacConfig, InvalidAac};
pub use avc::{AvcConfig, InvalidAvc};
pub use sps::{Colour, FrameRate, PixelAspect};
