//! What is known of one rendition: its segments on the wall clock, the live edge, what comes next.
//!
//! Segments are placed by EXT-X-PROGRAM-DATE-TIME, so that renditions, epochs and holes line up. A
//! playlist without dates is placed from zero.

use std::collections::VecDeque;
use std::rc::Rc;

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
    segments: VecDeque<Segment>,
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
}

impl Timeline {
    /// Takes in a playlist, whole or delta. An older one than what is known changes nothing.
    pub fn update(&mut self, playlist: MediaPlaylist) -> Update {
        let old_edge = self.edge();
        let kept = match self.keep_skipped(&playlist) {
            Some(kept) => kept,
            None => return Update::Mismatch,
        };
        let segments = place(kept, playlist.segments, playlist.discontinuity_sequence);
        let (segments, dated) = match segments {
            Placed::ByDate(segments) => (segments, true),
            Placed::FromZero(segments) => (segments, false),
        };
        let edge = edge(playlist.media_sequence, &segments);
        let went_back = edge < old_edge && playlist.media_sequence <= self.first_msn;
        if went_back && !self.segments.is_empty() && !playlist.ended {
            return Update::Unchanged;
        }
        let advanced = edge > old_edge || playlist.ended != self.ended || self.segments.is_empty();
        *self = Self {
            first_msn: playlist.media_sequence,
            segments,
            target_duration: playlist.target_duration,
            part_target: playlist.part_target,
            control: playlist.control,
            hint: playlist.hint,
            reports: playlist.reports,
            ended: playlist.ended,
            dated,
        };
        if advanced {
            Update::Advanced
        } else {
            Update::Unchanged
        }
    }

    /// The known segments that a delta update leaves out.
    fn keep_skipped(&mut self, playlist: &MediaPlaylist) -> Option<VecDeque<Segment>> {
        if playlist.skipped == 0 {
            return Some(VecDeque::new());
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
        Some(
            self.segments
                .range(from as usize..to as usize)
                .cloned()
                .collect(),
        )
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
        self.segments.front().map(|segment| segment.start_ms)
    }

    /// When the last part or segment ends, in Unix milliseconds.
    pub fn end_ms(&self) -> Option<f64> {
        self.segments.back().map(Segment::end_ms)
    }

    /// The position that comes next: what a blocking reload asks for and a hint announces.
    pub fn edge(&self) -> Position {
        edge(self.first_msn, &self.segments)
    }

    /// Whether the newest segment is missing: the encoder is away.
    pub fn ends_in_gap(&self) -> bool {
        self.segments.back().is_some_and(|segment| segment.gap)
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

fn edge(first_msn: u64, segments: &VecDeque<Segment>) -> Position {
    let next = Position {
        msn: first_msn + segments.len() as u64,
        part: 0,
    };
    match segments.back() {
        Some(open) if open.uri.is_none() => Position {
            msn: next.msn - 1,
            part: open.parts.len() as u32,
        },
        _ => next,
    }
}

enum Placed {
    ByDate(VecDeque<Segment>),
    FromZero(VecDeque<Segment>),
}

/// Puts listed segments behind the kept ones: each inherits the map, the discontinuity sequence
/// number and, without a date of its own, the end of the one before it.
fn place(kept: VecDeque<Segment>, listed: Vec<Listed>, discontinuity_sequence: u64) -> Placed {
    let (mut discontinuity, mut map, mut next_ms) = match kept.back() {
        Some(last) => (last.discontinuity, last.map.clone(), Some(last.end_ms())),
        None => (discontinuity_sequence, None, first_date(&listed)),
    };
    let dated = next_ms.is_some();
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
        let start_ms = listed.date_time_ms.or(next_ms).unwrap_or(0.0);
        let segment = Segment {
            uri: listed.uri,
            duration: listed.duration,
            gap: listed.gap,
            discontinuity,
            start_ms,
            map: map.clone(),
            parts: listed.parts,
        };
        next_ms = Some(segment.end_ms());
        segments.push_back(segment);
    }
    if dated {
        Placed::ByDate(segments)
    } else {
        Placed::FromZero(segments)
    }
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
