//! Segments without media.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Context, Rendition, Segment, after, scale};
use crate::{
    live::{event::Output, schedule::Slot},
    package::PartTarget,
    record::{PartRecord, SegmentRecord},
    unit::TIMESCALE,
};

impl Rendition {
    /// Closes the segment of `slot` as a GAP. Parts that came to be stay.
    pub(in crate::live) fn close_gap(
        &mut self,
        slot: &Slot,
        context: Context,
        out: &mut VecDeque<Output>,
    ) {
        if let Some(packager) = &mut self.packager {
            packager.abandon();
        }
        let timescale = self.timescale();
        let at = |ticks: i64| scale(u64::try_from(ticks).unwrap_or(0), TIMESCALE, timescale);
        let start = at(slot.start);
        let end = slot.end.map_or(start, |end| at(end.at));
        let mut segment = self
            .open
            .take()
            .unwrap_or_else(|| self.empty_segment(slot, context));
        let record = &mut segment.record;
        if record.parts.is_empty() {
            record.start = start;
            record.pdt = after(context.anchor, start, timescale);
        }
        record.gap = true;
        let mut missing = end.saturating_sub(start).saturating_sub(record.duration);
        record.duration += missing;
        let target = context.part_target;
        let target = target.unwrap_or(PartTarget::of(context.parts));
        let longest = target.gap_ms() * u64::from(timescale) / 1000;
        while missing > 0 {
            let duration = missing.min(longest) as u32;
            missing -= u64::from(duration);
            record.parts.push(PartRecord {
                duration,
                bytes: 0,
                independent: false,
                gap: true,
            });
            segment.chunks.push(Bytes::new());
        }
        self.counters.gaps += 1;
        self.close(segment, out);
    }

    /// Lists a GAP where another rendition has, or had, `like`.
    pub(in crate::live) fn backfill(&mut self, like: &SegmentRecord, out: &mut VecDeque<Output>) {
        let timescale = self.timescale();
        let scaled = |ticks: u64| scale(ticks, like.timescale, timescale);
        let record = SegmentRecord {
            rendition: self.id,
            init: 0,
            timescale,
            start: scaled(like.start + u64::from(like.composition_offset)),
            composition_offset: 0,
            duration: scaled(like.duration),
            bytes: 0,
            units: 0,
            first_unit_end: 0,
            gap: true,
            independent: true,
            parts: Vec::new(),
            ..like.clone()
        };
        let next = self.next;
        self.counters.gaps += 1;
        self.close(
            Segment {
                record,
                chunks: Vec::new(),
            },
            out,
        );
        self.next = next;
    }
}
