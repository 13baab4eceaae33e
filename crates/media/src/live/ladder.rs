//! Which renditions there are, and the transcoder that makes those below the source.

use weir_model::{Msn, RenditionId, WallTime};

use super::{
    AUDIO, Live, SOURCE, Transcoder,
    event::{Output, Warning},
    rendition::Rendition,
    status::ShedRung,
};
use crate::{
    framing::{LadderRung, RungState},
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

    /// The rungs below the source's height.
    fn rungs(&self) -> Vec<LadderRung> {
        let source = self.intake.video.as_ref().and_then(TrackConfig::picture);
        let Some(source) = source else {
            return Vec::new();
        };
        let ladder = self.config.ladder.iter();
        ladder
            .filter(|rung| rung.height < source.height)
            .cloned()
            .collect()
    }

    pub(super) fn ensure_rungs(&mut self) {
        for rung in self.rungs() {
            self.ensure_rendition(rung.id, TrackKind::Video);
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

    /// Source first, then the ladder's order, audio last.
    fn rank(&self, id: RenditionId) -> usize {
        let ladder = &self.config.ladder;
        match id.as_str() {
            SOURCE => 0,
            AUDIO => usize::MAX,
            _ => {
                1 + ladder
                    .iter()
                    .position(|rung| rung.id == id)
                    .unwrap_or(ladder.len())
            }
        }
    }

    pub(super) fn start_transcoder(&mut self) {
        let rungs = self.rungs();
        let (Some(config), false) = (self.intake.video.clone(), rungs.is_empty()) else {
            return;
        };
        let msn = self.schedule.last().map(|slot| slot.msn);
        let others = |r: &&mut Rendition| ![SOURCE, AUDIO].contains(&r.id.as_str());
        for rendition in self.renditions.iter_mut().filter(others) {
            let made = rungs.iter().any(|rung| rung.id == rendition.id);
            rendition.resumes = rendition.resumes.or(msn).filter(|_| made);
            rendition.stops = None;
        }
        self.shed.clear();
        self.transcoder = Transcoder::Running;
        self.outputs.push_back(Output::TranscodeStart(rungs));
        self.outputs.push_back(Output::Transcode {
            media: Media::Config(config),
            cut: false,
        });
    }

    pub(super) fn stop_transcoder(&mut self) {
        if self.transcoder == Transcoder::Running {
            self.transcoder = Transcoder::Off;
            self.shed.clear();
            self.outputs.push_back(Output::TranscodeEnd);
            let next = self.schedule.next();
            let rungs = |r: &&mut Rendition| ![SOURCE, AUDIO].contains(&r.id.as_str());
            for rendition in self.renditions.iter_mut().filter(rungs) {
                rendition.stops = Some(next);
            }
        }
    }
}
