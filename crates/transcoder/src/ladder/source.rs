//! What a ladder is made of: the source's pictures.

use tracing::{debug, warn};
use weir_media::{
    codec::{AvcConfig, FrameRate, annexb},
    unit::{Timestamp, Unit},
};

use crate::av::{AvError, Decoder, Picture};

/// A decoder and what it decodes.
pub(super) struct Source {
    config: AvcConfig,
    decoder: Decoder,
    /// Whether an IDR picture has come; nothing before it can be decoded.
    started: bool,
    /// Whether the last unit was refused, so that a run of them is told once.
    failing: bool,
}

impl Source {
    pub(super) fn open(config: AvcConfig) -> Result<Self, AvError> {
        Ok(Self {
            config,
            decoder: Decoder::open()?,
            started: false,
            failing: false,
        })
    }

    pub(super) fn config(&self) -> &AvcConfig {
        &self.config
    }

    /// A rate that is not told is taken for a high one: it chooses the level of the rungs, and
    /// one too high harms nobody.
    pub(super) fn frame_rate(&self) -> FrameRate {
        const UNTOLD: FrameRate = FrameRate {
            numerator: 60,
            denominator: 1,
        };
        self.config.frame_rate.unwrap_or(UNTOLD)
    }

    /// Takes a unit. `false` when it comes before the first IDR picture and is of no use.
    pub(super) fn send(&mut self, unit: &Unit) -> bool {
        self.started |= unit.keyframe;
        if self.started {
            let refused = self.decode(unit).err();
            self.note(refused, Some(unit.pts));
        }
        self.started
    }

    /// No unit follows.
    pub(super) fn send_end(&mut self) {
        let refused = self.decoder.send_end().err();
        self.note(refused.map(|error| error.to_string()), None);
    }

    /// The next picture in the order of showing, if there is one yet.
    pub(super) fn next_picture(&mut self) -> Option<Picture> {
        match self.decoder.next_picture() {
            Ok(picture) => picture,
            Err(error) => {
                self.note(Some(error.to_string()), None);
                None
            }
        }
    }

    fn decode(&mut self, unit: &Unit) -> Result<(), String> {
        let stream = annexb::from_length_prefixed(&self.config, unit.keyframe, &unit.data)
            .map_err(|error| error.to_string())?;
        self.decoder
            .send(&stream, unit.pts)
            .map_err(|error| error.to_string())
    }

    /// Logs the first of a run of refused units loudly and the rest quietly.
    fn note(&mut self, refused: Option<String>, pts: Option<Timestamp>) {
        let pts = pts.map(|pts| pts.0);
        match &refused {
            Some(error) if self.failing => debug!(error, pts, "unit skipped"),
            Some(error) => warn!(error, pts, "unit skipped"),
            None => {}
        }
        self.failing = refused.is_some();
    }
}
