//! Reads DASH manifests (ISO/IEC 23009-1) into the terms of playlists, so that the rest of the
//! player knows of one kind of list only.
//!
//! - `xml`: elements, attributes and text
//! - `read`: the manifest's own terms, made of XML: the types of this file
//! - `template`: how segments are addressed, inherited from Period to Representation, and names
//!   made of `$Number$` and the like
//! - `offer`: what there is to choose from, as a multivariant playlist
//! - `listing`: the segments of one choice across all Periods, as a media playlist
//!
//! A segment is listed with its exact place on the media's own timeline, which a manifest tells and
//! a playlist does not, so that nothing has to be learnt from the media. Media sequence numbers are
//! made up: equal times have equal ones within a track.

mod listing;
mod offer;
mod read;
mod template;
mod whole;
mod xml;

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

pub use listing::{Listing, Moment};
pub use offer::{Choice, Offer};
pub(crate) use read::date_time;
use template::Addressing;
pub use template::ByteRange;

use crate::command::TrackKind;

/// Most Periods.
pub const MAX_PERIODS: usize = 512;
/// Most Representations in a Period.
pub const MAX_REPRESENTATIONS: usize = 64;

/// A manifest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mpd {
    /// Whether more is to come.
    pub dynamic: bool,
    /// `availabilityStartTime` in Unix milliseconds; 0 of a static one, whose times count from its
    /// own beginning.
    pub zero_ms: f64,
    /// `publishTime` in Unix milliseconds.
    pub published_ms: Option<f64>,
    /// `minimumUpdatePeriod` in seconds; without it a manifest never changes.
    pub update_s: Option<f64>,
    /// `timeShiftBufferDepth` in seconds.
    pub depth_s: Option<f64>,
    /// `suggestedPresentationDelay` in seconds.
    pub delay_s: Option<f64>,
    /// The latency to hold, of the `ServiceDescription`, in seconds.
    pub latency_s: Option<f64>,
    /// Where to ask what time it is.
    pub clock: Option<Clock>,
    /// Where to ask for the next manifest, if not where this one came from (`Location`).
    pub location: Option<String>,
    periods: Vec<Period>,
}

/// `UTCTiming`.
#[derive(Clone, Debug, PartialEq)]
pub enum Clock {
    /// The time when the manifest was sent, in Unix milliseconds.
    Direct(f64),
    /// The URL of a document that is an RFC 3339 instant.
    Fetched(String),
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Period {
    id: String,
    /// In seconds after [`Mpd::zero_ms`].
    start_s: f64,
    /// In seconds; of the last Period of a live manifest unknown.
    duration_s: Option<f64>,
    sets: Vec<AdaptationSet>,
}

#[derive(Clone, Debug, PartialEq)]
struct AdaptationSet {
    kind: TrackKind,
    language: Option<String>,
    label: Option<String>,
    /// Whether `Role` says that it is the main one.
    main: bool,
    representations: Vec<Representation>,
}

#[derive(Clone, Debug, PartialEq)]
struct Representation {
    id: String,
    bandwidth: u64,
    codecs: String,
    height: Option<u32>,
    /// What its URLs are relative to, absolute.
    base: Rc<str>,
    addressing: Addressing,
}

#[cfg(test)]
mod tests;
