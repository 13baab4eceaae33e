//! DASH manifests (ISO/IEC 23009-1, DASH-IF live low latency) from the same records and segments
//! as the playlists. Pure: records in, text out.
//!
//! - [`mod@periods`]: which stretches of a video become Periods, and how each is addressed
//! - [`manifest`]: the MPD, live or static
//! - `adaptation`: which Representations share an AdaptationSet
//! - `xml`: elements and attributes

mod adaptation;
pub mod manifest;
pub mod periods;
mod xml;

pub use manifest::{Manifest, Presentation};
pub use periods::{Addressing, Period, periods};

#[cfg(test)]
mod tests;
