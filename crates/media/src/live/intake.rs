//! The door: when an encoder's media time starts, what its units are in it, and the queue of
//! those that wait for an msn.

use std::{collections::VecDeque, time::Duration};

use weir_model::{RenditionId, WallTime};

use super::{AUDIO, Live, SOURCE, event::Warning, further::Further, lead::Lead};
use crate::{
    package::{Segmenter, Timeline, segmenter::LONGEST_SEGMENT},
    track::{TrackIndex, TrackLabel},
    unit::{Media, TIMESCALE, Timestamp, TrackConfig, TrackKind, Unit},
};

/// Audio that came for this long without a word of video is an audio-only stream, in ticks.
const AUDIO_ONLY_AFTER: i64 = TIMESCALE as i64;

/// Longest hole between one encoder and the one that takes over from it that is closed instead of
/// shown as a GAP, in ticks: what finding out takes, and a little. Media time then runs behind the
/// clock by as much, at most.
pub(super) const JOINED: i64 = 6 * TIMESCALE as i64 / 5;

/// Media that may wait for an msn to be reserved, in bytes.
const INBOX_BYTES: usize = 8 << 20;

/// Audio units that may wait, for the video to start or to come as far: about 12 s.
pub(super) const AUDIO_UNITS: usize = 600;

/// What is known of the encoder that is connected, and what waits.
#[derive(Debug, Default)]
pub(super) struct Intake {
    pub(super) connected: bool,
    pub(super) last_media: WallTime,
    /// When its media began to come, if it was kept elsewhere first: of one that takes over.
    pub(super) since: Option<WallTime>,
    pub(super) video: Option<TrackConfig>,
    pub(super) audio: Option<TrackConfig>,
    /// Tracks beside these two.
    pub(super) further: Vec<Further>,
    /// What tracks are called.
    pub(super) labels: Vec<((TrackKind, TrackIndex), TrackLabel)>,
    /// Since the first keyframe.
    pub(super) timeline: Option<Timeline>,
    /// Audio of before the first keyframe, in the encoder's time.
    pub(super) early: VecDeque<Unit>,
    /// In media time; the front waits for a reservation.
    pub(super) inbox: VecDeque<Media>,
    pub(super) inbox_bytes: usize,
    /// Audio that may belong to a segment that has not started yet.
    pub(super) held: VecDeque<Unit>,
    pub(super) segmenter: Segmenter,
    pub(super) lead: Lead,
    /// Decode time of the newest picture.
    pub(super) video_at: i64,
    /// When the newest sound is heard, while it leads.
    pub(super) audio_at: i64,
    /// Latest time at which a picture is shown.
    pub(super) shown_at: i64,
    /// The next segment begins another timeline or another coding.
    pub(super) breaks: bool,
    /// Audio goes on coded as the newest configuration says from the next segment on; until then
    /// there is no place for it.
    pub(super) audio_changed: bool,
    /// The transcoder is to make other sound from the next segment on.
    pub(super) sound_changed: bool,
    /// How long the first pictures last, in ticks.
    pub(super) intervals: Vec<u32>,
}

impl Intake {
    pub(super) fn connected(now: WallTime) -> Self {
        Self {
            connected: true,
            last_media: now,
            breaks: true,
            ..Self::default()
        }
    }

    /// The same encoder after a pause. Whether its clock went on meanwhile is unknown, so that it
    /// begins like another one.
    pub(super) fn resumed(self, now: WallTime) -> Self {
        Self {
            video: self.video,
            audio: self.audio,
            further: self.further.into_iter().map(Further::resumed).collect(),
            labels: self.labels,
            ..Self::connected(now)
        }
    }
}

impl Live {
    pub(super) fn receive(&mut self, now: WallTime, media: Media) {
        if self.intake.timeline.is_none() {
            self.await_start(now, media);
        } else {
            self.enqueue(media);
        }
        self.drain(now);
    }

    /// Before the first keyframe of an encoder.
    fn await_start(&mut self, now: WallTime, media: Media) {
        let intake = &mut self.intake;
        match media {
            Media::Config(config) => match config.kind() {
                TrackKind::Video => intake.video = Some(config),
                TrackKind::Audio => intake.audio = Some(config),
            },
            Media::Unit(unit) if unit.kind == TrackKind::Video => {
                if unit.keyframe && intake.video.is_some() {
                    self.start(now, unit.dts, Some(unit));
                } else {
                    self.repairs.units_dropped += 1;
                }
            }
            Media::Unit(unit) => {
                intake.early.push_back(unit);
                let span = |early: &VecDeque<Unit>| match (early.front(), early.back()) {
                    (Some(first), Some(last)) => last.pts.0.saturating_sub(first.pts.0),
                    _ => 0,
                };
                let long = span(&intake.early) >= AUDIO_ONLY_AFTER;
                match (intake.video.is_some(), intake.early.front()) {
                    (false, Some(first)) if long && intake.audio.is_some() => {
                        let from = first.pts;
                        self.start(now, from, None);
                    }
                    _ if long || intake.early.len() > AUDIO_UNITS => {
                        intake.early.pop_front();
                        self.repairs.units_dropped += 1;
                    }
                    _ => {}
                }
            }
        }
    }

    /// The encoder's time `from` becomes media time: 0 at the very first, else what the wall clock
    /// says, but not before the end of what was.
    ///
    /// A picture is dated by its presentation: the first one was taken when it came, at the latest.
    fn start(&mut self, now: WallTime, from: Timestamp, first: Option<Unit>) {
        self.slate_gives_way(now);
        self.stand_in.last.forget();
        let composition = first.as_ref().map_or(0, |unit| {
            (unit.pts.0 - unit.dts.0).clamp(0, LONGEST_SEGMENT)
        });
        if self.started_at.is_none() && self.schedule.next() == self.first {
            let ms = composition / Timestamp::from_ms(1).0;
            self.context.anchor = now.minus(Duration::from_millis(ms.unsigned_abs()));
        }
        let began = self.intake.since.unwrap_or(now);
        let clock = self.media_time(began) - composition;
        let end = self.schedule.end();
        let to = match self.intake.since {
            Some(_) if clock - end <= JOINED => end,
            _ => clock.max(end),
        };
        if self.started_at.is_some() && self.intake.since.is_none() {
            self.repairs.reconnects += 1;
        }
        self.started_at.get_or_insert(now);
        self.intake.timeline = Some(Timeline::starting(from, Timestamp(to)));
        let early = std::mem::take(&mut self.intake.early);
        let configs = [self.intake.video.clone(), self.intake.audio.clone()];
        for config in configs.into_iter().flatten() {
            self.enqueue(Media::Config(config));
        }
        for unit in first.into_iter().chain(early) {
            self.enqueue(Media::Unit(unit));
        }
        let Intake {
            further, timeline, ..
        } = &mut self.intake;
        for track in further {
            timeline.iter_mut().for_each(|time| track.start(time));
        }
    }

    pub(super) fn enqueue(&mut self, media: Media) {
        let intake = &mut self.intake;
        let Some(timeline) = &mut intake.timeline else {
            return;
        };
        let media = match media {
            Media::Config(config) => Media::Config(config),
            Media::Unit(unit) => {
                let jumps = timeline.jumps;
                let clamped = timeline.clamped;
                let placed = timeline.place(TrackIndex::LEAD, unit);
                self.repairs.timestamps_clamped += timeline.clamped - clamped;
                if timeline.jumps > jumps {
                    self.repairs.timestamp_jumps += 1;
                    self.warn(Warning::TimestampJump);
                }
                Media::Unit(placed)
            }
        };
        self.source_passes_tap(&media);
        if !self.stand_in.is_on_air() {
            self.stand_in.last.take(&media);
        }
        self.intake.inbox_bytes += size(&media);
        self.intake.inbox.push_back(media);
    }

    /// Takes what can be taken; what needs a segment that may not start yet waits.
    pub(super) fn drain(&mut self, now: WallTime) {
        while let Some(media) = self.intake.inbox.pop_front() {
            let bytes = size(&media);
            if let Err(media) = self.take(now, media) {
                self.intake.inbox.push_front(media);
                break;
            }
            self.intake.inbox_bytes -= bytes;
        }
        if self.intake.inbox_bytes > INBOX_BYTES {
            // Configurations stay; the next keyframe is a new start.
            let units = |media: &Media| matches!(media, Media::Unit(_));
            self.repairs.units_dropped += self
                .intake
                .inbox
                .iter()
                .filter(|media| units(media))
                .count() as u64;
            self.intake.inbox.retain(|media| !units(media));
            self.intake.inbox_bytes = 0;
            self.intake.lead = Lead::Nobody;
        }
    }

    /// Gives the media back if it has to wait.
    fn take(&mut self, now: WallTime, media: Media) -> Result<(), Media> {
        match media {
            Media::Config(config) => {
                self.take_config(config);
                Ok(())
            }
            Media::Unit(unit) => match unit.kind {
                TrackKind::Video => self.take_video(now, unit).map_err(Media::Unit),
                TrackKind::Audio => self.take_audio(now, unit).map_err(Media::Unit),
            },
        }
    }

    fn take_config(&mut self, config: TrackConfig) {
        let kind = config.kind();
        let name = match kind {
            TrackKind::Video => SOURCE,
            TrackKind::Audio => AUDIO,
        };
        let (id, from, lead) = (id(name), self.schedule.next(), self.intake.lead);
        self.ensure_rendition(id, kind);
        let label = self.intake.label(kind, TrackIndex::LEAD).cloned();
        let Some(rendition) = self.rendition_mut(name) else {
            return;
        };
        let known = rendition.newest_config().cloned();
        if known.as_ref() == Some(&config) {
            return;
        }
        rendition.label = label.unwrap_or_default();
        match (&known, lead) {
            // A track that begins has nothing to break with.
            (None, Lead::Nobody) => rendition.configure(from, config.clone()),
            (None, _) => {
                rendition.configure(rendition.next, config.clone());
                rendition.resumes = Some(rendition.next);
                self.intake.sound_changed = kind == TrackKind::Audio;
            }
            (Some(_), _) => {
                rendition.configure(from, config.clone());
                self.intake.breaks = true;
                self.intake.segmenter.renew();
                match kind {
                    TrackKind::Video => {
                        self.intake.lead = Lead::Nobody;
                        // The next keyframe starts one that decodes the new coding.
                        self.stop_transcoder();
                    }
                    TrackKind::Audio => {
                        self.release_audio(i64::MAX);
                        self.intake.audio_changed = true;
                        self.intake.sound_changed = true;
                    }
                }
            }
        }
        match kind {
            TrackKind::Video => self.intake.video = Some(config),
            TrackKind::Audio => self.intake.audio = Some(config),
        }
    }
}

fn size(media: &Media) -> usize {
    match media {
        Media::Config(_) => 0,
        Media::Unit(unit) => unit.data.len(),
    }
}

fn id(name: &'static str) -> RenditionId {
    name.parse().expect("SOURCE and AUDIO are rendition ids")
}
