//! A transcoder that makes up what it answers.

use std::collections::VecDeque;

use weir_media::{
    framing::{AudioCodec, LadderJob, LadderRung, RungState},
    unit::{Media, Timestamp, TrackConfig, TrackKind, Unit},
};
use weir_model::RenditionId;

use crate::{encoder, world::Answer};

/// A child that puts pictures into display order and makes IDR pictures where it is told to, and
/// frames of sound that are as long as AAC's.
pub(crate) struct Transcoder {
    pub(crate) job: LadderJob,
    pub(crate) source: Option<TrackConfig>,
    pub(crate) alive: bool,
    pub(crate) made: bool,
    pub(crate) returns: bool,
    reorder: VecDeque<(Unit, bool)>,
    /// When the next frame of sound is due.
    sound_at: Option<i64>,
}

/// 1024 samples at 48 kHz, in ticks.
const FRAME: i64 = 1920;

impl Transcoder {
    pub(crate) fn new(job: LadderJob) -> Self {
        Self {
            job,
            source: None,
            alive: true,
            made: true,
            returns: false,
            reorder: VecDeque::new(),
            sound_at: None,
        }
    }

    pub(crate) fn shed(&mut self) -> Vec<(RenditionId, Answer)> {
        self.made = false;
        self.returns = false;
        let at = self.reorder.front();
        let at = at.map_or_else(Timestamp::default, |(unit, _)| unit.pts);
        let shed = |rung: &LadderRung| (rung.id, Answer::Changed(RungState::Shed, at));
        self.job.renditions.iter().map(shed).collect()
    }

    pub(crate) fn feed(&mut self, media: Option<(Media, bool)>) -> Vec<(RenditionId, Answer)> {
        let depth = if media.is_some() { 4 } else { 0 };
        let mut out = Vec::new();
        match media {
            Some((Media::Config(config), _)) if config.kind() == TrackKind::Audio => {
                assert!(!self.job.sound.is_empty(), "sound that nobody asked for");
                for rung in &self.job.sound {
                    let config = match rung.codec {
                        AudioCodec::Aac => encoder::aac(48_000),
                        AudioCodec::Opus => encoder::opus(),
                    };
                    out.push((rung.id, Answer::Media(Media::Config(config))));
                }
            }
            Some((Media::Unit(unit), cut)) if unit.kind == TrackKind::Audio => {
                assert!(!cut && !self.job.sound.is_empty());
                out.extend(self.hear(&unit));
            }
            Some((Media::Config(config), _)) => {
                assert!(
                    !self.job.renditions.is_empty(),
                    "pictures that nobody asked for"
                );
                assert!(self.source.is_none(), "a transcoder has one source");
                self.source = Some(config);
                for rung in &self.job.renditions {
                    let config = Media::Config(encoder::avc(rung.height));
                    out.push((rung.id, Answer::Media(config)));
                }
            }
            Some((Media::Unit(unit), cut)) => {
                let at = self
                    .reorder
                    .partition_point(|(other, _)| other.pts <= unit.pts);
                self.reorder.insert(at, (unit, cut));
            }
            None => {}
        }
        while self.reorder.len() > depth {
            let Some((unit, cut)) = self.reorder.pop_front() else {
                break;
            };
            let dts = Timestamp(unit.pts.0);
            let returns = cut && std::mem::take(&mut self.returns);
            self.made |= returns;
            for rung in self.job.renditions.iter().filter(|_| self.made) {
                if returns {
                    out.push((rung.id, Answer::Changed(RungState::Made, unit.pts)));
                }
                let data = unit.data.clone();
                let unit = Unit {
                    dts,
                    keyframe: cut,
                    data,
                    ..unit
                };
                out.push((rung.id, Answer::Media(Media::Unit(unit))));
            }
        }
        out
    }

    fn hear(&mut self, unit: &Unit) -> Vec<(RenditionId, Answer)> {
        let at = *self.sound_at.get_or_insert(unit.pts.0);
        if unit.pts.0 < at {
            return Vec::new();
        }
        self.sound_at = Some(at + FRAME);
        let made = Unit {
            dts: Timestamp(at),
            pts: Timestamp(at),
            ..unit.clone()
        };
        let rungs = self.job.sound.iter();
        rungs
            .map(|rung| (rung.id, Answer::Media(Media::Unit(made.clone()))))
            .collect()
    }
}
