//! Sans-IO media formats and packaging. Wasm-safe: no runtime, no clock, no unsafe code.
//!
//! Media comes in as [`mod@unit`]s and leaves as segments and playlists:
//!
//! - [`mod@unit`]: timed access units, the currency of the media path
//! - [`track`]: which of an encoder's tracks
//! - [`codec`]: codec configurations, parsed
//! - [`framing`]: what the origin and its transcoder child say to each other
//! - [`fmp4`]: fragmented MP4, written and read
//! - [`package`]: units to parts and segments: timeline, segment cuts, part rules
//! - [`live`]: one live video: its window, its positions, its outputs
//! - [`record`]: what is remembered of every segment
//! - [`hls`]: playlists from records
//! - [`dash`]: DASH manifests from the same records
//! - [`ceiling`]: how many lines a viewer is meant to get
//! - [`steering`]: which pathway a list is of, and who knows of others
//! - [`span`]: the recording in stretches of about ten seconds

pub mod ceiling;
pub mod codec;
pub mod dash;
pub mod fmp4;
pub mod framing;
pub mod hls;
pub mod live;
pub mod package;
pub mod record;
pub mod span;
pub mod steering;
pub mod track;
pub mod unit;
