//! Which stretches of a video become Periods, and how the segments of each are addressed.
//!
//! A Period is a stretch in which the same renditions have media, coded the same, of one epoch and
//! without a break. GAPs and discontinuities therefore lie between Periods, never within one, and
//! `$Number$` is the msn throughout.
//!
//! Where an encoder's cadence is regular, a Period tells a segment duration and nothing of single
//! segments: a player knows the name of the next one before it exists, and takes it while it grows.
//! A Period begins with the guess that its segments will be as long as its first one. Where one
//! strays from that by more than players bear, another Period begins with another guess; after
//! a few that failed, segments are listed for the rest of the video, as they are complete. There is
//! no way back, since players take the end of a list for the live edge.
//!
//! Records that are added never change a Period but the last one.

use weir_model::{Epoch, Msn, RenditionId, WallTime};

use crate::{package::segmenter::SEGMENT, record::SegmentRecord, unit::TIMESCALE};

/// This many guesses may fail before segments are listed.
const GUESSES: usize = 3;

/// How far lengths of a regular cadence may be apart, in ticks: 20 ms.
const LENGTHS_APART: u64 = TIMESCALE as u64 / 50;

/// Segments shorter than this say nothing of those that follow, in ticks: 1 s.
const SHORTEST: u64 = TIMESCALE as u64;

/// How far a segment may start from where its number says, in ticks: 100 ms. The standard takes
/// half a segment; players guess better with less.
const DRIFT: u64 = TIMESCALE as u64 / 10;

/// How far a segment may start from the end of the one before it, in ticks: 50 ms.
const HOLE: u64 = TIMESCALE as u64 / 20;

/// How the segments of a Period are addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// By a `SegmentTimeline` of the complete ones.
    Listed,
    /// By number, each lasting this many milliseconds.
    Regular(u64),
}

/// One Period.
#[derive(Clone, Debug, PartialEq)]
pub struct Period<'a> {
    /// Life of the video that wrote it.
    pub epoch: Epoch,
    /// msn of its first segment.
    pub first: Msn,
    /// Media time at which it starts, in ticks of 1/90,000 s.
    pub start: u64,
    /// Wall-clock time of that.
    pub start_wall: WallTime,
    /// From the start of the video to its own, holes included, in ticks of 1/90,000 s.
    pub offset: u64,
    /// How long it lasts, in ticks of 1/90,000 s, as far as it has come.
    pub length: u64,
    /// How its segments are addressed.
    pub addressing: Addressing,
    /// Which renditions have media in it, and by which of their initialisation segments.
    pub renditions: Vec<(RenditionId, u32)>,
    /// Its complete segments, all renditions', in order of msn.
    pub segments: Vec<&'a SegmentRecord>,
    /// What follows is not joined to it.
    pub closed: bool,
}

/// Divides `records`, all renditions' segments in order of msn, into Periods. Only msns that every
/// rendition has closed should be among them.
pub fn periods(records: &[SegmentRecord]) -> Vec<Period<'_>> {
    let mut periods: Vec<Period<'_>> = Vec::new();
    let mut offset = 0;
    for group in records.chunk_by(|a, b| a.msn == b.msn) {
        let mut media: Vec<&SegmentRecord> = group.iter().filter(|record| !record.gap).collect();
        // Within an msn they stand as they came.
        media.sort_by_key(|record| record.rendition);
        if let Some(lead) = lead(&media) {
            take(&mut periods, lead, media.clone(), offset);
            offset += ticks(lead.duration, lead.timescale);
        } else {
            if let Some(last) = periods.last_mut() {
                last.closed = true;
            }
            let missing = group.first().map_or(0, |r| ticks(r.duration, r.timescale));
            // Time begins with the first media.
            offset += if periods.is_empty() { 0 } else { missing };
        }
    }
    periods
}

/// Puts the segments of one msn into the Period that they continue, or into a new one.
fn take<'a>(
    periods: &mut Vec<Period<'a>>,
    lead: &SegmentRecord,
    media: Vec<&'a SegmentRecord>,
    offset: u64,
) {
    let start = shown(lead);
    let renditions: Vec<_> = media.iter().map(|r| (r.rendition, r.init)).collect();
    let last = periods.last();
    let joined = last.is_some_and(|last| last.is_continued_by(lead, start));
    let on_time = joined && last.is_some_and(|last| last.is_on_time(lead, start));
    let same = last.is_some_and(|last| last.renditions == renditions);
    if !(on_time && same) {
        let addressing = match last {
            // The cadence outlives a rendition that comes or goes.
            Some(last) if on_time => last.addressing,
            _ => guess(periods, lead),
        };
        if let Some(last) = periods.last_mut() {
            last.closed = !joined;
        }
        periods.push(Period {
            epoch: lead.epoch,
            first: lead.msn,
            start,
            start_wall: lead.pdt,
            offset,
            length: 0,
            addressing,
            renditions,
            segments: Vec::new(),
            closed: false,
        });
    }
    if let Some(last) = periods.last_mut() {
        last.segments.extend(media);
        last.length = (start + ticks(lead.duration, lead.timescale)).saturating_sub(last.start);
    }
}

/// The addressing of a Period that begins with `lead` and is not on time for those before it.
fn guess(periods: &[Period<'_>], lead: &SegmentRecord) -> Addressing {
    if periods
        .iter()
        .any(|period| period.addressing == Addressing::Listed)
    {
        return Addressing::Listed;
    }
    // One that was regular and just drifted is told its true cadence.
    if let Some(cadence) = periods.last().and_then(|last| last.cadence(lead.rendition)) {
        return Addressing::Regular(cadence);
    }
    let failed = |pair: &[Period<'_>]| !pair[0].closed && pair[0].cadence(lead.rendition).is_none();
    let failed = periods.windows(2).filter(|pair| failed(pair)).count();
    let failing = periods.last().is_some_and(|last| !last.closed);
    if failed + usize::from(failing) > GUESSES {
        return Addressing::Listed;
    }
    match ticks(lead.duration, lead.timescale) {
        short if short < SHORTEST => Addressing::Regular(millis(SEGMENT.unsigned_abs())),
        length => Addressing::Regular(millis(length)),
    }
}

impl Period<'_> {
    /// msn of the segment after its last one.
    pub fn next(&self) -> Msn {
        self.segments
            .last()
            .map_or(self.first, |record| record.msn.next())
    }

    /// The segments of one rendition.
    pub fn of(&self, rendition: RenditionId) -> impl Iterator<Item = &SegmentRecord> {
        self.segments
            .iter()
            .copied()
            .filter(move |record| record.rendition == rendition)
    }

    fn is_continued_by(&self, lead: &SegmentRecord, start: u64) -> bool {
        !self.closed
            && !lead.discontinuity
            && self.epoch == lead.epoch
            && self.next() == lead.msn
            && start.abs_diff(self.start + self.length) <= HOLE
    }

    fn is_on_time(&self, lead: &SegmentRecord, start: u64) -> bool {
        let Addressing::Regular(ms) = self.addressing else {
            return true;
        };
        let nth = lead.msn.0.saturating_sub(self.first.0);
        start.abs_diff(self.start + nth * ms * u64::from(TIMESCALE / 1000)) <= DRIFT
    }

    /// Mean length of its segments in milliseconds, if there are some and all are of one length.
    fn cadence(&self, rendition: RenditionId) -> Option<u64> {
        let lengths = self.of(rendition);
        let lengths: Vec<u64> = lengths.map(|r| ticks(r.duration, r.timescale)).collect();
        let (least, most) = (lengths.iter().min()?, lengths.iter().max()?);
        let regular = lengths.len() > 2 && most - least <= LENGTHS_APART && *least >= SHORTEST;
        regular.then(|| millis(lengths.iter().sum::<u64>() / lengths.len() as u64))
    }
}

/// Ticks of 1/90,000 s in milliseconds, to the nearest.
fn millis(ticks: u64) -> u64 {
    let per_ms = u64::from(TIMESCALE / 1000);
    (ticks + per_ms / 2) / per_ms
}

/// The segment whose time counts: of video before audio, of the source before others.
fn lead<'a>(media: &[&'a SegmentRecord]) -> Option<&'a SegmentRecord> {
    let source = media.iter().find(|r| r.rendition.as_str() == "source");
    let video = || media.iter().find(|r| r.timescale == TIMESCALE);
    source.or_else(video).or(media.first()).copied()
}

/// When the first unit of a segment is shown, in media time.
fn shown(record: &SegmentRecord) -> u64 {
    let at = record.start + u64::from(record.composition_offset);
    ticks(at, record.timescale)
}

/// Ticks of 1/90,000 s.
pub(super) fn ticks(ticks: u64, timescale: u32) -> u64 {
    scale(ticks, timescale, TIMESCALE)
}

/// `ticks` of a timescale in another one.
pub(super) fn scale(ticks: u64, from: u32, to: u32) -> u64 {
    let scaled = u128::from(ticks) * u128::from(to) / u128::from(from.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
