//! What is listed, and the answers to requests.

use std::cmp::Reverse;

use bytes::Bytes;
use weir_model::{Epoch, LiveEdge, Msn, PartIndex, PlaylistPosition, RenditionId, Skip};

use super::{
    GrowthAnswer, Live, MediaAnswer, Phase, PositionAnswer, State, Status,
    rendition::{Rendition, Segment},
};
use crate::{
    hls::{LivePlaylist, Multivariant, Variant, live::Report, multivariant::Phase as Lists},
    record::SegmentRecord,
};

impl Live {
    /// The multivariant playlist for whom at most `max_lines` are meant; `None` until every
    /// rendition has a segment, about 2 s into the broadcast. A transcoded rendition that did not
    /// come in time has a GAP, so that it does not hold up the start.
    pub fn multivariant(&self, max_lines: Option<u32>) -> Option<String> {
        let lead_has_media = self.lead()?.has_media();
        let all_have_segments = self.renditions.iter().all(|r| !r.segments.is_empty());
        if !lead_has_media || !all_have_segments {
            return None;
        }
        let listed = self.renditions.iter();
        let listed: Vec<_> = listed.filter(|r| self.is_offered(r.id)).collect();
        let variants = listed.iter();
        let mut variants: Vec<Variant> = variants
            .filter_map(|rendition| self.variant(rendition))
            .collect();
        // The tracks of an encoder come as it numbers them.
        variants.sort_by_key(|variant| Reverse(variant.init.resolution.map_or(0, |(_, h)| h)));
        let independent = listed.iter().all(|rendition| {
            rendition
                .segments
                .iter()
                .all(|s| s.record.gap || s.record.independent)
        });
        let playlist = Multivariant {
            phase: Lists::Live,
            independent,
            steering: self.config.steering,
            variants,
        };
        Some(playlist.render(max_lines))
    }

    fn variant(&self, rendition: &Rendition) -> Option<Variant> {
        let (init, _) = rendition.inits.last()?;
        let rung = self
            .config
            .ladder
            .iter()
            .find(|rung| rung.id == rendition.id);
        let sound = &self.config.sound;
        let sound = sound.iter().find(|rung| rung.id == rendition.id);
        let kbps = rung.map(|rung| rung.bitrate_kbps);
        let kbps = kbps.or(sound.map(|rung| rung.bitrate_kbps));
        let nominal = kbps.map_or(0, |kbps| u64::from(kbps) * 1000);
        let records = rendition.segments.iter().map(|segment| &segment.record);
        Some(Variant::measure(init.clone(), records, nominal))
    }

    /// The live media playlist of `rendition` as it is.
    pub fn playlist(&self, rendition: RenditionId, skip: Skip) -> Option<String> {
        let rendition = self.initialised(rendition)?;
        Some(self.render(rendition, skip))
    }

    /// Whether a position of the live media playlist of `rendition` is reached. (msn, part past the
    /// last of the segment) means (msn + 1, 0).
    pub fn reaches(&self, rendition: RenditionId, at: PlaylistPosition) -> PositionAnswer {
        let Some(rendition) = self.initialised(rendition) else {
            return PositionAnswer::Unknown;
        };
        if self.phase == Phase::Ended {
            return PositionAnswer::Passed;
        }
        let PlaylistPosition { mut msn, mut part } = at;
        let open = rendition.next;
        if let Some(asked) = part.filter(|_| msn < open && msn >= self.first_listed) {
            let parts = rendition.segment(msn).map_or(0, |s| s.record.parts.len());
            if asked.0 as usize >= parts {
                (msn, part) = (msn.next(), Some(PartIndex(0)));
            }
        }
        if msn < open {
            if msn.next() == open {
                PositionAnswer::Reached(PlaylistPosition { msn, part })
            } else {
                PositionAnswer::Passed
            }
        } else if msn > open.next() {
            PositionAnswer::TooFarAhead
        } else if msn == open && part.is_some_and(|part| part < rendition.open_parts()) {
            PositionAnswer::Reached(PlaylistPosition { msn, part })
        } else {
            PositionAnswer::Wait
        }
    }

    /// How far `rendition` has come; `None` if there is no such rendition (yet), or if the video has
    /// ended: every position is reached then.
    pub fn edge(&self, rendition: RenditionId) -> Option<LiveEdge> {
        let rendition = self.initialised(rendition)?;
        if self.phase == Phase::Ended {
            return None;
        }
        Some(LiveEdge {
            msn: rendition.next,
            parts: rendition.open_parts().0,
        })
    }

    fn initialised(&self, rendition: RenditionId) -> Option<&Rendition> {
        let mut known = self.renditions.iter();
        known.find(|r| r.id == rendition && !r.inits.is_empty())
    }

    fn render(&self, rendition: &Rendition, skip: Skip) -> String {
        let ended = self.phase == Phase::Ended;
        let open = rendition.open.as_ref().map(|open| &open.record);
        LivePlaylist {
            rendition: rendition.id,
            part_target: self.part_target().seconds(),
            media_sequence: self.first_listed,
            discontinuity_sequence: self.discontinuity_sequence,
            segments: self.listed(rendition).collect(),
            open: open.filter(|open| !open.parts.is_empty()),
            hint: self
                .hint(rendition)
                .map(|(msn, part)| (self.context.epoch, msn, part)),
            reports: self.reports(rendition),
            ended,
        }
        .render(skip)
    }

    pub(super) fn listed<'a>(
        &self,
        rendition: &'a Rendition,
    ) -> impl Iterator<Item = &'a SegmentRecord> {
        let first = self.first_listed;
        let records = rendition.segments.iter().map(|segment| &segment.record);
        records.filter(move |record| record.msn >= first)
    }

    /// The part that comes next, if nothing but the loss of an encoder can keep it from coming.
    fn hint(&self, rendition: &Rendition) -> Option<(Msn, PartIndex)> {
        let msn = rendition.next;
        // What the transcoder still flushes may come after the encoder has left.
        let goes_on = self.phase == Phase::Live
            || self.stand_in.is_on_air()
            || self.schedule.get(msn).is_some_and(|slot| !slot.gap);
        (goes_on && rendition.expects(msn)).then(|| (msn, rendition.open_parts()))
    }

    fn reports(&self, about: &Rendition) -> Vec<Report> {
        let others = self.renditions.iter();
        let others = others.filter(|other| other.id != about.id && !other.inits.is_empty());
        others.filter_map(last_position).collect()
    }

    /// An initialisation segment.
    pub fn init(&self, epoch: Epoch, rendition: RenditionId, n: u32) -> MediaAnswer {
        let renditions = self.renditions.iter().filter(|r| r.id == rendition);
        let mut inits = renditions.flat_map(|rendition| &rendition.inits);
        // Those of earlier epochs are known, but not their bytes.
        match inits.find(|(init, bytes)| (init.epoch, init.n) == (epoch, n) && !bytes.is_empty()) {
            Some((_, bytes)) => MediaAnswer::Ready(vec![bytes.clone()]),
            None => MediaAnswer::Gone,
        }
    }

    /// A complete segment.
    pub fn segment(&self, epoch: Epoch, rendition: RenditionId, msn: Msn) -> MediaAnswer {
        match self.held(epoch, rendition, msn) {
            Some((rendition, segment)) if msn < rendition.next && !segment.record.gap => {
                MediaAnswer::Ready(segment.chunks.clone())
            }
            _ => MediaAnswer::Gone,
        }
    }

    /// The chunks of a segment from the `from`th on, while it grows. One that comes after the
    /// segment that grows now is to come too: a DASH player counts by the clock, which may be a
    /// little ahead of the encoder.
    pub fn growth(
        &self,
        epoch: Epoch,
        rendition: RenditionId,
        msn: Msn,
        from: usize,
    ) -> GrowthAnswer {
        if let Some((rendition, segment)) = self.held(epoch, rendition, msn) {
            // Chunks of a GAP stay taken, but its segment is never served.
            if segment.record.gap {
                return GrowthAnswer::Gone;
            }
            return GrowthAnswer::More {
                chunks: segment.chunks.iter().skip(from).cloned().collect(),
                complete: msn < rendition.next,
            };
        }
        let asked = self.renditions.iter().find(|r| r.id == rendition);
        let hinted = asked.and_then(|rendition| self.hint(rendition));
        let to_come = hinted.is_some_and(|(next, _)| msn == next || msn == next.next());
        if epoch == self.context.epoch && to_come {
            GrowthAnswer::Wait
        } else {
            GrowthAnswer::Gone
        }
    }

    /// A part, or the word that it is to come.
    pub fn part(
        &self,
        epoch: Epoch,
        rendition: RenditionId,
        msn: Msn,
        part: PartIndex,
    ) -> MediaAnswer {
        let chunk = self
            .held(epoch, rendition, msn)
            .and_then(|(_, segment)| segment.chunks.get(part.0 as usize))
            .filter(|chunk| !chunk.is_empty());
        if let Some(chunk) = chunk {
            return MediaAnswer::Ready(vec![chunk.clone()]);
        }
        let asked = self.renditions.iter().find(|r| r.id == rendition);
        let hinted = asked.and_then(|rendition| self.hint(rendition));
        if epoch == self.context.epoch && hinted == Some((msn, part)) {
            MediaAnswer::Wait
        } else {
            MediaAnswer::Gone
        }
    }

    fn held(
        &self,
        epoch: Epoch,
        rendition: RenditionId,
        msn: Msn,
    ) -> Option<(&Rendition, &Segment)> {
        let rendition = self.renditions.iter().find(|r| r.id == rendition)?;
        let segment = rendition.segment(msn).filter(|s| s.record.epoch == epoch)?;
        let in_memory = segment.chunks.iter().any(|chunk: &Bytes| !chunk.is_empty());
        in_memory.then_some((rendition, segment))
    }

    /// Where the video is in its life.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Waiting => State::Waiting,
            Phase::Live => State::Live,
            Phase::Away { .. } => State::Away,
            Phase::Ending { .. } => State::Ending,
            Phase::Ended => State::Ended,
        }
    }

    /// Declared PART-TARGET in seconds.
    pub fn part_target_s(&self) -> f64 {
        self.part_target().seconds()
    }

    /// State, counters and warnings.
    pub fn status(&self) -> Status {
        Status {
            state: self.state(),
            slate: self.stand_in.is_on_air(),
            started_at: self.started_at,
            repairs: self.repairs,
            warnings: self.warnings.clone(),
            shed: self.shed.clone(),
            renditions: self.renditions.iter().map(Rendition::status).collect(),
        }
    }

    /// Moves the window on, the same in all renditions.
    pub(super) fn trim(&mut self) {
        let window_s = self.config.window.as_secs_f64();
        let closed_in_all = self.renditions.iter().map(|r| r.next).min();
        let Some(closed_in_all) = closed_in_all else {
            return;
        };
        let Some(lead) = self.lead() else { return };
        let mut listed_s: f64 = self.listed(lead).map(SegmentRecord::seconds).sum();
        let (mut first, mut discontinuities) = (self.first_listed, self.discontinuity_sequence);
        for record in self.listed(lead) {
            listed_s -= record.seconds();
            if listed_s < window_s || record.msn.next() >= closed_in_all {
                break;
            }
            first = record.msn.next();
            discontinuities += u64::from(record.discontinuity);
        }
        (self.first_listed, self.discontinuity_sequence) = (first, discontinuities);
        self.renditions
            .iter_mut()
            .for_each(|rendition| rendition.trim(first));
    }
}

fn last_position(rendition: &Rendition) -> Option<Report> {
    let part = |record: &SegmentRecord| {
        record
            .parts
            .len()
            .checked_sub(1)
            .map(|last| PartIndex(last as u32))
    };
    let open = rendition
        .open
        .as_ref()
        .filter(|open| !open.record.parts.is_empty());
    let last = &open.or(rendition.segments.back())?.record;
    Some(Report {
        rendition: rendition.id,
        msn: last.msn,
        part: part(last),
    })
}
