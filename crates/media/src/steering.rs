//! What lists say of content steering (draft-rfc8216bis section 4.4.6.6, ETSI TS 103 998): of which
//! pathway they are, and who knows of others. The edge answers there.

/// Where the steering manifest is, relative to multivariant playlists and MPDs, so that a playback
/// token in the path of the one is in that of the other.
pub const SERVER: &str = "steering.json";

/// The pathway of what is listed, which is HLS's name for one that has none.
pub const PATHWAY: &str = ".";
