//! Which Representations share an AdaptationSet.

use crate::{record::InitRecord, track, unit::TrackKind};

/// What the Representations of an AdaptationSet have in common: players switch within it, so that
/// it has one codec, and tracks of sound are not one another's qualities.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Set {
    /// Of an audio track, from 0.
    track: usize,
    /// What comes before the profile in an RFC 6381 codec: `avc1` of `avc1.64001f`.
    codec: String,
}

impl Set {
    pub(super) fn of(init: &InitRecord) -> Self {
        let track = match track::of(init.rendition) {
            Some((TrackKind::Audio, index)) => index.get(),
            _ => 0,
        };
        let family = init.codec.split('.').next().unwrap_or_default();
        Self {
            track,
            codec: family.to_owned(),
        }
    }

    /// In the scheme `urn:mpeg:dash:role:2011`.
    pub(super) fn role(&self) -> &'static str {
        match self.track {
            0 => "main",
            _ => "alternate",
        }
    }
}
