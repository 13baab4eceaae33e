//! The source as a whole: where to begin, how it is coded where no list tells, and why it cannot be
//! played if it cannot.

use alloc::borrow::ToOwned;
use alloc::vec;

use super::Player;
use super::coding::mime_type;
use super::dash::{Dash, READS_MANIFESTS};
use super::interface::Phase;
use super::requests::Purpose;
use crate::boxes;
use crate::command::Command;
use crate::playlist::{InvalidPlaylist, Multivariant, Variant};
use crate::url::resolve;

/// Patience with an initialisation segment, in ms.
const ANSWER_MS: u64 = 10_000;

/// What is known of the source as a whole.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// The manifest, if it is DASH and this build of the module has a reader for it.
    dash: Option<Dash>,
    /// Where `EXT-X-START` says to begin, in seconds; from the end if negative.
    pub(super) start_s: Option<f64>,
    /// Whether nothing has told how the media is coded, so that no SourceBuffer can be made before
    /// an initialisation segment has been read.
    pub(super) uncoded: bool,
    /// What it has that this player does not play.
    refused: Option<&'static str>,
}

impl Source {
    pub(super) fn dash(&self) -> Option<&Dash> {
        self.dash.as_ref().filter(|_| READS_MANIFESTS)
    }

    pub(super) fn dash_mut(&mut self) -> Option<&mut Dash> {
        self.dash.as_mut().filter(|_| READS_MANIFESTS)
    }

    pub(super) fn set_dash(&mut self, dash: Dash) {
        self.dash = Some(dash);
    }
}

impl Player {
    /// What of the source cannot be played, in a few words, if [`Phase::Unplayable`] is for good.
    pub fn refused(&self) -> Option<&'static str> {
        self.source.refused
    }

    /// The first text turned out to be of no use. A damaged one is asked for again; one that asks
    /// for something else than this player has is not.
    pub(super) fn refuse(&mut self, now: u64, why: InvalidPlaylist) {
        if let InvalidPlaylist::Unsupported(what) = why {
            self.source.refused = Some(what);
            while let Some(id) = self.requests.first().map(|request| request.id) {
                self.abort(id);
            }
        } else {
            self.multivariant_retry.failed(now);
        }
        self.set_phase(Phase::Unplayable);
    }

    /// Where to begin in what lies between two instants, all in Unix milliseconds, if the source
    /// has a wish.
    pub(super) fn wished_start(&self, start_ms: f64, end_ms: f64) -> Option<f64> {
        let wish_ms = self.source.start_s? * 1000.0;
        let from_ms = if wish_ms < 0.0 { end_ms } else { start_ms };
        Some((from_ms + wish_ms).min(end_ms).max(start_ms))
    }

    /// Makes SourceBuffers, or finds out first what for.
    pub(super) fn open_or_probe(&mut self) {
        self.source.uncoded = self
            .tracks
            .iter()
            .any(|track| is_bare(&track.rendition().mime));
        if !self.source.uncoded {
            self.open();
        }
    }

    /// Reads the initialisation segments of what is not known to be coded any way.
    pub(super) fn plan_probes(&mut self, now: u64) {
        for t in 0..self.tracks.len() {
            let track = &self.tracks[t];
            let rendition = track.rendition();
            let timeline = &rendition.timeline;
            let asked = self
                .requests
                .iter()
                .any(|request| matches!(request.purpose, Purpose::Probe { track } if track == t));
            if asked || !is_bare(&rendition.mime) || !track.retry.is_due(now) {
                continue;
            }
            let newest = timeline.edge().msn.saturating_sub(1);
            let map = timeline
                .get(newest)
                .and_then(|segment| segment.map.as_deref());
            if let Some(map) = map {
                let url = resolve(&rendition.base, map);
                self.fetch(now, url, Purpose::Probe { track: t }, ANSWER_MS);
            }
        }
    }

    /// An initialisation segment has come that was asked for to learn how the media is coded.
    pub(super) fn probed(&mut self, now: u64, t: usize, init: &[u8]) {
        let codecs = boxes::codecs(init);
        if codecs
            .iter()
            .any(|codec| matches!(&**codec, "encv" | "enca"))
        {
            return self.refuse(now, InvalidPlaylist::Unsupported("encrypted media"));
        }
        if codecs.is_empty() {
            return self.refuse(
                now,
                InvalidPlaylist::Unsupported("media that is not fragmented MP4"),
            );
        }
        let track = &mut self.tracks[t];
        let mime = mime_type(track.kind, &codecs.join(","));
        for rendition in &mut track.renditions {
            if is_bare(&rendition.mime) {
                rendition.mime.clone_from(&mime);
            }
        }
        self.open_or_probe();
        self.commands.push(Command::Changed);
    }
}

/// A media playlist that stands for itself: one variant, of which nothing is known.
pub(super) fn alone(url: &str) -> Multivariant {
    let variant = Variant {
        uri: url.to_owned(),
        bandwidth: 1,
        ..Variant::default()
    };
    Multivariant {
        variants: vec![variant],
        ..Multivariant::default()
    }
}

/// Whether a MIME type names no codec.
fn is_bare(mime: &str) -> bool {
    mime.ends_with("\"\"")
}
