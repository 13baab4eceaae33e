//! One rendition: its units into the slots of the schedule, its closed segments, its counters.
//!
//! - `gap`: segments without media
//! - `kept`: what stays in memory, and how it is found

mod gap;
mod kept;

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use weir_model::{Epoch, Msn, RenditionId, WallTime};

use super::{
    event::Output,
    schedule::{Schedule, Slot},
};
use crate::{
    fmp4,
    package::{Part, PartProfile, PartTarget, TrackPackager, segmenter::LONGEST_SEGMENT},
    record::{InitRecord, PartRecord, SegmentRecord},
    track::TrackLabel,
    unit::{TIMESCALE, TrackConfig, TrackKind, Unit},
};

/// How far a transcoded picture may be off the source's, in ticks: 10 ms.
const TOLERANCE: i64 = TIMESCALE as i64 / 100;

/// Video that starts later than this in its slot, in ticks, waits for the next one: 100 ms.
const LATE_START: i64 = TIMESCALE as i64 / 10;

/// How long a segment can be in presentation time, in ticks: reordered pictures of a longest one
/// are shown after its last one is decoded. It rounds to `EXT-X-TARGETDURATION` still.
const MOST_SHOWN: i64 = LONGEST_SEGMENT + 2 * TIMESCALE as i64 / 5;

/// What a segment's record needs to know beside its media.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) epoch: Epoch,
    /// Wall-clock time of media time 0.
    pub(super) anchor: WallTime,
    /// What PART-TARGET is chosen by.
    pub(super) parts: PartProfile,
    /// PART-TARGET, once it is chosen.
    pub(super) part_target: Option<PartTarget>,
}

/// A segment with its chunks, one for each part; those of GAP parts are empty.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) record: SegmentRecord,
    pub(super) chunks: Vec<Bytes>,
}

#[derive(Debug)]
pub(super) struct Rendition {
    pub(super) id: RenditionId,
    pub(super) kind: TrackKind,
    /// What its encoder calls it.
    pub(super) label: TrackLabel,
    config: Option<TrackConfig>,
    upcoming: Option<(Msn, TrackConfig)>,
    /// Of this epoch and, first, what the restored past tells.
    pub(super) inits: Vec<(InitRecord, Bytes)>,
    init_n: u32,
    packager: Option<TrackPackager>,
    pub(super) segments: VecDeque<Segment>,
    pub(super) open: Option<Segment>,
    /// The segment that is open or comes next.
    pub(super) next: Msn,
    /// Media is expected from this msn on; before it there is nothing to wait for.
    pub(super) resumes: Option<Msn>,
    /// No media is expected from this msn on.
    pub(super) stops: Option<Msn>,
    counters: Counters,
    earlier_resyncs: u64,
}

#[derive(Debug, Default)]
struct Counters {
    segments: u64,
    gaps: u64,
    parts: u64,
    irregular_parts: u64,
    bytes: u64,
    units: u64,
}

impl Rendition {
    pub(super) fn new(id: RenditionId, kind: TrackKind, next: Msn) -> Self {
        Self {
            id,
            kind,
            label: TrackLabel::default(),
            config: None,
            upcoming: None,
            inits: Vec::new(),
            init_n: 0,
            packager: None,
            segments: VecDeque::new(),
            open: None,
            next,
            resumes: None,
            stops: None,
            counters: Counters::default(),
            earlier_resyncs: 0,
        }
    }

    /// From segment `from` on the rendition is coded as `config`.
    pub(super) fn configure(&mut self, from: Msn, config: TrackConfig) {
        self.upcoming = Some((from, config));
    }

    /// Whether units may come: a configuration is there, or will be.
    pub(super) fn is_configured(&self) -> bool {
        self.config.is_some() || self.upcoming.is_some()
    }

    /// The configuration that the newest units have.
    pub(super) fn newest_config(&self) -> Option<&TrackConfig> {
        self.upcoming
            .as_ref()
            .map(|(_, config)| config)
            .or(self.config.as_ref())
    }

    /// Takes up the configuration that begins with segment `msn`, if one does.
    fn take_up_config(&mut self, msn: Msn, context: &Context, out: &mut VecDeque<Output>) {
        let Some((_, config)) = self.upcoming.take_if(|(from, _)| *from <= msn) else {
            return;
        };
        if self.config.as_ref() == Some(&config) {
            return;
        }
        if self.config.is_some() {
            self.init_n += 1;
        }
        let record = InitRecord::new(context.epoch, self.id, self.init_n, &config);
        let record = record.labelled(self.label.clone());
        let track = match self.kind {
            TrackKind::Video => fmp4::VIDEO_TRACK,
            TrackKind::Audio => fmp4::AUDIO_TRACK,
        };
        let bytes = fmp4::init_segment(track, &config);
        self.inits.push((record.clone(), bytes.clone()));
        self.earlier_resyncs = self.resyncs();
        self.packager = Some(TrackPackager::new(&config, context.part_target));
        self.config = Some(config);
        out.push_back(Output::Init { record, bytes });
    }

    pub(super) fn set_part_target(&mut self, target: PartTarget) {
        let parts = self
            .packager
            .as_mut()
            .map(|packager| packager.set_target(target));
        self.publish(parts.unwrap_or_default());
    }

    /// Whether media of segment `msn` is worth waiting for.
    pub(super) fn expects(&self, msn: Msn) -> bool {
        self.resumes.is_some_and(|from| from <= msn) && self.stops.is_none_or(|until| msn < until)
    }

    /// What follows comes from another run of the encoder.
    pub(super) fn rejoin(&mut self) {
        if let Some(packager) = &mut self.packager {
            packager.rejoin();
        }
    }

    /// Puts a unit into the slot that holds its presentation time, closing those before it.
    /// Answers whether it found its place.
    pub(super) fn follow(
        &mut self,
        unit: Unit,
        schedule: &Schedule,
        context: Context,
        out: &mut VecDeque<Output>,
    ) -> bool {
        let tolerance = match self.kind {
            TrackKind::Video => TOLERANCE,
            TrackKind::Audio => 0,
        };
        let shown = unit.pts.0.saturating_add(tolerance);
        while let Some(slot) = schedule.get(self.next) {
            // The slot that the encoder left has no end but the start of the next one: pictures
            // that were to be reordered may be shown after it.
            let next = schedule
                .get(slot.msn.next())
                .filter(|next| shown >= next.start);
            let Some(next) = next else { break };
            // Only where the next slot continues this one does its first unit tell how long the
            // last one here lasts.
            let joined = !next.discontinuity && !next.gap;
            self.finish(slot, joined.then_some(unit.dts.0), context, out);
        }
        let Some(slot) = schedule.get(self.next) else {
            return false;
        };
        if unit.pts.0 >= slot.start.saturating_add(MOST_SHOWN) {
            return false;
        }
        if self.open.is_none() {
            let starts = match self.kind {
                TrackKind::Video => unit.keyframe && unit.pts.0 <= slot.start + LATE_START,
                TrackKind::Audio => true,
            };
            if !starts || slot.gap || shown < slot.start || !self.is_configured() {
                return false;
            }
            self.open(slot, context, out);
        }
        self.append(unit)
    }

    /// Opens the segment of `slot`.
    pub(super) fn open(&mut self, slot: &Slot, context: Context, out: &mut VecDeque<Output>) {
        self.take_up_config(slot.msn, &context, out);
        self.open = Some(self.empty_segment(slot, context));
    }

    fn empty_segment(&self, slot: &Slot, context: Context) -> Segment {
        let record = SegmentRecord {
            epoch: context.epoch,
            rendition: self.id,
            msn: slot.msn,
            init: self.init_n,
            timescale: self.timescale(),
            start: 0,
            composition_offset: 0,
            duration: 0,
            // Of media time 0, until the first part tells more.
            pdt: context.anchor,
            bytes: 0,
            units: 0,
            first_unit_end: 0,
            gap: false,
            discontinuity: slot.discontinuity,
            independent: true,
            parts: Vec::new(),
        };
        Segment {
            record,
            chunks: Vec::new(),
        }
    }

    /// Appends a unit to the open segment.
    pub(super) fn append(&mut self, unit: Unit) -> bool {
        let Some(packager) = &mut self.packager else {
            return false;
        };
        match packager.push(unit) {
            Some(parts) => {
                self.publish(parts);
                true
            }
            None => false,
        }
    }

    fn publish(&mut self, parts: Vec<Part>) {
        let Some(open) = &mut self.open else { return };
        for part in parts {
            if open.record.parts.is_empty() {
                open.record.start = part.start;
                open.record.composition_offset = part.composition_offset;
                open.record.independent = part.starts_independent;
                open.record.first_unit_end = part.first_unit_end;
                let shown = part.start + u64::from(part.composition_offset);
                open.record.pdt = after(open.record.pdt, shown, open.record.timescale);
            }
            open.record.parts.push(PartRecord {
                duration: part.duration,
                bytes: part.bytes.len() as u32,
                independent: part.independent,
                gap: false,
            });
            open.record.duration += u64::from(part.duration);
            open.record.bytes += part.bytes.len() as u64;
            open.record.units += part.units;
            self.counters.parts += 1;
            self.counters.irregular_parts += u64::from(part.irregular);
            self.counters.bytes += part.bytes.len() as u64;
            self.counters.units += u64::from(part.units);
            open.chunks.push(part.bytes);
        }
    }

    /// Closes the segment of `slot` with the media it has, or as a GAP if it has none. `next` is
    /// the decode time of the unit that follows without a hole.
    pub(super) fn finish(
        &mut self,
        slot: &Slot,
        next: Option<i64>,
        context: Context,
        out: &mut VecDeque<Output>,
    ) {
        let most = slot.start.saturating_add(MOST_SHOWN);
        let limit = slot.end.map_or(most, |end| end.at.min(most));
        let limit = scale(
            u64::try_from(limit).unwrap_or(0),
            TIMESCALE,
            self.timescale(),
        );
        let next = next.and_then(|dts| u64::try_from(dts).ok());
        let parts = self
            .packager
            .as_mut()
            .map(|packager| packager.finish(next, limit));
        self.publish(parts.unwrap_or_default());
        match self.open.take() {
            Some(open) if !open.record.parts.is_empty() => {
                self.counters.segments += 1;
                self.close(open, out);
            }
            _ => self.close_gap(slot, context, out),
        }
    }

    /// Segments closed and parts published so far.
    pub(super) fn progress(&self) -> u64 {
        self.counters.parts + self.counters.segments + self.counters.gaps
    }

    pub(super) fn close(&mut self, segment: Segment, out: &mut VecDeque<Output>) {
        let bytes = segment
            .chunks
            .iter()
            .filter(|chunk| !chunk.is_empty())
            .cloned()
            .collect();
        out.push_back(Output::Segment {
            record: segment.record.clone(),
            bytes,
        });
        self.next = segment.record.msn.next();
        self.segments.push_back(segment);
    }

    /// The encoder of this rendition died: what is in no part is lost.
    pub(super) fn abandon(&mut self) -> u64 {
        self.packager.as_mut().map_or(0, TrackPackager::abandon)
    }

    pub(super) fn timescale(&self) -> u32 {
        match (&self.config, self.kind) {
            (Some(config), _) => fmp4::timescale(config),
            (None, TrackKind::Video) => TIMESCALE,
            (None, TrackKind::Audio) => 48_000,
        }
    }

    pub(super) fn resyncs(&self) -> u64 {
        self.earlier_resyncs + self.packager.as_ref().map_or(0, TrackPackager::resyncs)
    }
}

/// `anchor` and `ticks` more.
pub(super) fn after(anchor: WallTime, ticks: u64, timescale: u32) -> WallTime {
    anchor.plus(Duration::from_millis(scale(ticks, timescale, 1000)))
}

/// `ticks` of a timescale in another one.
pub(super) fn scale(ticks: u64, from: u32, to: u32) -> u64 {
    let scaled = u128::from(ticks) * u128::from(to) / u128::from(from.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
