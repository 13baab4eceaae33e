//! What of a rendition stays in memory, and how it is found.

use bytes::Bytes;
use weir_model::{Msn, PartIndex};

use super::{Counters, Rendition, Segment};
use crate::{
    live::status::RenditionStatus,
    record::{InitRecord, SegmentRecord},
};

/// How long segments stay in memory after they are no longer listed, for slow viewers.
const KEPT_UNLISTED_S: f64 = 6.0;

impl Rendition {
    /// Drops the oldest of the segments before `first_listed`.
    pub(in crate::live) fn trim(&mut self, first_listed: Msn) {
        let unlisted = self
            .segments
            .iter()
            .take_while(|s| s.record.msn < first_listed);
        let mut seconds: f64 = unlisted.map(|segment| segment.record.seconds()).sum();
        while let Some(oldest) = self.segments.front() {
            if oldest.record.msn >= first_listed || seconds <= KEPT_UNLISTED_S {
                break;
            }
            seconds -= oldest.record.seconds();
            self.segments.pop_front();
        }
        // An encoder that changes its coding again and again must not fill the memory.
        let oldest = self
            .segments
            .iter()
            .find(|segment| !segment.record.is_empty());
        if let Some(SegmentRecord { epoch, init, .. }) = oldest.map(|oldest| &oldest.record) {
            let newest = self.inits.len().saturating_sub(1);
            let unused =
                |(record, _): &(InitRecord, Bytes)| (record.epoch, record.n) < (*epoch, *init);
            let unused = self
                .inits
                .iter()
                .take(newest)
                .take_while(|known| unused(known))
                .count();
            self.inits.drain(..unused);
        }
    }

    /// Whether any of its segments in memory is more than a GAP.
    pub(in crate::live) fn has_media(&self) -> bool {
        self.segments.iter().any(|segment| !segment.record.gap)
    }

    /// The closed segment `msn`, or the open one.
    pub(in crate::live) fn segment(&self, msn: Msn) -> Option<&Segment> {
        if let Some(open) = self.open.as_ref().filter(|open| open.record.msn == msn) {
            return Some(open);
        }
        let first = self.segments.front()?.record.msn;
        self.segments
            .get(usize::try_from(msn.0.checked_sub(first.0)?).ok()?)
    }

    /// Parts of the open segment that are complete.
    pub(in crate::live) fn open_parts(&self) -> PartIndex {
        PartIndex(
            self.open
                .as_ref()
                .map_or(0, |open| open.record.parts.len() as u32),
        )
    }

    pub(in crate::live) fn status(&self) -> RenditionStatus {
        let Counters {
            segments,
            gaps,
            parts,
            irregular_parts,
            bytes,
            units,
        } = self.counters;
        let held = self
            .segments
            .iter()
            .chain(&self.open)
            .flat_map(|segment| &segment.chunks);
        RenditionStatus {
            rendition: self.id,
            last_msn: self.segments.back().map(|segment| segment.record.msn),
            segments,
            gaps,
            parts,
            irregular_parts,
            bytes,
            units,
            bytes_held: held.map(|chunk| chunk.len() as u64).sum(),
        }
    }
}
