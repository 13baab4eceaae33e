//! How far a live rendition has come, as an origin tells points of presence.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::{Msn, PlaylistPosition};

/// Name of the header field, `Weir-Live-Edge: {msn}.{parts}`, of an origin's answers for the
/// playlists, segments and parts of a rendition that is on air. It is for points of presence alone.
pub const HEADER: &str = "weir-live-edge";

/// How far a live rendition has come. It only ever grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LiveEdge {
    /// The segment that grows, or comes next.
    pub msn: Msn,
    /// How many of its parts are complete.
    pub parts: u32,
}

/// What is no [`LiveEdge`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a live edge is written {{msn}}.{{parts}}, in decimal numbers")]
pub struct InvalidLiveEdge;

impl LiveEdge {
    /// Whether a playlist position lies more than two segments ahead of the last complete one, for
    /// which the answer is 400 (draft-rfc8216bis section 6.2.5.2).
    pub fn is_too_far(self, at: PlaylistPosition) -> bool {
        at.msn.0 > self.msn.0.saturating_add(1)
    }
}

impl fmt::Display for LiveEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.msn, self.parts)
    }
}

impl FromStr for LiveEdge {
    type Err = InvalidLiveEdge;

    fn from_str(text: &str) -> Result<Self, InvalidLiveEdge> {
        let (msn, parts) = text.split_once('.').ok_or(InvalidLiveEdge)?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !digits(msn) || !digits(parts) {
            return Err(InvalidLiveEdge);
        }
        Ok(Self {
            msn: Msn(msn.parse().map_err(|_| InvalidLiveEdge)?),
            parts: parts.parse().map_err(|_| InvalidLiveEdge)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_segments_ahead_of_the_last_complete_one_is_not_too_far() {
        let edge = LiveEdge {
            msn: Msn(7),
            parts: 2,
        };
        let at = |msn| PlaylistPosition {
            msn: Msn(msn),
            part: None,
        };
        assert!(!edge.is_too_far(at(8)));
        assert!(edge.is_too_far(at(9)));
        let last = LiveEdge {
            msn: Msn(u64::MAX),
            parts: 0,
        };
        assert!(!last.is_too_far(at(u64::MAX)));
    }

    #[test]
    fn refuses_what_is_none() {
        for text in ["", ".", "7", "7.", ".2", "+7.2", "7.2.1", "7,2", " 7.2"] {
            assert_eq!(text.parse::<LiveEdge>(), Err(InvalidLiveEdge), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(msn: u64, parts: u32) {
            let edge = LiveEdge { msn: Msn(msn), parts };
            prop_assert_eq!(edge.to_string().parse(), Ok(edge));
        }

        #[test]
        fn never_panics(text in "[0-9.+ x]{0,24}") {
            let _ = text.parse::<LiveEdge>();
        }
    }
}
