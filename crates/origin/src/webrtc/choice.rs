//! Which renditions a WebRTC client plays: pictures in H.264 that are shown in the order in which
//! they are decoded, and sound in Opus. Browsers play nothing else.

use str0m::{
    format::{Codec, PayloadParams},
    media::Pt,
};
use thiserror::Error;
use weir_media::{
    live::{AUDIO, SOURCE, tap::Track},
    unit::TrackConfig,
};
use weir_model::RenditionId;

/// Most lines of a rung that is played; of more, the source alone.
const MOST_LINES: u32 = 720;
/// The rendition that the transcoder makes of other sound, for WebRTC alone.
const AUDIO_OPUS: &str = "audio-opus";

/// What H.264 decoders can do, from the least (RFC 6184 table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Profile {
    Baseline,
    Main,
    High,
}

/// Why nothing can be played.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Unplayable {
    /// No media has come yet.
    #[error("nothing has come from the encoder yet; try again in a moment")]
    Nothing,
    /// The pictures need decoders that WebRTC has not.
    #[error(
        "WebRTC can't play this broadcast: its pictures are reordered (B-frames) or not H.264, \
         and there is no other rendition. The streamer sets bframes=0 (in OBS: 0 B-frames, or \
         tune zerolatency), or the operator offers a ladder"
    )]
    Pictures,
    /// The client's offer has nothing that fits.
    #[error(
        "the offer has a section of neither pictures nor sound that this broadcast can fill; it \
         has {0}"
    )]
    Offer(&'static str),
}

/// A way to send pictures that the client agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) pt: Pt,
    profile: Profile,
}

impl Payload {
    /// Of H.264; `None` of another codec.
    pub(super) fn of(params: &PayloadParams) -> Option<Self> {
        let spec = params.spec();
        let id = spec.format.profile_level_id.unwrap_or(0x42_001f);
        (spec.codec == Codec::H264).then(|| Self {
            pt: params.pt(),
            profile: Profile::of((id >> 16) as u8).unwrap_or(Profile::Baseline),
        })
    }
}

impl Profile {
    /// By profile_idc; `None` of one that no browser takes over RTP.
    fn of(profile_idc: u8) -> Option<Self> {
        match profile_idc {
            66 => Some(Self::Baseline),
            77 => Some(Self::Main),
            100 => Some(Self::High),
            _ => None,
        }
    }
}

/// Pictures to play, and how to send them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pictures {
    pub(super) rendition: RenditionId,
    pub(super) pt: Pt,
}

/// The best pictures of what there is, for a client that agreed to `payloads`: the source if it is
/// not reordered, else the tallest rung of at most [`MOST_LINES`]; those first that the client's
/// profile covers. Decoders do more than their offers say, so that a profile alone refuses nobody.
pub(super) fn pictures(tracks: &[Track], payloads: &[Payload]) -> Option<Pictures> {
    let mut candidates: Vec<(bool, u32, RenditionId, Profile)> = tracks
        .iter()
        .filter(|track| !track.reorders)
        .filter_map(|track| {
            let TrackConfig::Avc(config) = &track.config else {
                return None;
            };
            let profile = Profile::of(*config.record.get(1)?)?;
            let source = track.rendition.as_str() == SOURCE;
            let fits = source || config.height <= MOST_LINES;
            fits.then_some((source, config.height, track.rendition, profile))
        })
        .collect();
    candidates.sort_by_key(|&(source, height, ..)| std::cmp::Reverse((source, height)));
    let covering = |profile: Profile| {
        let covers = payloads.iter().filter(|payload| payload.profile >= profile);
        covers.min_by_key(|payload| payload.profile)
    };
    let covered = candidates.iter().find_map(|&(_, _, rendition, profile)| {
        let payload = covering(profile)?;
        Some((rendition, payload))
    });
    let hoped = || {
        let (_, _, rendition, _) = candidates.first()?;
        let payload = payloads.iter().max_by_key(|payload| payload.profile)?;
        Some((*rendition, payload))
    };
    let (rendition, payload) = covered.or_else(hoped)?;
    Some(Pictures {
        rendition,
        pt: payload.pt,
    })
}

/// The sound to play, if there is any in Opus.
pub(super) fn sound(tracks: &[Track]) -> Option<RenditionId> {
    [AUDIO, AUDIO_OPUS].iter().find_map(|name| {
        let track = tracks.iter().find(|t| t.rendition.as_str() == *name)?;
        matches!(track.config, TrackConfig::Opus(_)).then_some(track.rendition)
    })
}

/// Whether anything can be played with an offer that has these sections.
pub(super) fn check(
    tracks: &[Track],
    payloads: Option<&[Payload]>,
    has_sound: bool,
) -> Result<(), Unplayable> {
    if tracks.is_empty() {
        return Err(Unplayable::Nothing);
    }
    let shown = tracks.iter().any(|track| track.config.picture().is_some());
    let pictures = payloads.map(|payloads| pictures(tracks, payloads));
    match (shown, pictures) {
        (true, Some(None)) => Err(Unplayable::Pictures),
        (_, Some(Some(_))) => Ok(()),
        _ if has_sound && sound(tracks).is_some() => Ok(()),
        (true, _) => Err(Unplayable::Offer("pictures")),
        (false, _) => Err(Unplayable::Offer("sound, which may not be Opus")),
    }
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;
