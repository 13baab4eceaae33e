//! HLS playlists (draft-ietf-hls-rfc8216bis) from records. Pure: records in, text out.
//!
//! - [`live`]: the live media playlist, whole or as a delta update
//! - [`mod@recording`]: the media playlist of a recording
//! - [`mod@dvr`]: the media playlist for rewinding while live
//! - [`mod@i_frames`]: one picture of each segment, for seeking in pictures
//! - [`multivariant`]: the multivariant playlist of each of them
//! - `audio_group`: the sound that players choose from
//! - [`bit_rate`]: peak and mean, as players are told them

mod audio_group;
pub mod bit_rate;
pub mod dvr;
pub mod i_frames;
pub mod live;
pub mod multivariant;
pub mod recording;
mod stored;
mod text;

pub use dvr::dvr;
pub use i_frames::i_frames;
pub use live::LivePlaylist;
pub use multivariant::{Multivariant, Variant};
pub use recording::recording;

/// `EXT-X-TARGETDURATION` of every media playlist, in seconds. It never changes.
pub const TARGET_DURATION_S: u64 = 4;

#[cfg(test)]
mod tests;
