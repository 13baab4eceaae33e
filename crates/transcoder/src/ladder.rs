//! One decode, many encodes: a source's units to those of every rung.

mod rung;
mod source;

use std::collections::BTreeSet;

use thiserror::Error;
use tracing::{info, warn};
use weir_media::{
    codec::InvalidAvc,
    framing::{Frame, LadderJob},
    unit::{Timestamp, TrackConfig, TrackKind, Unit},
};
use weir_model::RenditionId;

use self::{rung::Rung, source::Source};
use crate::{av::AvError, pace::Pace};

/// What ends a ladder. Damaged units don't: they are skipped.
#[derive(Debug, Error)]
pub enum LadderError {
    /// libav has no H.264 decoder, or no memory for one.
    #[error("cannot open the decoder: {0}")]
    OpenDecoder(AvError),
    /// x264 or the scaler refused a rung.
    #[error("cannot open the encoder of {rendition}: {cause}")]
    OpenEncoder {
        /// The rung.
        rendition: RenditionId,
        /// What libav said.
        cause: AvError,
    },
    /// x264 failed on a picture.
    #[error("cannot encode {rendition}: {cause}")]
    Encode {
        /// The rung.
        rendition: RenditionId,
        /// What libav said.
        cause: AvError,
    },
    /// x264 wrote parameter sets that cannot be packaged.
    #[error("the encoder of {rendition} is not configured as it should be: {cause}")]
    Config {
        /// The rung.
        rendition: RenditionId,
        /// What is wrong.
        cause: InvalidAvc,
    },
}

/// A live ladder: every picture of the source comes back once in every rung, with its PTS, and as
/// an IDR picture exactly where the source has one or asks for one.
pub struct LiveLadder {
    source: Option<Source>,
    /// PTS of pictures to be coded as IDR, which the decoder has yet to give back.
    forced: BTreeSet<Timestamp>,
    last_pts: Option<Timestamp>,
    pace: Pace,
    rungs: Vec<Rung>,
}

impl LiveLadder {
    /// A ladder that waits for its source's configuration.
    pub fn new(job: LadderJob) -> Self {
        let rungs = job.renditions.into_iter().map(Rung::new).collect();
        Self {
            source: None,
            forced: BTreeSet::new(),
            last_pts: None,
            pace: Pace::default(),
            rungs,
        }
    }

    /// The source begins, or goes on coded differently.
    ///
    /// # Errors
    /// [`LadderError`], which ends the ladder.
    pub fn configure(
        &mut self,
        config: &TrackConfig,
        out: &mut Vec<Frame>,
    ) -> Result<(), LadderError> {
        let TrackConfig::Avc(config) = config else {
            return Ok(());
        };
        if self
            .source
            .as_ref()
            .is_some_and(|source| source.config() == config)
        {
            return Ok(());
        }
        // A decoder may drop what it holds back when the size changes under it.
        self.drain_decoder(out)?;
        info!(
            width = config.width,
            height = config.height,
            "source configured"
        );
        let source = Source::open(config.clone()).map_err(LadderError::OpenDecoder)?;
        self.source = Some(source);
        Ok(())
    }

    /// Takes a unit of the source and appends to `out` what came of it. Sound is passed over.
    ///
    /// # Errors
    /// [`LadderError`], which ends the ladder.
    pub fn push(
        &mut self,
        unit: &Unit,
        cut: bool,
        out: &mut Vec<Frame>,
    ) -> Result<(), LadderError> {
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        if unit.kind != TrackKind::Video {
            return Ok(());
        }
        if !source.send(unit) {
            return Ok(());
        }
        if unit.keyframe || cut {
            self.forced.insert(unit.pts);
            // A decoder holds back at most 16 pictures; a time that never comes is let go.
            const MOST_PENDING: usize = 64;
            if self.forced.len() > MOST_PENDING {
                self.forced.pop_first();
            }
        }
        self.encode_decoded(out)
    }

    /// Nothing follows: appends to `out` all that was held back.
    ///
    /// # Errors
    /// [`LadderError`], which ends the ladder.
    pub fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), LadderError> {
        self.drain_decoder(out)?;
        self.rungs.iter_mut().try_for_each(|rung| rung.finish(out))
    }

    fn drain_decoder(&mut self, out: &mut Vec<Frame>) -> Result<(), LadderError> {
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        source.send_end();
        self.encode_decoded(out)?;
        self.source = None;
        Ok(())
    }

    fn encode_decoded(&mut self, out: &mut Vec<Frame>) -> Result<(), LadderError> {
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        let frame_rate = source.frame_rate();
        while let Some(mut picture) = source.next_picture() {
            let Some(pts) = picture.pts() else { continue };
            if self.last_pts.is_some_and(|last| pts <= last) {
                warn!(pts = pts.0, "picture out of order skipped");
                continue;
            }
            self.last_pts = Some(pts);
            self.pace.note(pts);
            // An IDR picture that was lost is made up for by the next picture.
            let later = self.forced.split_off(&Timestamp(pts.0.saturating_add(1)));
            let idr = !std::mem::replace(&mut self.forced, later).is_empty();
            for rung in &mut self.rungs {
                if idr {
                    rung.correct_bitrate(&self.pace);
                }
                rung.push(&mut picture, idr, frame_rate, out)?;
            }
        }
        Ok(())
    }
}
