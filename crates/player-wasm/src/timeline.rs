//! What is known of one rendition: its segments on the wall clock, the live edge, what comes next.
//!
//! Segments are placed by EXT-X-PROGRAM-DATE-TIME, so that renditions, epochs and holes line up.
//! Those of a playlist without dates are placed one behind the other, from zero on.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use crate::playlist::{MediaPlaylist, Part, RenditionReport, Segment as Listed, ServerControl};

/// A place between segments or parts: the first part of `msn` is part 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Media sequence number.
    pub msn: u64,
    /// Part within the segment.
    pub part: u32,
}

/// One segment, placed.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// URI relative to the playlist; `None` while it is open.
    pub uri: Option<String>,
    /// Seconds; grows while it is open.
    pub duration: f64,
    /// Whether the whole segment is missing.
    pub gap: bool,
    /// Discontinuity sequence number: equal ones share a media timeline.
    pub discontinuity: u64,
    /// When it begins, in Unix milliseconds.
    pub start_ms: f64,
    /// Its initialisation segment, relative to the playlist.
    pub map: Option<Rc<str>>,
    /// Its parts, as long as they are listed.
    pub parts: Vec<Part>,
    /// When it begins on the timeline of the media itself, in seconds, where a manifest tells.
    pub media_s: Option<f64>,
    /// Whether it can be fetched while it is still being written.
    pub growing: bool,
}

impl Segment {
    /// When it ends, as far as it is known, in Unix milliseconds.
    pub fn end_ms(&self) -> f64 {
        self.start_ms + self.duration * 1000.0
    }

    /// When a part begins, in Unix milliseconds.
    pub fn part_start_ms(&self, part: u32) -> f64 {
        let before: f64 = self
            .parts
            .iter()
            .take(part as usize)
            .map(|part| part.duration)
            .sum();
        self.start_ms + before * 1000.0
    }
}

/// What an update did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// The edge has moved on, or the playlist has ended.
    Advanced,
    /// Nothing new.
    Unchanged,
    /// A delta update that does not fit what is known: ask for the whole playlist.
    Mismatch,
}

/// What is known of one rendition.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    first_msn: u64,
    segments: Vec<Segment>,
    /// `EXT-X-TARGETDURATION` in seconds.
    pub target_duration: f64,
    /// `PART-TARGET` in seconds.
    pub part_target: Option<f64>,
    /// What the server can do.
    pub control: ServerControl,
    /// URI of the part at the edge, fetchable ahead of time.
    pub hint: Option<String>,
    /// Where the other renditions are.
    pub reports: Vec<RenditionReport>,
    /// Whether nothing more will come.
    pub ended: bool,
    /// Whether the dates are those of a wall clock.
    pub dated: bool,
    /// How far a segment that grows has come, in Unix milliseconds: nothing is later.
    pub known_until_ms: Option<f64>,
    /// The edge of the last playlist that was older than what is known.
    older: Option<Position>,
}

impl Timeline {
    /// Takes in a playlist, whole or delta. An older one than what is known changes nothing, unless
    /// such ones move on: then the server counts from the beginning again.
    pub fn update(&mut self, playlist: MediaPlaylist) -> Update {
        let old_edge = self.edge();
        let anchor_ms = self.anchor_ms(playlist.media_sequence);
        let kept = match self.keep_skipped(&playlist) {
            Some(kept) => kept,
            None => return Update::Mismatch,
        };
        let dated = kept.last().map_or_else(
            || playlist.segments.iter().any(|s| s.date_time_ms.is_some()),
            |_| self.dated,
        );
        let segments = place(
            kept,
            playlist.segments,
            playlist.discontinuity_sequence,
            anchor_ms,
        );
        let edge = edge(playlist.media_sequence, &segments);
        let went_back = edge < old_edge && playlist.media_sequence <= self.first_msn;
        if went_back && !self.segments.is_empty() && !playlist.ended {
            let starts_over = self.older.is_some_and(|older| edge > older);
            self.older = Some(edge);
            if !starts_over {
                return Update::Unchanged;
            }
        }
        let advanced = edge != old_edge || playlist.ended != self.ended || self.segments.is_empty();
        *self = Self {
            first_msn: playlist.media_sequence,
            segments,
            target_duration: playlist.target_duration,
            part_target: playlist.part_target,
            control: playlist.control,
            hint: playlist.hint,
            reports: playlist.reports,
            ended: playlist.ended,
            dated: dated && !playlist.relative,
            known_until_ms: self.known_until_ms,
            older: None,
        };
        if advanced {
            Update::Advanced
        } else {
            Update::Unchanged
        }
    }

    /// Where a playlist without dates begins whose first segment is this one, as far as is known.
    fn anchor_ms(&self, msn: u64) -> f64 {
        let known = self.get(msn).map(|segment| segment.start_ms);
        known.or(self.end_ms()).unwrap_or(0.0)
    }

    /// Moves everything by this many ms: it turned out to lie elsewhere than was thought.
    pub fn shift(&mut self, by_ms: f64) {
        for segment in &mut self.segments {
            segment.start_ms += by_ms;
        }
    }

    /// How far this lies before another rendition without dates, in ms, if segments of the same number
    /// lie beside each other, or else the ends.
    pub fn lies_before(&self, other: &Self) -> Option<f64> {
        let msn = other.first_msn.max(self.first_msn);
        let starts = self.get(msn).zip(other.get(msn));
        let starts = starts.map(|(own, other)| other.start_ms - own.start_ms);
        starts.or_else(|| Some(other.end_ms()? - self.end_ms()?))
    }

    /// The known segments that a delta update leaves out.
    fn keep_skipped(&mut self, playlist: &MediaPlaylist) -> Option<Vec<Segment>> {
        if playlist.skipped == 0 {
            return Some(Vec::new());
        }
        let from = playlist.media_sequence.checked_sub(self.first_msn)?;
        let to = from + playlist.skipped;
        // The segment that was open when the last update came is not one to keep.
        let complete = self
            .segments
            .iter()
            .take_while(|segment| segment.uri.is_some())
            .count();
        if to > complete as u64 {
            return None;
        }
        Some(self.segments.get(from as usize..to as usize)?.to_vec())
    }

    /// Whether anything is known.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The segment with this msn.
    pub fn get(&self, msn: u64) -> Option<&Segment> {
        let index = usize::try_from(msn.checked_sub(self.first_msn)?).ok()?;
        self.segments.get(index)
    }

    /// The first msn listed.
    pub fn first_msn(&self) -> u64 {
        self.first_msn
    }

    /// When the first segment begins, in Unix milliseconds.
    pub fn start_ms(&self) -> Option<f64> {
        self.segments.first().map(|segment| segment.start_ms)
    }

    /// When the last part or segment ends, in Unix milliseconds; of one that grows, as far as it
    /// has come.
    pub fn end_ms(&self) -> Option<f64> {
        let end_ms = self.listed_end_ms()?;
        Some(
            self.known_until_ms
                .map_or(end_ms, |until| until.min(end_ms)),
        )
    }

    /// When the last part or segment will end, in Unix milliseconds.
    pub fn listed_end_ms(&self) -> Option<f64> {
        self.segments.last().map(Segment::end_ms)
    }

    /// Whether the last segment can be fetched while it is still being written.
    pub fn grows(&self) -> bool {
        self.segments.last().is_some_and(|segment| segment.growing)
    }

    /// The position that comes next: what a blocking reload asks for and a hint announces.
    pub fn edge(&self) -> Position {
        edge(self.first_msn, &self.segments)
    }

    /// Whether the newest segment is missing: the encoder is away.
    pub fn ends_in_gap(&self) -> bool {
        self.segments.last().is_some_and(|segment| segment.gap)
    }

    /// The msn of the segment that holds an instant; the nearest one if none does.
    pub fn msn_at(&self, instant_ms: f64) -> u64 {
        let after = self
            .segments
            .partition_point(|segment| segment.start_ms <= instant_ms);
        self.first_msn + after.saturating_sub(1) as u64
    }

    /// Where to begin in order to show `instant_ms`: the last independent part at or before it. At
    /// the beginning of a complete segment this is the segment itself.
    pub fn entry(&self, instant_ms: f64) -> Position {
        let msn = self.msn_at(instant_ms);
        let Some(segment) = self.get(msn) else {
            return self.edge();
        };
        let mut entry = Position { msn, part: 0 };
        let mut start_ms = segment.start_ms;
        for (part, index) in segment.parts.iter().zip(0..) {
            if start_ms <= instant_ms && part.independent && !part.gap {
                entry.part = index;
            }
            start_ms += part.duration * 1000.0;
        }
        entry
    }
}

fn edge(first_msn: u64, segments: &[Segment]) -> Position {
    let next = Position {
        msn: first_msn + segments.len() as u64,
        part: 0,
    };
    match segments.last() {
        Some(open) if open.uri.is_none() => Position {
            msn: next.msn - 1,
            part: open.parts.len() as u32,
        },
        _ => next,
    }
}

/// Puts listed segments behind the kept ones: each inherits the map, the discontinuity sequence
/// number and, without a date of its own, the end of the one before it. Without any date the first
/// one begins at `anchor_ms`.
fn place(
    kept: Vec<Segment>,
    listed: Vec<Listed>,
    discontinuity_sequence: u64,
    anchor_ms: f64,
) -> Vec<Segment> {
    let (mut discontinuity, mut map, mut next_ms) = match kept.last() {
        Some(last) => (last.discontinuity, last.map.clone(), last.end_ms()),
        None => {
            let first_ms = first_date(&listed).unwrap_or(anchor_ms);
            (discontinuity_sequence, None, first_ms)
        }
    };
    let mut segments = kept;
    segments.reserve(listed.len());
    for listed in listed {
        discontinuity += u64::from(listed.discontinuity);
        if let Some(uri) = listed.map {
            map = Some(match map {
                Some(same) if *same == *uri => same,
                _ => Rc::from(uri),
            });
        }
        let start_ms = listed.date_time_ms.unwrap_or(next_ms);
        let segment = Segment {
            uri: listed.uri,
            duration: listed.duration,
            gap: listed.gap,
            discontinuity,
            start_ms,
            map: map.clone(),
            parts: listed.parts,
            media_s: listed.media_s,
            growing: listed.growing,
        };
        next_ms = segment.end_ms();
        segments.push(segment);
    }
    segments
}

/// When the first listed segment begins, counted back from the first date among them (RFC 8216
/// section 6.3.3).
fn first_date(listed: &[Listed]) -> Option<f64> {
    let mut before = 0.0;
    for segment in listed {
        if let Some(date) = segment.date_time_ms {
            return Some(date - before * 1000.0);
        }
        before += segment.duration;
    }
    None
}

#[cfg(test)]
mod tests;
