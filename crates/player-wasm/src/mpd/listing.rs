//! The segments of one choice across all Periods, as a media playlist.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::template::Addressing;
use super::whole::{ceil, floor, round};
use super::{Choice, Mpd, Period, Representation};
use crate::boxes::Index;
use crate::playlist::{MAX_SEGMENTS, MediaPlaylist, Segment, ServerControl};
use crate::timeline::Timeline;
use crate::url::ranged;

/// The first media sequence number of all: others may turn out to come before it.
const FIRST_MSN: u64 = 1 << 20;
/// Most missing segments listed in one hole.
const MAX_HOLE: f64 = 1000.0;
/// How long a segment is taken to be where nothing tells, in seconds.
const USUAL_S: f64 = 2.0;
/// How far from the edge to play where nothing tells, in segments.
const PLAIN_DELAY: f64 = 3.0;

/// What a listing takes beside the manifest.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The time in Unix milliseconds by the manifest's clock.
    pub now_ms: f64,
    /// The indexes fetched so far, by URL with range.
    pub indexes: &'a [(String, Index)],
    /// What is known of the track, of the choice itself first.
    pub known: &'a [&'a Timeline],
}

/// A listing.
#[derive(Clone, Debug, PartialEq)]
pub enum Listing {
    /// The segments there are.
    Segments {
        /// As a media playlist.
        playlist: Box<MediaPlaylist>,
        /// When there will be one more that needs no new manifest, in Unix milliseconds by the
        /// manifest's clock.
        more_at_ms: Option<f64>,
    },
    /// The `sidx` at this URL, with its range, has to be read before.
    WantsIndex(String),
}

/// Segments as they are found.
struct Collected {
    segments: Vec<Segment>,
    more_at_ms: Option<f64>,
    /// Longest segment in seconds.
    longest_s: f64,
    /// How long the pieces are that a growing segment comes in, in seconds.
    chunk_s: Option<f64>,
}

/// One Representation in one Period.
struct Stretch<'a> {
    representation: &'a Representation,
    /// When the Period begins, in Unix milliseconds.
    begin_ms: f64,
    /// How long it is, in seconds.
    length_s: Option<f64>,
    /// What has left the time shift buffer, in seconds from the Period's beginning.
    gone_s: f64,
    /// Now, in seconds from the Period's beginning; without a bound for what is complete.
    now_s: f64,
    map: Option<String>,
}

impl Mpd {
    /// The segments of a choice.
    pub fn listing(&self, choice: &Choice, moment: Moment<'_>) -> Listing {
        let mut found = Collected {
            segments: Vec::new(),
            more_at_ms: None,
            longest_s: 0.0,
            chunk_s: None,
        };
        let now_ms = if self.dynamic {
            moment.now_ms
        } else {
            f64::MAX
        };
        let gone_ms = self
            .depth_s
            .filter(|_| self.dynamic)
            .map_or(f64::MIN, |depth| now_ms - depth * 1000.0);
        for period in &self.periods {
            let begin_ms = self.begin_ms(period);
            let over = |length: f64| begin_ms + length * 1000.0 <= gone_ms;
            if begin_ms > now_ms || period.duration_s.is_some_and(over) {
                continue;
            }
            let Some(representation) = choice.find(period) else {
                continue;
            };
            let addressing = &representation.addressing;
            let stretch = Stretch {
                representation,
                begin_ms,
                length_s: period.duration_s,
                gone_s: (gone_ms - begin_ms) / 1000.0,
                now_s: (now_ms - begin_ms) / 1000.0,
                map: addressing
                    .initialization
                    .as_deref()
                    .map(|init| representation.url(init)),
            };
            found.more_at_ms = None;
            if let Some(url) = stretch.collect(moment.indexes, &mut found) {
                return Listing::WantsIndex(url);
            }
        }
        let (more_at_ms, usual_s) = (found.more_at_ms, found.usual_s());
        let segments = with_gaps(found.segments, usual_s);
        let end_ms = self
            .periods
            .last()
            .and_then(|last| Some(self.begin_ms(last) + last.duration_s? * 1000.0));
        let through = self.update_s.is_none() && end_ms.is_some_and(|end| end <= moment.now_ms);
        let playlist = MediaPlaylist {
            target_duration: usual_s,
            part_target: found.chunk_s,
            control: self.control(usual_s, found.chunk_s),
            media_sequence: first_msn(&segments, moment.known),
            segments,
            ended: !self.dynamic || through,
            relative: !self.dynamic,
            ..MediaPlaylist::default()
        };
        Listing::Segments {
            playlist: Box::new(playlist),
            more_at_ms,
        }
    }

    fn begin_ms(&self, period: &Period) -> f64 {
        self.zero_ms + period.start_s * 1000.0
    }

    /// Whether what there is follows from the time of day.
    pub fn needs_clock(&self) -> bool {
        let counts = |addressing: &Addressing| {
            let on = addressing
                .timeline
                .as_ref()
                .and_then(|runs| runs.last())
                .map(|run| run.repeat < 0);
            on.unwrap_or(addressing.duration.is_some())
        };
        let representations = self
            .periods
            .iter()
            .flat_map(|period| &period.sets)
            .flat_map(|set| &set.representations);
        self.dynamic && representations.map(|one| &one.addressing).any(counts)
    }

    /// What goes by `zero_ms` in this manifest, given another of the same video that went by the
    /// time of day; `None` if they have no Period in common.
    #[must_use]
    pub fn placed_like(mut self, other: &Self) -> Option<Self> {
        let common = self.periods.iter().find_map(|period| {
            let same = |known: &&Period| !known.id.is_empty() && known.id == period.id;
            other
                .periods
                .iter()
                .find(same)
                .map(|known| other.begin_ms(known) - self.begin_ms(period))
        });
        self.zero_ms += common?;
        Some(self)
    }

    /// How far from the edge to play. A viewer's distance is told from now; the edge is half a
    /// segment behind that on average, unless segments grow.
    fn control(&self, usual_s: f64, chunk_s: Option<f64>) -> ServerControl {
        let told = self
            .latency_s
            .filter(|_| chunk_s.is_some())
            .or(self.delay_s);
        let hold_back = match (told, chunk_s) {
            (Some(told), Some(_)) => told,
            (Some(told), None) => (told - usual_s / 2.0).max(usual_s),
            (None, _) => PLAIN_DELAY * usual_s,
        };
        ServerControl {
            hold_back: Some(hold_back),
            part_hold_back: chunk_s.map(|_| hold_back),
            ..ServerControl::default()
        }
    }
}

impl Stretch<'_> {
    /// Finds the segments; yields the URL of the index that is missing, if one is.
    fn collect(&self, indexes: &[(String, Index)], found: &mut Collected) -> Option<String> {
        let addressing = &self.representation.addressing;
        match (&addressing.timeline, addressing.duration, addressing.index) {
            (Some(_), _, _) => self.collect_timeline(found),
            (None, Some(duration), _)
                if addressing.media.is_some() || addressing.list.is_some() =>
            {
                self.collect_regular(duration, found);
            }
            // A list without times is one segment (section 5.3.9.3).
            (None, None, _) if addressing.list.is_some() => {
                let length_s = self.length_s.unwrap_or(USUAL_S);
                self.push(0, addressing.offset, length_s * addressing.timescale, found);
            }
            (None, _, Some((first, last))) => {
                let url = ranged(&self.representation.base, first, Some(last));
                match indexes.iter().find(|(known, _)| *known == url) {
                    Some((_, index)) => self.collect_indexed(index, last.saturating_add(1), found),
                    None => return Some(url),
                }
            }
            (None, ..) => {}
        }
        None
    }

    /// Segments that are listed one by one.
    fn collect_timeline(&self, found: &mut Collected) {
        let Addressing {
            timescale, offset, ..
        } = self.representation.addressing;
        let runs = self
            .representation
            .addressing
            .timeline
            .as_deref()
            .unwrap_or_default();
        let units = |seconds: f64| offset as f64 + seconds * timescale;
        let (mut at, mut k) = (0_u64, 0_u64);
        for (run, next) in runs.iter().zip(runs.iter().skip(1).map(Some).chain([None])) {
            at = run.at.unwrap_or(at);
            let duration = run.duration as f64;
            let fit = |until: f64| ((until - at as f64) / duration).max(0.0);
            let count = match (u64::try_from(run.repeat), next.and_then(|next| next.at)) {
                (Ok(repeat), _) => repeat.saturating_add(1),
                (Err(_), Some(until)) => round(fit(until as f64)) as u64,
                (Err(_), None) => {
                    let length = self
                        .length_s
                        .map_or(f64::MAX, |length| ceil(fit(units(length)) - 1e-6));
                    let early_s = self.early_s(duration / timescale);
                    let there = floor(fit(units(self.now_s + early_s)));
                    length.min(there).min(MAX_SEGMENTS as f64) as u64
                }
            };
            // What has left the window is only counted.
            let gone = (fit(units(self.gone_s)) as u64).min(count);
            let begun = self
                .length_s
                .map_or(u64::MAX, |length| ceil(fit(units(length))) as u64);
            let room = MAX_SEGMENTS.saturating_sub(found.segments.len()) as u64;
            let start = at;
            for i in gone..count.min(begun).min(gone.saturating_add(room)) {
                let at = start.saturating_add(run.duration.saturating_mul(i));
                self.push(k.saturating_add(i), at, duration, found);
            }
            at = start.saturating_add(run.duration.saturating_mul(count));
            k = k.saturating_add(count);
        }
    }

    /// Segments that are all of one length.
    fn collect_regular(&self, duration: u64, found: &mut Collected) {
        let addressing = &self.representation.addressing;
        let duration_s = duration as f64 / addressing.timescale;
        let early_s = self.early_s(duration_s);
        let in_period = self.length_s.map(|length| ceil(length / duration_s - 1e-6));
        let in_list = addressing.list.as_ref().map(|list| list.len() as f64);
        let numbered = addressing.end_number.map(|end| {
            end.saturating_add(1)
                .saturating_sub(addressing.start_number) as f64
        });
        let bounds = [in_list.or(in_period), numbered];
        let bound = bounds.into_iter().flatten().fold(f64::MAX, f64::min);
        let there = floor((self.now_s + early_s) / duration_s);
        let first = (self.gone_s / duration_s) as u64;
        let end = bound.min(there);
        if !(0.0..1e15).contains(&end) {
            return;
        }
        let room = MAX_SEGMENTS.saturating_sub(found.segments.len()) as u64;
        let end = end as u64;
        for k in first.max(end.saturating_sub(room))..end {
            let at = addressing.offset.saturating_add(k.saturating_mul(duration));
            self.push(k, at, duration as f64, found);
        }
        if there < bound {
            let next_s = (end + 1) as f64 * duration_s - early_s;
            found.more_at_ms = Some(self.begin_ms + next_s * 1000.0);
        }
        let grows = !addressing.complete && early_s > 0.0 && self.now_s < f64::MAX / 2e3;
        if grows {
            found.chunk_s = Some((duration_s - early_s).max(0.05));
        }
    }

    /// Subsegments of one file (ISO/IEC 14496-12 section 8.16.3); they begin at byte `anchor`.
    fn collect_indexed(&self, index: &Index, anchor: u64, found: &mut Collected) {
        let scale = f64::from(index.timescale);
        // The offset counts in the manifest's units, the index in its own.
        let addressing = &self.representation.addressing;
        let offset_s = addressing.offset as f64 / addressing.timescale;
        let mut at = index.earliest;
        let mut first = anchor.saturating_add(index.first_offset);
        for &(size, duration) in &index.references {
            let media_s = at as f64 / scale;
            let last = first.saturating_add(u64::from(size).max(1) - 1);
            let url = ranged(&self.representation.base, first, Some(last));
            self.push_at(
                url,
                media_s,
                media_s - offset_s,
                f64::from(duration) / scale,
                found,
            );
            at = at.saturating_add(u64::from(duration));
            first = last.saturating_add(1);
        }
    }

    fn early_s(&self, duration_s: f64) -> f64 {
        self.representation.addressing.early_s.min(duration_s)
    }

    /// The segment `k` of the Period, in units of the Representation.
    fn push(&self, k: u64, at: u64, duration: f64, found: &mut Collected) {
        let addressing = &self.representation.addressing;
        let url = match (&addressing.media, &addressing.list) {
            (Some(media), _) => {
                let number = addressing.start_number.saturating_add(k);
                self.representation.segment_url(media, number, at)
            }
            (None, Some(list)) => {
                let entry = usize::try_from(k).ok().and_then(|k| list.get(k));
                let Some(entry) = entry else { return };
                self.representation.url(entry)
            }
            (None, None) => return,
        };
        let (at, offset) = (at as f64, addressing.offset as f64);
        let scale = addressing.timescale;
        self.push_at(
            url,
            at / scale,
            (at - offset) / scale,
            duration / scale,
            found,
        );
    }

    fn push_at(
        &self,
        url: String,
        media_s: f64,
        at_s: f64,
        duration_s: f64,
        found: &mut Collected,
    ) {
        let beyond = self.length_s.is_some_and(|length| at_s >= length - 1e-3);
        if beyond || at_s + duration_s <= self.gone_s || found.segments.len() >= MAX_SEGMENTS {
            return;
        }
        let left_s = self.length_s.map_or(f64::MAX, |length| length - at_s);
        // Not the last one of a Period, which may be a rest.
        if left_s > duration_s || found.longest_s == 0.0 {
            found.longest_s = found.longest_s.max(duration_s);
        }
        let complete = self.representation.addressing.complete;
        found.segments.push(Segment {
            uri: Some(url),
            duration: duration_s.min(left_s),
            date_time_ms: Some(self.begin_ms + at_s * 1000.0),
            map: self.map.clone(),
            media_s: Some(media_s),
            growing: !complete && at_s + duration_s > self.now_s,
            ..Segment::default()
        });
    }
}

impl Collected {
    fn usual_s(&self) -> f64 {
        if self.longest_s > 0.0 {
            self.longest_s
        } else {
            USUAL_S
        }
    }
}

/// Lists what is missing between two segments as gaps, so that renditions with other holes count
/// alike.
fn with_gaps(segments: Vec<Segment>, usual_s: f64) -> Vec<Segment> {
    let mut listed: Vec<Segment> = Vec::with_capacity(segments.len());
    for segment in segments {
        let (start, before) = (segment.date_time_ms.unwrap_or(0.0), listed.last());
        let end = before.and_then(|before| Some(before.date_time_ms? + before.duration * 1000.0));
        let missing = end.map_or(0.0, |end| (start - end) / 1000.0 / usual_s);
        let missing = round(missing).min(MAX_HOLE);
        if let Some(end) = end.filter(|_| missing >= 1.0) {
            let each_ms = (start - end) / missing;
            for k in 0..missing as u32 {
                listed.push(Segment {
                    uri: segment.uri.clone(),
                    duration: each_ms / 1000.0,
                    gap: true,
                    date_time_ms: Some(end + f64::from(k) * each_ms),
                    map: segment.map.clone(),
                    ..Segment::default()
                });
            }
        }
        listed.push(segment);
    }
    listed.truncate(MAX_SEGMENTS);
    listed
}

/// The media sequence number of the first segment: it counts on from what is known of the track.
fn first_msn(segments: &[Segment], known: &[&Timeline]) -> u64 {
    let middle = |segment: &Segment| {
        segment
            .date_time_ms
            .map(|start| start + segment.duration * 500.0)
    };
    for timeline in known {
        let (Some(begin), Some(end)) = (timeline.start_ms(), timeline.listed_end_ms()) else {
            continue;
        };
        for (i, segment) in segments.iter().enumerate().rev() {
            let Some(middle) = middle(segment) else {
                continue;
            };
            if (begin..end).contains(&middle) {
                return timeline.msn_at(middle).saturating_sub(i as u64);
            }
        }
        // Nothing in common: as many are taken to be missing as would fit between.
        if let Some((start, usual_s)) = segments
            .first()
            .and_then(|s| Some((s.date_time_ms?, s.duration.max(0.1))))
        {
            let missing = round((start - end) / 1000.0 / usual_s).min(1e9) as u64;
            return timeline.edge().msn + missing;
        }
    }
    FIRST_MSN
}
