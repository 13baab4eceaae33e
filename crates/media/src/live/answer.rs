//! What requests are answered.

use bytes::Bytes;
use weir_model::PlaylistPosition;

/// Where a position of a live media playlist is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionAnswer {
    /// In the segment that grows, or in the last complete one. This is its one spelling: whoever
    /// asks for the same may get the same playlist.
    Reached(PlaylistPosition),
    /// Before those, or the video has ended: the playlist as it is.
    Passed,
    /// Still to come: ask again on each [`Output::Advanced`](super::Output::Advanced).
    Wait,
    /// More than two segments ahead: status 400.
    TooFarAhead,
    /// The video has no such rendition (yet): status 404.
    Unknown,
}

/// Answer to a request for an initialisation segment, a segment or a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaAnswer {
    /// The bytes, in order.
    Ready(Vec<Bytes>),
    /// Hinted and not complete yet: ask again on each
    /// [`Output::Advanced`](super::Output::Advanced).
    Wait,
    /// Not in memory: another epoch's, older than the window, a GAP, or never named.
    Gone,
}

/// Answer to a request for the chunks of a segment that may still grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrowthAnswer {
    /// The chunks that there are beyond those asked from.
    More {
        /// In order; none if there is nothing new.
        chunks: Vec<Bytes>,
        /// The segment is complete with them.
        complete: bool,
    },
    /// The segment is to come: ask again on each [`Output::Advanced`](super::Output::Advanced).
    Wait,
    /// Not in memory, or it became a GAP.
    Gone,
}
