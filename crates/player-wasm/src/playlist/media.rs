//! Media playlists (RFC 8216 section 4.3.3; draft-pantos-hls-rfc8216bis section 4.4.3 to 4.4.5).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::attributes::Attributes;
use super::{InvalidPlaylist, Line, MAX_PARTS, MAX_SEGMENTS, Numbers, lines, scalar, start};
use crate::url::ranged;

/// A media playlist as written: a delta update still lacks what it skips. A URI that stands for a
/// range of bytes ends with it, as [`ranged`] writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaPlaylist {
    /// `EXT-X-TARGETDURATION` in seconds.
    pub target_duration: f64,
    /// `PART-TARGET` in seconds; without it there are no parts.
    pub part_target: Option<f64>,
    /// `EXT-X-SERVER-CONTROL`.
    pub control: ServerControl,
    /// The msn of the first segment, skipped ones included.
    pub media_sequence: u64,
    /// The discontinuity sequence number that the first segment counts from.
    pub discontinuity_sequence: u64,
    /// How many segments `EXT-X-SKIP` leaves out at the beginning.
    pub skipped: u64,
    /// The segments listed. The last one has no URI while it is open.
    pub segments: Vec<Segment>,
    /// URI of the part that `EXT-X-PRELOAD-HINT` announces.
    pub hint: Option<String>,
    /// `EXT-X-RENDITION-REPORT`s.
    pub reports: Vec<RenditionReport>,
    /// Whether `EXT-X-ENDLIST` stands in it.
    pub ended: bool,
    /// `TIME-OFFSET` of `EXT-X-START` in seconds: where to begin, from the end if negative.
    pub start_s: Option<f64>,
    /// Whether dates count from the beginning of the presentation rather than from 1970, as those
    /// made of a static MPD do.
    pub relative: bool,
}

/// `EXT-X-SERVER-CONTROL`; durations in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServerControl {
    /// Whether `_HLS_msn` is honoured.
    pub can_block_reload: bool,
    /// How far from the end segments may be skipped.
    pub can_skip_until: Option<f64>,
    /// How far from the end to play.
    pub hold_back: Option<f64>,
    /// The same at low latency.
    pub part_hold_back: Option<f64>,
}

/// One segment with the tags that stand before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// Its URI; `None` while the segment is open and only its parts can be fetched.
    pub uri: Option<String>,
    /// `EXTINF` in seconds; the sum of its parts while it is open.
    pub duration: f64,
    /// `EXT-X-GAP`.
    pub gap: bool,
    /// `EXT-X-DISCONTINUITY`.
    pub discontinuity: bool,
    /// `EXT-X-PROGRAM-DATE-TIME` in Unix milliseconds.
    pub date_time_ms: Option<f64>,
    /// `EXT-X-MAP`, if it stands here.
    pub map: Option<String>,
    /// Its `EXT-X-PART`s, as long as they are listed.
    pub parts: Vec<Part>,
    /// When it begins on the timeline of the media itself, in seconds, where that is told (by an
    /// MPD) and need not be read from the media.
    pub media_s: Option<f64>,
    /// Whether its URI can be fetched while it is still being written (low-latency DASH).
    pub growing: bool,
}

impl Segment {
    /// Whether any of its tags was read.
    fn is_begun(&self) -> bool {
        !self.parts.is_empty()
            || self.gap
            || self.discontinuity
            || self.duration > 0.0
            || self.date_time_ms.is_some()
            || self.map.is_some()
    }
}

/// `EXT-X-PART`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Its URI.
    pub uri: String,
    /// Duration in seconds.
    pub duration: f64,
    /// Whether decoding can begin here.
    pub independent: bool,
    /// Whether it is missing.
    pub gap: bool,
}

/// `EXT-X-RENDITION-REPORT`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RenditionReport {
    /// The other media playlist, relative to this one.
    pub uri: String,
    /// Its last msn.
    pub last_msn: Option<u64>,
    /// The last part of that segment.
    pub last_part: Option<u64>,
}

impl MediaPlaylist {
    /// Reads the text of a media playlist.
    pub fn parse(text: &str) -> Result<Self, InvalidPlaylist> {
        let mut playlist = Self::default();
        let mut segment = Segment::default();
        let mut ranges = Ranges::default();
        let mut numbers = Numbers::default();
        let mut parts = 0;
        for line in lines(text)? {
            match line {
                Line::Tag(name, value) => {
                    let into = (&mut segment, &mut ranges, &mut numbers);
                    playlist.tag(into, name, value)?;
                    numbers.check()?;
                }
                Line::Uri(text) => {
                    let range = ranges.segment.take();
                    segment.uri = Some(ranged_uri(text, range, &mut ranges.after_segment));
                    parts += segment.parts.len();
                    playlist.segments.push(core::mem::take(&mut segment));
                }
            }
            if playlist.segments.len() > MAX_SEGMENTS {
                return Err(InvalidPlaylist::TooLarge("segments"));
            }
            if parts + segment.parts.len() > MAX_PARTS {
                return Err(InvalidPlaylist::TooLarge("parts"));
            }
        }
        if playlist.target_duration == 0.0 {
            return Err(InvalidPlaylist::Malformed("EXT-X-TARGETDURATION"));
        }
        // What stands after the last URI belongs to the open segment.
        if segment.is_begun() && !playlist.ended {
            segment.duration = segment.parts.iter().map(|part| part.duration).sum();
            playlist.segments.push(segment);
        }
        Ok(playlist)
    }

    /// Whether media has no initialisation segment: it is MPEG-TS or packed audio (RFC 8216
    /// section 3), which a browser does not play by itself.
    pub fn is_bare(&self) -> bool {
        let first = self
            .segments
            .iter()
            .find(|segment| !segment.gap && segment.uri.is_some());
        let told = self.segments.iter().any(|segment| segment.map.is_some());
        self.skipped == 0 && first.is_some() && !told
    }

    fn tag(
        &mut self,
        (segment, ranges, numbers): (&mut Segment, &mut Ranges, &mut Numbers),
        name: &str,
        value: &str,
    ) -> Result<(), InvalidPlaylist> {
        match name {
            "EXTINF" => {
                let seconds = value.split_once(',').map_or(value, |(seconds, _)| seconds);
                segment.duration = numbers.duration(seconds, "EXTINF");
            }
            "EXT-X-PART" => segment
                .parts
                .push(part(value, &mut ranges.after_part, numbers)),
            "EXT-X-BYTERANGE" => ranges.segment = Some(byte_range(value, numbers)),
            "EXT-X-PROGRAM-DATE-TIME" => segment.date_time_ms = scalar::date_time(value),
            "EXT-X-GAP" => segment.gap = true,
            "EXT-X-DISCONTINUITY" => segment.discontinuity = true,
            "EXT-X-MAP" => segment.map = Some(map(value, numbers)),
            "EXT-X-TARGETDURATION" => {
                self.target_duration = numbers.duration(value, "target duration")
            }
            "EXT-X-PART-INF" => {
                for (_, value) in attribute(value, "PART-TARGET") {
                    self.part_target = Some(numbers.duration(value, "PART-TARGET"));
                }
            }
            "EXT-X-SERVER-CONTROL" => self.control = server_control(value, numbers),
            "EXT-X-MEDIA-SEQUENCE" => {
                self.media_sequence = numbers.count(value, "EXT-X-MEDIA-SEQUENCE")
            }
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                self.discontinuity_sequence = numbers.count(value, "EXT-X-DISCONTINUITY-SEQUENCE");
            }
            "EXT-X-SKIP" => {
                for (_, value) in attribute(value, "SKIPPED-SEGMENTS") {
                    self.skipped = numbers.count(value, "EXT-X-SKIP");
                }
            }
            "EXT-X-PRELOAD-HINT" => self.hint = hint(value, numbers).or(self.hint.take()),
            "EXT-X-RENDITION-REPORT" => {
                if self.reports.len() >= super::MAX_RENDITIONS {
                    return Err(InvalidPlaylist::TooLarge("rendition reports"));
                }
                self.reports.push(report(value));
            }
            "EXT-X-ENDLIST" => self.ended = true,
            "EXT-X-START" => self.start_s = start(value),
            "EXT-X-KEY" if attribute(value, "METHOD").any(|(_, method)| method != "NONE") => {
                return Err(InvalidPlaylist::Unsupported("encrypted media (EXT-X-KEY)"));
            }
            "EXT-X-I-FRAMES-ONLY" => {
                return Err(InvalidPlaylist::Unsupported("EXT-X-I-FRAMES-ONLY"));
            }
            "EXT-X-DEFINE" => return Err(InvalidPlaylist::Unsupported("EXT-X-DEFINE")),
            "EXT-X-STREAM-INF" => {
                return Err(InvalidPlaylist::Unsupported("a multivariant playlist here"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn attribute<'a>(list: &'a str, wanted: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    Attributes::of(list).filter(move |(name, _)| *name == wanted)
}

/// Bytes and offset; without one the range follows the one before it.
type WrittenRange = (u64, Option<u64>);

/// Ranges that have been read, for those that do not tell where they begin.
#[derive(Default)]
struct Ranges {
    /// `EXT-X-BYTERANGE` of the segment to come.
    segment: Option<WrittenRange>,
    /// The byte after the last segment, and after the last part.
    after_segment: u64,
    after_part: u64,
}

/// `n[@o]` (RFC 8216 section 4.3.2.2).
fn byte_range(text: &str, numbers: &mut Numbers) -> WrittenRange {
    let (length, offset) = match text.split_once('@') {
        Some((length, offset)) => (length, Some(numbers.count(offset, "BYTERANGE"))),
        None => (text, None),
    };
    let length = scalar::integer(length).filter(|length| *length > 0);
    (numbers.expect(length, "BYTERANGE"), offset)
}

/// A URI with its range, if it has one.
fn ranged_uri(uri: &str, range: Option<WrittenRange>, after: &mut u64) -> String {
    let Some((length, offset)) = range else {
        return uri.to_owned();
    };
    let first = offset.unwrap_or(*after);
    *after = first.saturating_add(length);
    ranged(uri, first, Some(after.saturating_sub(1)))
}

fn part(list: &str, after: &mut u64, numbers: &mut Numbers) -> Part {
    let mut part = Part::default();
    let (mut found, mut range) = (None, None);
    for (name, value) in Attributes::of(list) {
        match name {
            "URI" => found = Some(value).filter(|uri| !uri.is_empty()),
            "DURATION" => part.duration = numbers.duration(value, "EXT-X-PART"),
            "INDEPENDENT" => part.independent = value == "YES",
            "GAP" => part.gap = value == "YES",
            "BYTERANGE" => range = Some(byte_range(value, numbers)),
            _ => {}
        }
    }
    let found = numbers.expect(found, "EXT-X-PART");
    part.uri = ranged_uri(found, range, after);
    part
}

fn map(list: &str, numbers: &mut Numbers) -> String {
    let mut found = None;
    let mut range = None;
    for (name, value) in Attributes::of(list) {
        match name {
            "URI" => found = Some(value),
            "BYTERANGE" => range = Some(byte_range(value, numbers)),
            _ => {}
        }
    }
    let found = numbers.expect(found, "EXT-X-MAP");
    ranged_uri(found, range, &mut 0)
}

fn server_control(list: &str, numbers: &mut Numbers) -> ServerControl {
    let mut control = ServerControl::default();
    for (name, value) in Attributes::of(list) {
        let mut seconds = || Some(numbers.duration(value, "EXT-X-SERVER-CONTROL"));
        match name {
            "CAN-BLOCK-RELOAD" => control.can_block_reload = value == "YES",
            "CAN-SKIP-UNTIL" => control.can_skip_until = seconds(),
            "HOLD-BACK" => control.hold_back = seconds(),
            "PART-HOLD-BACK" => control.part_hold_back = seconds(),
            _ => {}
        }
    }
    control
}

fn hint(list: &str, numbers: &mut Numbers) -> Option<String> {
    let mut is_part = false;
    let mut found = None;
    let (mut first, mut length) = (None, None);
    for (name, value) in Attributes::of(list) {
        match name {
            "TYPE" => is_part = value == "PART",
            "URI" => found = Some(value),
            "BYTERANGE-START" => first = Some(numbers.count(value, "BYTERANGE-START")),
            "BYTERANGE-LENGTH" => length = scalar::integer(value).filter(|length| *length > 0),
            _ => {}
        }
    }
    let found = found.filter(|_| is_part);
    match (first, length) {
        (None, None) => found.map(str::to_owned),
        // Without a length it goes up to the end, which is not there yet.
        (first, length) => {
            let first = first.unwrap_or(0);
            let last = length.map(|length| first + length - 1);
            found.map(|found| ranged(found, first, last))
        }
    }
}

fn report(list: &str) -> RenditionReport {
    let mut report = RenditionReport::default();
    for (name, value) in Attributes::of(list) {
        match name {
            "URI" => report.uri = value.to_owned(),
            "LAST-MSN" => report.last_msn = scalar::integer(value),
            "LAST-PART" => report.last_part = scalar::integer(value),
            _ => {}
        }
    }
    report
}
