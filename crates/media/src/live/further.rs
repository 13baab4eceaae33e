//! Further tracks of an encoder, beside the two that lead: its own ladder, other languages. They
//! follow the track that leads. A unit that may belong to a segment that has not started waits
//! until that is known; one that is a GAP's is dropped.

use std::collections::VecDeque;

use weir_model::{Msn, WallTime};

use super::{
    Live,
    event::Warning,
    intake::{AUDIO_UNITS, Intake},
    lead::Lead,
};
use crate::{
    package::Timeline,
    track::{self, FromTrack, TrackIndex, TrackLabel},
    unit::{Media, TIMESCALE, TrackConfig, TrackKind, Unit},
};

/// Bytes that may wait of one track.
const HELD_BYTES: usize = 4 << 20;

/// How far a picture may be off the start of the segment that it begins, in ticks: 10 ms.
const TOLERANCE: i64 = TIMESCALE as i64 / 100;

/// One of the further tracks of the encoder that is connected.
#[derive(Debug)]
pub(super) struct Further {
    kind: TrackKind,
    index: TrackIndex,
    pub(super) config: Option<TrackConfig>,
    /// Its rendition has been told the configuration.
    joined: bool,
    /// Its coding changes with this segment; until then there is no place for its units.
    from: Option<Msn>,
    waiting: Waiting,
}

/// Units that wait, in decode order: in the encoder's time until its media time has started.
#[derive(Debug, Default)]
struct Waiting {
    units: VecDeque<Unit>,
    bytes: usize,
}

impl Waiting {
    /// Answers how many units had to go for it.
    fn push(&mut self, unit: Unit) -> u64 {
        self.bytes += unit.data.len();
        self.units.push_back(unit);
        let mut dropped = 0;
        while self.units.len() > AUDIO_UNITS || self.bytes > HELD_BYTES {
            if self.pop_if(|_| true).is_none() {
                break;
            }
            dropped += 1;
        }
        dropped
    }

    fn pop_if(&mut self, condition: impl FnOnce(&Unit) -> bool) -> Option<Unit> {
        let unit = self.units.pop_front_if(|unit| condition(unit))?;
        self.bytes -= unit.data.len();
        Some(unit)
    }
}

impl Further {
    fn new(kind: TrackKind, index: TrackIndex) -> Self {
        Self {
            kind,
            index,
            config: None,
            joined: false,
            from: None,
            waiting: Waiting::default(),
        }
    }

    /// The same track after a pause.
    pub(super) fn resumed(self) -> Self {
        Self {
            config: self.config,
            ..Self::new(self.kind, self.index)
        }
    }

    /// What came before media time did, and can be of use: sound, and pictures from the newest
    /// keyframe on.
    fn await_start(&mut self, unit: Unit) -> u64 {
        let mut dropped = 0;
        if self.kind == TrackKind::Video && unit.keyframe {
            dropped += std::mem::take(&mut self.waiting).units.len() as u64;
        }
        dropped + self.waiting.push(unit)
    }

    /// Media time has started: what waits is moved into it.
    pub(super) fn start(&mut self, timeline: &mut Timeline) {
        for unit in &mut self.waiting.units {
            *unit = timeline.place(self.index, unit.clone());
        }
    }
}

impl Intake {
    fn further_mut(&mut self, kind: TrackKind, index: TrackIndex) -> &mut Further {
        let known = self
            .further
            .iter()
            .position(|track| (track.kind, track.index) == (kind, index));
        let at = known.unwrap_or_else(|| {
            self.further.push(Further::new(kind, index));
            self.further.len() - 1
        });
        &mut self.further[at]
    }

    /// Whether the encoder sends a further track.
    pub(super) fn sends(&self, kind: TrackKind, index: TrackIndex) -> bool {
        let mut further = self.further.iter();
        further.any(|track| (track.kind, track.index) == (kind, index) && track.config.is_some())
    }

    /// What a track is called.
    pub(super) fn label(&self, kind: TrackKind, index: TrackIndex) -> Option<&TrackLabel> {
        let label = self.labels.iter().find(|(of, _)| *of == (kind, index));
        label.map(|(_, label)| label)
    }
}

impl Live {
    /// From the encoder: a further track's media, in the encoder's time, or what a track is
    /// called.
    pub fn push_track(&mut self, now: WallTime, from_track: FromTrack) {
        if self.is_over() || !self.encoder().connected {
            return;
        }
        match from_track {
            FromTrack::Media { index, media } if index.is_lead() => return self.push(now, media),
            other => self.bring_in(|live| live.receive_track(other)),
        }
        self.after(now);
    }

    fn receive_track(&mut self, from_track: FromTrack) {
        match from_track {
            FromTrack::Label { kind, index, label } => {
                let labels = &mut self.intake.labels;
                labels.retain(|(of, _)| *of != (kind, index));
                labels.push(((kind, index), label));
            }
            FromTrack::Media { index, media } => match media {
                Media::Config(config) => self.configure_track(index, config),
                Media::Unit(unit) => self.take_further(index, unit),
            },
        }
    }

    fn configure_track(&mut self, index: TrackIndex, config: TrackConfig) {
        let kind = config.kind();
        let track = self.intake.further_mut(kind, index);
        if track.config.as_ref() == Some(&config) {
            return;
        }
        track.config = Some(config);
        track.joined = false;
        if self.intake.lead != Lead::Nobody {
            self.join_tracks();
        }
    }

    /// Tells the renditions of further tracks how they are coded from now on.
    pub(super) fn join_tracks(&mut self) {
        let mut further = std::mem::take(&mut self.intake.further);
        for track in further.iter_mut().filter(|track| !track.joined) {
            self.join(track);
        }
        self.intake.further = further;
    }

    fn join(&mut self, track: &mut Further) {
        let Some(config) = track.config.clone() else {
            return;
        };
        track.joined = true;
        let (kind, next) = (track.kind, self.schedule.next());
        let id = track::rendition(kind, track.index);
        let on_air = self.intake.lead != Lead::Nobody;
        let label = self.intake.label(kind, track.index).cloned();
        self.ensure_rendition(id, kind);
        let Some(rendition) = self.rendition_mut(id.as_str()) else {
            return;
        };
        rendition.label = label.unwrap_or_default();
        let known = rendition.newest_config().cloned();
        match known {
            // A picture in the middle of a segment is of no use, sound is.
            None if on_air && kind == TrackKind::Audio => {
                rendition.configure(rendition.next, config);
                rendition.resumes = Some(rendition.next);
            }
            None => {
                rendition.configure(next, config);
                rendition.resumes = on_air.then_some(next);
            }
            Some(known) if known == config => {
                rendition.resumes = rendition.resumes.or(on_air.then_some(next));
            }
            Some(_) => {
                rendition.configure(next, config);
                rendition.resumes = rendition.resumes.or(on_air.then_some(next));
                if on_air {
                    self.release(track, i64::MAX);
                    track.from = Some(next);
                }
                self.intake.breaks = true;
                self.intake.segmenter.renew();
            }
        }
    }

    fn take_further(&mut self, index: TrackIndex, unit: Unit) {
        let kind = unit.kind;
        let intake = &mut self.intake;
        let Some(timeline) = &mut intake.timeline else {
            self.repairs.units_dropped += intake.further_mut(kind, index).await_start(unit);
            return;
        };
        let (jumps, clamped) = (timeline.jumps, timeline.clamped);
        let unit = timeline.place(index, unit);
        self.repairs.timestamps_clamped += timeline.clamped - clamped;
        let jumped = timeline.jumps > jumps;
        self.repairs.units_dropped += intake.further_mut(kind, index).waiting.push(unit);
        if jumped {
            self.repairs.timestamp_jumps += 1;
            self.warn(Warning::TimestampJump);
        }
        self.release_tracks();
    }

    /// Gives on what cannot belong to a later segment.
    pub(super) fn release_tracks(&mut self) {
        if self.intake.further.is_empty() {
            return;
        }
        let sure = match self.intake.lead {
            Lead::Nobody => return,
            Lead::Video => self.sure(self.intake.video_at),
            Lead::Audio => self.intake.audio_at,
        };
        self.release_tracks_until(sure);
    }

    /// Gives on what is shown at `sure` at the latest.
    pub(super) fn release_tracks_until(&mut self, sure: i64) {
        let mut further = std::mem::take(&mut self.intake.further);
        for track in &mut further {
            self.release(track, sure);
        }
        self.intake.further = further;
    }

    fn release(&mut self, track: &mut Further, sure: i64) {
        while let Some(unit) = track.waiting.pop_if(|unit| unit.pts.0 <= sure) {
            self.follow_track(track, unit);
        }
    }

    fn follow_track(&mut self, track: &mut Further, unit: Unit) {
        let Self {
            renditions,
            schedule,
            context,
            outputs,
            repairs,
            ..
        } = self;
        if let Some(from) = track.from {
            let begun = schedule.get(from);
            if schedule.next() <= from
                || begun.is_some_and(|slot| unit.pts.0.saturating_add(TOLERANCE) < slot.start)
            {
                repairs.units_dropped += 1;
                return;
            }
            track.from = None;
        }
        let id = track::rendition(track.kind, track.index);
        let Some(rendition) = renditions.iter_mut().find(|r| r.id == id) else {
            repairs.units_dropped += 1;
            return;
        };
        let resyncs = rendition.resyncs();
        let keyframe_at = (track.kind == TrackKind::Video && unit.keyframe).then_some(unit.pts.0);
        let placed = rendition.follow(unit, schedule, *context, outputs);
        let resyncs = rendition.resyncs() - resyncs;
        let slot = schedule.get(rendition.next);
        // A keyframe within a segment that did not start with one.
        let apart =
            !placed && slot.is_some_and(|slot| keyframe_at.is_some_and(|at| at > slot.start));
        repairs.units_dropped += u64::from(!placed);
        repairs.audio_resyncs += resyncs;
        if resyncs > 0 {
            self.warn(Warning::AudioDrift);
        }
        if apart {
            self.warn(Warning::TrackApart);
        }
    }

    /// A segment has started: media of further tracks is expected from it on.
    pub(super) fn tracks_begun(&mut self, msn: Option<Msn>, breaks: bool) {
        let further = &self.intake.further;
        let pictures = self.intake.lead == Lead::Video;
        let expected =
            |track: &&Further| track.joined && (pictures || track.kind == TrackKind::Audio);
        let ids: Vec<_> = further
            .iter()
            .filter(expected)
            .map(|track| track::rendition(track.kind, track.index))
            .collect();
        for rendition in self.renditions.iter_mut().filter(|r| ids.contains(&r.id)) {
            rendition.resumes = rendition.resumes.or(msn);
            if breaks {
                rendition.rejoin();
            }
        }
    }
}
