//! HLS playlists (draft-ietf-hls-rfc8216bis) from records. Pure: records in, text out.
//!
//! - [`live`]: the live media playlist, whole or as a delta update
//! - [`mod@recording`]: the media playlist of a recording
//! - [`multivariant`]: the multivariant playlist, live and recorded

pub mod live;
pub mod multivariant;
pub mod recording;
mod text;

pub use live::LivePlaylist;
pub use multivariant::{Multivariant, Variant};
pub use recording::recording;

/// `EXT-X-TARGETDURATION` of every media playlist, in seconds. It never changes.
pub const TARGET_DURATION_S: u64 = 4;

#[cfg(test)]
mod tests;
