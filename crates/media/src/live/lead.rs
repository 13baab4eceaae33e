//! The track that leads decides where segments start: video, or audio without it. Audio waits
//! until it is known to which segment it belongs.

use weir_model::WallTime;

use super::{
    AUDIO, Live, Phase, SOURCE, Transcoder,
    event::{Output, Warning},
    intake::AUDIO_UNITS,
    rendition::{Rendition, scale},
};
use crate::{
    fmp4,
    package::{
        Cut, PartTarget,
        segmenter::{LONGEST_SEGMENT, SEGMENT},
    },
    track,
    unit::{Media, TIMESCALE, TrackKind, Unit},
};

/// Video that is this far behind audio is missing, in ticks: a longest segment and half a second.
const VIDEO_MISSING: i64 = 9 * TIMESCALE as i64 / 2;

/// A hole longer than this, in ticks, becomes a GAP segment: 0.2 s.
const HOLE: i64 = TIMESCALE as i64 / 5;

/// Intervals between pictures by which PART-TARGET is chosen, unless 0.3 s pass before.
const INTERVALS: usize = 8;

/// Whose units decide where segments start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lead {
    /// None: a keyframe is awaited.
    #[default]
    Nobody,
    Video,
    Audio,
}

impl Live {
    pub(super) fn take_video(&mut self, now: WallTime, unit: Unit) -> Result<(), Unit> {
        let cut = match self.intake.lead {
            Lead::Video => self.intake.segmenter.verdict(&unit),
            _ if unit.keyframe && unit.pts.0 >= self.schedule.end() => {
                Some(Cut { independent: true })
            }
            _ => {
                self.repairs.units_dropped += 1;
                return Ok(());
            }
        };
        match cut {
            Some(_) if !self.can_start_at(now, unit.pts.0) => return Err(unit),
            Some(cut) => {
                if !cut.independent {
                    self.repairs.forced_cuts += 1;
                    self.warn(Warning::KeyframeInterval);
                    self.remade.forced_cut(now);
                }
                self.cut_at_video(now, &unit, cut.independent);
            }
            None => {
                self.measure_interval(unit.dts.0 - self.intake.video_at);
                self.intake.segmenter.extend(&unit);
            }
        }
        self.intake.video_at = unit.dts.0;
        self.intake.shown_at = self.intake.shown_at.max(unit.pts.0);
        if self.transcoder.takes(TrackKind::Video) {
            let media = Media::Unit(unit.clone());
            self.outputs.push_back(Output::Transcode {
                media,
                cut: cut.is_some(),
            });
        }
        if let Some(source) = self.rendition_mut(SOURCE) {
            source.append(unit);
        }
        self.release_audio(self.intake.video_at);
        self.release_tracks();
        Ok(())
    }

    /// A segment starts with this picture, in all renditions.
    fn cut_at_video(&mut self, now: WallTime, unit: &Unit, independent: bool) {
        let breaks = std::mem::take(&mut self.intake.breaks);
        if self.intake.lead != Lead::Video {
            self.join_tracks();
        }
        self.renew_transcoder(independent, self.intake.lead != Lead::Video);
        let discontinuity = breaks && self.schedule.next() > self.first;
        let msn = self.schedule.start(now, unit.pts.0, discontinuity);
        let Self {
            renditions,
            schedule,
            context,
            outputs,
            ..
        } = self;
        if let Some(source) = renditions.iter_mut().find(|r| r.id.as_str() == SOURCE) {
            while let Some(slot) = schedule.get(source.next).filter(|slot| slot.msn < msn) {
                source.finish(slot, Some(unit.dts.0), *context, outputs);
            }
            if let Some(slot) = schedule.last() {
                source.open(slot, *context, outputs);
            }
            source.resumes.get_or_insert(msn);
        }
        self.intake.segmenter.begin(unit);
        if self.remade_is_due() {
            // Where keyframes are rare, none is to be missed.
            self.intake.segmenter.renew();
        }
        self.begun(Lead::Video, breaks);
        if self.transcoder == Transcoder::Off && independent {
            self.start_transcoder();
        }
    }

    /// A segment has started.
    fn begun(&mut self, lead: Lead, breaks: bool) {
        self.intake.lead = lead;
        self.intake.audio_changed = false;
        if !self.stand_in.is_on_air() {
            self.phase = Phase::Live;
            self.end_absence();
        }
        let has_audio = self.intake.audio.is_some();
        let msn = self.schedule.last().map(|slot| slot.msn);
        if let Some(audio) = self.rendition_mut(AUDIO).filter(|_| has_audio) {
            audio.resumes = audio.resumes.or(msn);
            if breaks {
                audio.rejoin();
            }
        }
        self.tracks_begun(msn, breaks);
    }

    pub(super) fn take_audio(&mut self, now: WallTime, unit: Unit) -> Result<(), Unit> {
        if self.intake.audio_changed {
            self.repairs.units_dropped += 1;
            return Ok(());
        }
        match self.intake.lead {
            Lead::Audio => self.lead_by_audio(now, unit),
            Lead::Nobody if self.intake.video.is_none() => self.lead_by_audio(now, unit),
            Lead::Nobody | Lead::Video => {
                let at = unit.pts.0;
                self.intake.held.push_back(unit);
                if self.intake.held.len() > AUDIO_UNITS {
                    self.intake.held.pop_front();
                    self.repairs.units_dropped += 1;
                }
                if self.intake.lead == Lead::Video {
                    self.release_audio(self.intake.video_at);
                    if at - self.intake.video_at > VIDEO_MISSING {
                        self.go_on_without_video();
                    }
                }
                Ok(())
            }
        }
    }

    /// Gives on the audio that cannot belong to a later segment: no segment starts at or before
    /// `video_at`, the decode time of the newest picture, any more.
    pub(super) fn release_audio(&mut self, video_at: i64) {
        if self.intake.lead == Lead::Nobody {
            return;
        }
        let sure = self.sure(video_at);
        while let Some(unit) = self.intake.held.pop_front_if(|unit| unit.pts.0 <= sure) {
            self.follow_audio(unit);
        }
    }

    /// Until when it is sure which segment holds what is shown, if `video_at` is the decode time
    /// of the newest picture.
    pub(super) fn sure(&self, video_at: i64) -> i64 {
        video_at.max(self.intake.segmenter.no_cut_before().saturating_sub(1))
    }

    fn follow_audio(&mut self, unit: Unit) {
        let Self {
            renditions,
            schedule,
            context,
            outputs,
            repairs,
            transcoder,
            ..
        } = self;
        let Some(audio) = renditions.iter_mut().find(|r| r.id.as_str() == AUDIO) else {
            return;
        };
        let resyncs = audio.resyncs();
        let placed = audio.follow(unit.clone(), schedule, *context, outputs);
        if placed && transcoder.takes(TrackKind::Audio) {
            outputs.push_back(Output::Transcode {
                media: Media::Unit(unit),
                cut: false,
            });
        }
        repairs.units_dropped += u64::from(!placed);
        let resyncs = audio.resyncs() - resyncs;
        if resyncs > 0 {
            repairs.audio_resyncs += resyncs;
            self.warn(Warning::AudioDrift);
        }
    }

    /// Audio decides where segments start.
    fn lead_by_audio(&mut self, now: WallTime, unit: Unit) -> Result<(), Unit> {
        let cut = match self.intake.lead {
            Lead::Nobody => unit.pts.0 >= self.schedule.end(),
            _ => {
                unit.pts.0 > self.intake.video_at && self.intake.segmenter.verdict(&unit).is_some()
            }
        };
        if cut {
            if !self.can_start_at(now, unit.pts.0) {
                return Err(unit);
            }
            let breaks = std::mem::take(&mut self.intake.breaks);
            if self.intake.lead != Lead::Audio {
                self.join_tracks();
            }
            self.renew_transcoder(true, self.intake.lead != Lead::Audio);
            let discontinuity = breaks && self.schedule.next() > self.first;
            self.schedule.start(now, unit.pts.0, discontinuity);
            self.intake.segmenter.begin(&unit);
            self.begun(Lead::Audio, breaks);
            self.choose_part_target();
            if self.transcoder == Transcoder::Off {
                self.start_transcoder();
            }
        } else if self.intake.lead == Lead::Audio {
            self.intake.segmenter.extend(&unit);
        }
        self.intake.audio_at = unit.pts.0;
        self.follow_audio(unit);
        self.release_tracks();
        Ok(())
    }

    /// Video stopped while audio goes on: its segments are GAPs until its next keyframe.
    fn go_on_without_video(&mut self) {
        self.warn(Warning::VideoMissing);
        let Self {
            renditions,
            schedule,
            context,
            outputs,
            ..
        } = self;
        if let Some(source) = renditions.iter_mut().find(|r| r.id.as_str() == SOURCE) {
            if let Some(slot) = schedule.get(source.next) {
                source.finish(slot, None, *context, outputs);
            }
            source.resumes = None;
        }
        for rendition in renditions.iter_mut().filter(|r| r.kind == TrackKind::Video) {
            if track::of(rendition.id).is_some() {
                rendition.resumes = None;
            }
        }
        self.stop_transcoder();
        self.intake.lead = Lead::Audio;
        for unit in std::mem::take(&mut self.intake.held).into_iter().rev() {
            self.intake.inbox_bytes += unit.data.len();
            // Before what is there: the unit being taken was the last of `held`.
            self.intake.inbox.push_front(Media::Unit(unit));
        }
    }

    /// Whether a segment can start at `at`. Fills the hole before it with GAPs.
    fn can_start_at(&mut self, now: WallTime, at: i64) -> bool {
        let started = self.schedule.next() > self.first;
        let last = self.schedule.last().filter(|slot| slot.end.is_none());
        let latest = last.map_or(i64::MAX, |slot| slot.start.saturating_add(LONGEST_SEGMENT));
        if latest < at {
            self.schedule.close(now, latest, false);
        }
        while started && self.schedule.last().is_none_or(|slot| slot.end.is_some()) {
            let hole = at - self.schedule.end();
            if hole <= HOLE {
                break;
            }
            if !self.schedule.can_start() {
                return false;
            }
            let end = if hole <= SEGMENT + HOLE {
                at
            } else {
                self.schedule.end() + SEGMENT
            };
            self.schedule.start_gap(now, end);
            self.settle(now);
            self.ask_reservation();
        }
        self.schedule.can_start()
    }

    /// PART-TARGET is chosen by the first pictures.
    fn measure_interval(&mut self, interval: i64) {
        if self.context.part_target.is_some() {
            return;
        }
        self.intake
            .intervals
            .push(u32::try_from(interval).unwrap_or(1).max(1));
        let total: u64 = self
            .intake
            .intervals
            .iter()
            .map(|&interval| u64::from(interval))
            .sum();
        if self.intake.intervals.len() >= INTERVALS || total >= u64::from(TIMESCALE) * 3 / 10 {
            self.choose_part_target();
        }
    }

    fn choose_part_target(&mut self) {
        if self.context.part_target.is_some() {
            return;
        }
        let mut frames = Vec::new();
        let intervals = &mut self.intake.intervals;
        intervals.sort_unstable();
        frames.extend(
            intervals
                .get(intervals.len() / 2)
                .map(|&median| (median, TIMESCALE)),
        );
        let further = self
            .intake
            .further
            .iter()
            .filter_map(|track| track.config.as_ref());
        for config in self.intake.audio.iter().chain(further) {
            let samples = config.usual_audio_samples();
            frames.extend(samples.map(|samples| (samples, fmp4::timescale(config))));
        }
        frames.extend(self.made_audio_frame());
        let target = PartTarget::choose(self.config.parts, &frames);
        self.context.part_target = Some(target);
        for rendition in &mut self.renditions {
            rendition.set_part_target(target);
        }
    }

    /// The encoder sends no more: closes what is open. The transcoder may still flush.
    pub(super) fn leave(&mut self, now: WallTime) {
        self.release_audio(i64::MAX);
        if self.intake.lead != Lead::Nobody {
            self.release_tracks_until(i64::MAX);
        }
        self.stop_transcoder();
        let Self {
            renditions,
            schedule,
            context,
            outputs,
            intake,
            ..
        } = self;
        let passed_on = |r: &&mut Rendition| track::of(r.id).is_some();
        let last = schedule.last().map(|slot| slot.msn);
        // What is in the last slot tells where it ends.
        let mut end = schedule.end();
        for rendition in renditions.iter_mut().filter(passed_on) {
            while let Some(slot) = schedule.get(rendition.next) {
                if slot.end.is_none() && rendition.open.is_none() {
                    break;
                }
                rendition.finish(slot, None, *context, outputs);
            }
            let closed = rendition.segments.back().map(|segment| &segment.record);
            if let Some(record) = closed.filter(|record| Some(record.msn) == last && !record.gap) {
                let decoded = scale(record.start + record.duration, record.timescale, TIMESCALE);
                let decoded = i64::try_from(decoded).unwrap_or(i64::MAX);
                // The last picture shown need not be the last one decoded.
                let reordered = match rendition.id.as_str() {
                    SOURCE => (intake.shown_at - intake.video_at).max(0),
                    _ => 0,
                };
                end = end.max(decoded.saturating_add(reordered));
            }
        }
        schedule.close(now, end, true);
        for rendition in renditions.iter_mut().filter(passed_on) {
            while let Some(slot) = schedule.get(rendition.next) {
                rendition.finish(slot, None, *context, outputs);
            }
            rendition.resumes = None;
        }
    }
}
