//! The tap: units in media time the moment they come, for those who can't wait until they are
//! packaged.
//!
//! What comes out is what renditions are made of, before segments are cut: of the source as its
//! encoder sent it and its timestamps were repaired, of every other rendition as it was made. A
//! unit of a GAP is among them.

use weir_model::RenditionId;

use super::{AUDIO, Live, SOURCE, event::Output};
use crate::unit::{Media, TrackConfig, TrackKind};

/// Most renditions that are remembered; a ladder has a dozen.
const MOST_TRACKS: usize = 64;

/// What has come of a rendition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Which.
    pub rendition: RenditionId,
    /// How it is coded.
    pub config: TrackConfig,
    /// Whether any picture since then was shown after it was decoded, as B-frames have it.
    pub reorders: bool,
}

#[derive(Debug, Default)]
pub(super) struct Tap {
    open: bool,
    tracks: Vec<Track>,
}

impl Tap {
    /// Takes note of what comes of a rendition. The output, if somebody listens.
    fn take(&mut self, rendition: RenditionId, media: &Media) -> Option<Output> {
        let room = self.tracks.len() < MOST_TRACKS;
        let known = self.tracks.iter_mut().find(|t| t.rendition == rendition);
        match (media, known) {
            (Media::Config(config), Some(track)) => {
                track.config = config.clone();
                track.reorders = false;
            }
            (Media::Config(config), None) if room => {
                self.tracks.push(Track {
                    rendition,
                    config: config.clone(),
                    reorders: false,
                });
            }
            (Media::Unit(unit), Some(track)) => track.reorders |= unit.pts > unit.dts,
            _ => {}
        }
        self.open.then(|| Output::Tapped {
            rendition,
            media: media.clone(),
        })
    }
}

impl Live {
    /// Whether [`Output::Tapped`] is to tell of every unit from now on.
    pub fn tap(&mut self, open: bool) {
        self.tap.open = open;
    }

    /// What has come of each rendition so far, whether or not the tap was open.
    pub fn tracks(&self) -> &[Track] {
        &self.tap.tracks
    }

    pub(super) fn pass_tap(&mut self, rendition: RenditionId, media: &Media) {
        let output = self.tap.take(rendition, media);
        self.outputs.extend(output);
    }

    /// As [`pass_tap`](Self::pass_tap), for what comes from the encoder.
    pub(super) fn source_passes_tap(&mut self, media: &Media) {
        let kind = match media {
            Media::Config(config) => config.kind(),
            Media::Unit(unit) => unit.kind,
        };
        let name = match kind {
            TrackKind::Video => SOURCE,
            TrackKind::Audio => AUDIO,
        };
        if let Ok(rendition) = name.parse() {
            self.pass_tap(rendition, media);
        }
    }
}
