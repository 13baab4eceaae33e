//! Which renditions there are, and the transcoder that makes those that no encoder sends.
//!
//! Of pictures it makes the rungs below the source, but none as tall as a further track of the
//! encoder's: the broadcaster's own ladder costs nothing. Of sound it makes what the source is
//! not: AAC of Opus, which is packaged like any rung; Opus of AAC, which is for WebRTC alone and
//! goes through the [tap](super::tap) only.

use weir_model::{Msn, RenditionId, WallTime};

use super::{
    AUDIO, Live, Phase, Transcoder,
    event::{Output, Warning},
    lead::Lead,
    rendition::Rendition,
    status::ShedRung,
};
use crate::{
    codec::aac,
    framing::{AudioCodec, LadderJob, LadderRung, RungState, SoundRung},
    track,
    unit::{Media, TIMESCALE, Timestamp, TrackConfig, TrackKind},
};

/// How far the first picture of a rung that returns may be off a slot's start, in ticks: 10 ms.
const TOLERANCE: i64 = TIMESCALE as i64 / 100;

impl Live {
    /// The transcoder leaves out one of its renditions for lack of time, or makes it again from
    /// the picture at `at` on. One that is left out has GAPs, each as soon as its segment is over.
    pub fn rung_changed(
        &mut self,
        now: WallTime,
        rendition: RenditionId,
        state: RungState,
        at: Timestamp,
    ) {
        if self.transcoder == Transcoder::Off || !self.is_rung(rendition) {
            return;
        }
        let Some(index) = self.renditions.iter().position(|r| r.id == rendition) else {
            return;
        };
        self.shed.retain(|shed| shed.rendition != rendition);
        match state {
            RungState::Shed => {
                self.shed.push(ShedRung {
                    rendition,
                    since: now,
                });
                self.repairs.units_dropped += self.renditions[index].abandon();
                self.renditions[index].resumes = None;
                self.warn(Warning::RungShed);
                // Whoever waits for a part that was hinted waits for nothing.
                self.outputs.push_back(Output::Advanced);
            }
            RungState::Made => {
                let from = self.first_slot_from(self.renditions[index].next, at);
                self.renditions[index].resumes = Some(from);
            }
        }
        self.after(now);
    }

    /// The transcoder can decode none of the source's pictures.
    pub fn source_undecodable(&mut self, now: WallTime) {
        self.warn(Warning::SourceUndecodable);
        self.after(now);
    }

    /// The first slot, from `next` on, that starts with the picture at `at` or later.
    fn first_slot_from(&self, next: Msn, at: Timestamp) -> Msn {
        let mut msn = next;
        while let Some(slot) = self.schedule.get(msn) {
            if slot.start.saturating_add(TOLERANCE) >= at.0 {
                break;
            }
            msn = msn.next();
        }
        msn
    }

    /// The rungs of fewer lines than the source that the encoder does not send itself, and one in
    /// place of a source that is not listed.
    fn rungs(&self) -> Vec<LadderRung> {
        let lines = |config: &TrackConfig| config.picture().map(|picture| picture.lines());
        let Some(source) = self.intake.video.as_ref().and_then(lines) else {
            return Vec::new();
        };
        let further = self.intake.further.iter();
        let mut sent: Vec<u32> = further
            .filter_map(|track| track.config.as_ref().and_then(lines))
            .collect();
        // The slate is in place of an encoder that will be back with its tracks.
        if self.stand_in.is_on_air() {
            let tracks = self.renditions.iter().filter(|r| track::of(r.id).is_some());
            sent.extend(tracks.filter_map(|r| r.newest_config().and_then(lines)));
        }
        let ladder = self.config.ladder.iter();
        let below = ladder.filter(|rung| rung.height < source && !sent.contains(&rung.height));
        self.remade_rung()
            .into_iter()
            .chain(below.cloned())
            .collect()
    }

    /// The rungs of sound that the source is not.
    fn sound_rungs(&self) -> Vec<SoundRung> {
        let coded = match self.rendition(AUDIO).and_then(Rendition::newest_config) {
            Some(TrackConfig::Aac(_)) => AudioCodec::Aac,
            Some(TrackConfig::Opus(_)) => AudioCodec::Opus,
            _ => return Vec::new(),
        };
        let sound = self.config.sound.iter();
        sound.filter(|rung| rung.codec != coded).cloned().collect()
    }

    /// Whether more than GAPs is to be expected of a rendition, and whether it can be joined: not of a further track that the
    /// present encoder does not send, nor of sound that is not made of what it sends.
    pub(super) fn is_offered(&self, id: RenditionId) -> bool {
        match track::of(id) {
            Some((kind, index)) if !index.is_lead() && self.phase == Phase::Live => {
                self.intake.sends(kind, index)
            }
            Some((TrackKind::Video, index)) if index.is_lead() => self.source_is_listed(),
            Some(_) => true,
            None => {
                let of_sound = self.config.sound.iter().any(|rung| rung.id == id);
                !of_sound || self.sound_rungs().iter().any(|rung| rung.id == id)
            }
        }
    }

    /// Length of a frame of the sound that is made and packaged, in ticks, and ticks per second.
    pub(super) fn made_audio_frame(&self) -> Option<(u32, u32)> {
        /// What AAC has that is made of Opus.
        const RATE: u32 = 48_000;
        let packaged = |rung: &SoundRung| !is_realtime(rung);
        let is_made = self.sound_rungs().iter().any(packaged);
        is_made.then_some((aac::SAMPLES_PER_FRAME, RATE))
    }

    fn ensure_rungs(&mut self) {
        for rung in self.rungs() {
            self.ensure_rendition(rung.id, TrackKind::Video);
        }
        // It is the same track to a viewer.
        let label = self.rendition(AUDIO).map(|audio| audio.label.clone());
        for rung in self.sound_rungs() {
            if !is_realtime(&rung) {
                self.ensure_rendition(rung.id, TrackKind::Audio);
                if let Some(made) = self.rendition_mut(rung.id.as_str()) {
                    made.label = label.clone().unwrap_or_default();
                }
            }
        }
    }

    /// Adds a rendition, if it is new, with a GAP for every segment that the others list.
    pub(super) fn ensure_rendition(&mut self, id: RenditionId, kind: TrackKind) {
        if self.renditions.iter().any(|rendition| rendition.id == id) {
            return;
        }
        let next = self.lead().map_or(self.schedule.next(), |lead| lead.next);
        let mut rendition = Rendition::new(id, kind, next);
        let lead = self
            .lead()
            .map(|lead| self.listed(lead).cloned().collect::<Vec<_>>());
        for record in lead.unwrap_or_default() {
            rendition.backfill(&record, &mut self.outputs);
        }
        let place = self
            .renditions
            .iter()
            .position(|other| self.rank(other.id) > self.rank(id));
        self.renditions
            .insert(place.unwrap_or(self.renditions.len()), rendition);
    }

    /// The source and its further tracks first, then the ladder's order, audio, and what is made
    /// of it.
    fn rank(&self, id: RenditionId) -> (u8, usize) {
        let ladder = &self.config.ladder;
        match track::of(id) {
            Some((TrackKind::Video, index)) => (0, index.get()),
            Some((TrackKind::Audio, index)) => (2, index.get()),
            None if self.config.sound.iter().any(|rung| rung.id == id) => (3, 0),
            None => {
                let place = ladder.iter().position(|rung| rung.id == id);
                (1, place.unwrap_or(ladder.len()))
            }
        }
    }

    /// Before a segment starts: lets the transcoder go if what it makes is not what is wanted from
    /// here on. `leads` says that the track that leads is another one than before.
    pub(super) fn renew_transcoder(&mut self, independent: bool, leads: bool) {
        let remade = independent && self.remade_is_due();
        if leads || remade {
            self.ensure_rungs();
        }
        if remade {
            self.stop_transcoder();
        }
        if !independent {
            return;
        }
        let changed = std::mem::take(&mut self.intake.sound_changed);
        let concerned = self.transcoder.takes(TrackKind::Audio) || !self.sound_rungs().is_empty();
        // Or it was started without pictures.
        if (changed && concerned) || (leads && self.intake.lead == Lead::Audio) {
            self.stop_transcoder();
            self.ensure_rungs();
        }
    }

    /// When a segment has started.
    pub(super) fn start_transcoder(&mut self) {
        let pictures = self.intake.video.clone();
        let pictures = pictures.filter(|_| self.intake.lead == Lead::Video);
        let renditions = match pictures {
            Some(_) => self.rungs(),
            None => Vec::new(),
        };
        let sound = self.sound_rungs();
        if renditions.is_empty() && sound.is_empty() {
            return;
        }
        let msn = self.schedule.last().map(|slot| slot.msn);
        let others = |r: &&mut Rendition| track::of(r.id).is_none();
        for rendition in self.renditions.iter_mut().filter(others) {
            let made = renditions.iter().any(|rung| rung.id == rendition.id)
                || sound.iter().any(|rung| rung.id == rendition.id);
            rendition.resumes = rendition.resumes.or(msn).filter(|_| made);
            rendition.stops = None;
            rendition.rejoin();
        }
        self.shed.clear();
        self.remade.made = self.remade_rung().is_some();
        self.transcoder = Transcoder::Running {
            pictures: !renditions.is_empty(),
            sound: !sound.is_empty(),
        };
        let heard = self.rendition(AUDIO).and_then(Rendition::newest_config);
        let heard = heard.cloned().filter(|_| !sound.is_empty());
        let pictures = pictures.filter(|_| !renditions.is_empty());
        self.outputs.push_back(Output::TranscodeStart(LadderJob {
            renditions,
            sound,
            live: true,
        }));
        for config in pictures.into_iter().chain(heard) {
            self.outputs.push_back(Output::Transcode {
                media: Media::Config(config),
                cut: false,
            });
        }
    }

    pub(super) fn stop_transcoder(&mut self) {
        if self.transcoder != Transcoder::Off {
            self.transcoder = Transcoder::Off;
            self.shed.clear();
            self.outputs.push_back(Output::TranscodeEnd);
            let next = self.schedule.next();
            let rungs = |r: &&mut Rendition| track::of(r.id).is_none();
            for rendition in self.renditions.iter_mut().filter(rungs) {
                rendition.stops = Some(next);
            }
        }
    }
}

/// Opus is made for WebRTC, which has no playlists.
fn is_realtime(rung: &SoundRung) -> bool {
    rung.codec == AudioCodec::Opus
}
