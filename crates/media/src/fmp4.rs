//! Fragmented MP4: CMAF initialisation segments and chunks (ISO/IEC 14496-12, ISO/IEC 23000-19).
//!
//! - [`init_segment`], [`init_segment_muxed`]: `ftyp` and `moov`
//! - [`chunk`]: `moof` and `mdat`; one LL-HLS part, one CMAF chunk
//! - [`rebase`]: moves chunks in time, so that a span starts at 0
//! - [`read`]: what was written, read back: for spans, recovery and tests
//!
//! Video runs at [`crate::unit::TIMESCALE`] ticks a second, audio at its sampling rate. There are
//! no edit lists: presentation time is decode time plus the composition offset.

mod boxes;
mod fragment;
mod init;
pub mod read;
mod rebase;
mod sample_entry;

pub use fragment::{Sample, chunk};
pub use init::{AUDIO_TRACK, VIDEO_TRACK, init_segment, init_segment_muxed};
pub use rebase::{InvalidRebase, rebase};

use crate::{
    codec::opus,
    unit::{TIMESCALE, TrackConfig},
};

/// Ticks per second of a track's times.
pub fn timescale(config: &TrackConfig) -> u32 {
    match config {
        TrackConfig::Avc(_) | TrackConfig::Hevc(_) | TrackConfig::Av1(_) | TrackConfig::Vp9(_) => {
            TIMESCALE
        }
        TrackConfig::Aac(aac) => aac.sample_rate,
        TrackConfig::Opus(_) => opus::SAMPLE_RATE,
    }
}

#[cfg(test)]
mod tests;
