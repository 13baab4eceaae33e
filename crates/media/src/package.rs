//! Units to parts: where time, segments and parts begin and end. Each piece knows one rule.
//!
//! - [`timeline`]: an encoder's timestamps to media time
//! - [`segmenter`]: which unit starts a segment
//! - [`part_target`]: how long parts are
//! - [`track`]: one track's units to its parts

pub mod part_target;
pub mod segmenter;
pub mod timeline;
pub mod track;

pub use part_target::{PartProfile, PartTarget};
pub use segmenter::{Cut, Segmenter};
pub use timeline::Timeline;
pub use track::{Part, TrackPackager};
