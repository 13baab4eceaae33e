//! What a new epoch knows of the earlier ones, and how it goes on from there.

use std::collections::BTreeMap;

use bytes::Bytes;
use weir_model::{Msn, RenditionId, WallTime};

use super::{
    AUDIO, Live, Phase, SOURCE,
    rendition::{Segment, after},
    schedule::Schedule,
};
use crate::{
    package::segmenter::SEGMENT,
    record::{InitRecord, SegmentRecord},
    unit::Media,
};

/// The past of a video whose origin stopped without ending it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    reserved: Msn,
    inits: Vec<InitRecord>,
    segments: Vec<SegmentRecord>,
    last: Vec<Media>,
}

impl Restored {
    /// From all that the journal holds of the video, in any order: every epoch's records, and the
    /// highest msn that was reserved.
    pub fn from_records(
        reserved: Msn,
        inits: Vec<InitRecord>,
        segments: Vec<SegmentRecord>,
    ) -> Self {
        Self {
            reserved,
            inits,
            segments,
            last: Vec::new(),
        }
    }

    /// With what is stored of the encoder's last media, as [`of_stored`](super::slate::of_stored)
    /// has it, for a slate to be made of.
    pub fn with_last(self, last: Vec<Media>) -> Self {
        Self { last, ..self }
    }
}

impl Live {
    /// Lists what is left of the earlier epochs. An msn that was reserved, but has no record,
    /// may have been seen by players: it becomes a GAP in every rendition.
    pub(super) fn restore(&mut self, restored: Restored, now: WallTime) {
        let Restored {
            reserved,
            inits,
            segments,
            last,
        } = restored;
        for media in &last {
            self.stand_in.last.take(media);
        }
        let mut by_rendition: BTreeMap<RenditionId, BTreeMap<Msn, SegmentRecord>> = BTreeMap::new();
        for record in segments {
            by_rendition
                .entry(record.rendition)
                .or_default()
                .insert(record.msn, record);
        }
        let lead = [SOURCE, AUDIO]
            .iter()
            .find_map(|name| by_rendition.iter().find(|(id, _)| id.as_str() == *name))
            .map(|(_, records)| records.clone())
            .unwrap_or_default();
        let Some((&last, last_record)) = lead.last_key_value() else {
            self.first = reserved;
            self.first_listed = reserved;
            self.schedule = Schedule::new(reserved, reserved);
            return;
        };
        let next = last.next();
        self.window_of(&lead);
        self.context.anchor = after(last_record.pdt, last_record.duration, last_record.timescale);
        for init in inits {
            self.ensure_rendition(init.rendition, init.kind());
            if let Some(rendition) = self.rendition_mut(init.rendition.as_str()) {
                rendition.inits.push((init, Bytes::new()));
            }
        }
        for rendition in &mut self.renditions {
            let own = by_rendition.remove(&rendition.id).unwrap_or_default();
            for (msn, record) in lead.range(self.first_listed..) {
                match own.get(msn) {
                    Some(own) => {
                        let chunks = Vec::new();
                        rendition.segments.push_back(Segment {
                            record: own.clone(),
                            chunks,
                        });
                    }
                    None => rendition.backfill(record, &mut self.outputs),
                }
            }
            rendition.next = next;
        }
        self.schedule = Schedule::new(next, reserved.max(next));
        while self.schedule.can_start() {
            self.schedule
                .start_gap(now, self.schedule.end().saturating_add(SEGMENT));
            self.settle(now);
        }
        // A long absence is not made up for, segment by segment.
        let oldest = WallTime(now.0.saturating_sub(self.config.window.as_millis() as u64));
        self.context.anchor = self.context.anchor.max(oldest);
        self.phase = Phase::Away {
            since: now,
            until: now.plus(self.config.reconnect_window),
        };
    }

    fn window_of(&mut self, lead: &BTreeMap<Msn, SegmentRecord>) {
        let mut listed_s = 0.0;
        let window_s = self.config.window.as_secs_f64();
        let listed = lead.values().rev().take_while(|record| {
            let fits = listed_s < window_s;
            listed_s += record.seconds();
            fits
        });
        let first = listed.last().map_or(Msn(0), |record| record.msn);
        self.first_listed = first;
        let before = lead.range(..first);
        self.discontinuity_sequence =
            before.filter(|(_, record)| record.discontinuity).count() as u64;
    }
}
