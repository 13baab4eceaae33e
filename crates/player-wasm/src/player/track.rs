//! One track: its renditions, and which piece of media comes next.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use crate::command::{RequestId, TrackKind};
use crate::retry::Retry;
use crate::timeline::{Position, Timeline};
use crate::url::resolve;

/// One rendition of a track and the state of its playlist.
#[derive(Clone, Debug)]
pub(super) struct Rendition {
    /// The media playlist.
    pub(super) url: String,
    /// Where it came from in the end, which is what its URIs are relative to.
    pub(super) base: String,
    /// Its folder: `480p` of `…/480p/index.m3u8`.
    pub(super) name: String,
    /// Peak bits per second, audio included.
    pub(super) bits_per_s: f64,
    /// Mean bits per second, or the peak if no mean is told.
    pub(super) mean_bits_per_s: f64,
    /// MIME type with codecs.
    pub(super) mime: String,
    /// Lines of the picture, if told.
    pub(super) height: Option<u32>,
    pub(super) timeline: Timeline,
    /// The reload under way: there is never more than one.
    pub(super) reload: Option<RequestId>,
    pub(super) retry: Retry,
    /// Earliest time of a reload, for servers that do not block.
    pub(super) reload_at: u64,
    /// Whether the next answer must be whole.
    pub(super) wants_whole: bool,
    /// It had gaps: not chosen before this time.
    pub(super) absent_until: u64,
    pub(super) absences: u32,
    /// When its playlist last told something new.
    pub(super) advanced_at: u64,
    /// Whether the last answer told nothing new.
    pub(super) repeats: bool,
    /// The position that a reload asked for was refused: the next one asks for none.
    pub(super) astray: bool,
}

impl Rendition {
    pub(super) fn new(url: String, bits_per_s: f64, height: Option<u32>) -> Self {
        Self {
            name: crate::url::folder_name(&url).to_owned(),
            base: url.clone(),
            url,
            bits_per_s,
            mean_bits_per_s: bits_per_s,
            mime: String::new(),
            height,
            timeline: Timeline::default(),
            reload: None,
            retry: Retry::new(250, 4000),
            reload_at: 0,
            wants_whole: false,
            absent_until: 0,
            absences: 0,
            advanced_at: 0,
            repeats: false,
            astray: false,
        }
    }

    /// Notes that a segment of it is missing where another rendition may have it.
    pub(super) fn absent(&mut self, now: u64) {
        self.absent_until = now + (4000 << self.absences.min(3));
        self.absences += 1;
    }

    /// Notes that it is of no use, coded as it is or standing still: for a good while it is not
    /// chosen.
    pub(super) fn avoid(&mut self, now: u64) {
        self.absences = 4;
        self.absent(now);
    }
}

/// A piece of media to fetch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) rendition: usize,
    pub(super) position: Position,
    /// Whether it is the whole segment.
    pub(super) whole: bool,
    /// Whether it was announced and did not exist yet, or not all of it.
    pub(super) hinted: bool,
    pub(super) url: String,
    /// Its initialisation segment.
    pub(super) map: Option<String>,
    pub(super) discontinuity: u64,
    /// When it begins, in Unix milliseconds.
    pub(super) start_ms: f64,
    /// Seconds; of a hinted part the most that it can be.
    pub(super) duration: f64,
    /// When it begins on the timeline of the media itself, in seconds, where a manifest tells.
    pub(super) media_s: Option<f64>,
}

/// What comes next on a track.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Fetch this.
    Fetch(Box<Item>),
    /// It is missing.
    Hole,
    /// It has left the playlist, or the playlist is another.
    Lost,
    /// It does not exist yet.
    Wait,
    /// There is nothing more.
    End,
}

/// A segment that was refused.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    of: Position,
    /// Whether the next one came.
    next_came: bool,
}

/// A track, its place in its media, and what is on its way.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) kind: TrackKind,
    pub(super) renditions: Vec<Rendition>,
    /// The rendition being fetched.
    pub(super) active: usize,
    /// The rendition to go on with at the next segment.
    pub(super) wanted: usize,
    /// What to fetch next.
    pub(super) cursor: Position,
    /// The initialisation segment last asked for.
    pub(super) map: Option<String>,
    /// MIME type that its SourceBuffer has.
    pub(super) mime: String,
    /// `timestampOffset` as set, in seconds.
    pub(super) offset: Option<f64>,
    pub(super) retry: Retry,
    /// A segment that was refused, while the next one is tried.
    doubted: Option<Doubt>,
    /// Whether another rendition was turned to since media last came.
    pub(super) turned: bool,
    /// The renditions and msns of what the browser could not decode.
    pub(super) shunned: Vec<(usize, u64)>,
    /// The rendition of which a piece was placed last.
    pub(super) placed: Option<usize>,
    /// Since when to look elsewhere for what the playlist does not tell.
    pub(super) looked_elsewhere_at: u64,
    /// A hint that did not come true.
    pub(super) refused_hint: Option<Position>,
    /// Since when it waits to learn whether another rendition fills a hole.
    pub(super) hole_since: Option<u64>,
}

impl Track {
    pub(super) fn new(kind: TrackKind, renditions: Vec<Rendition>) -> Self {
        Self {
            kind,
            renditions,
            active: 0,
            wanted: 0,
            cursor: Position::default(),
            map: None,
            mime: String::new(),
            offset: None,
            doubted: None,
            turned: false,
            shunned: Vec::new(),
            placed: None,
            looked_elsewhere_at: 0,
            retry: Retry::new(250, 4000),
            refused_hint: None,
            hole_since: None,
        }
    }

    /// A segment is refused everywhere. Whether it is the segment that something is wrong with shows
    /// at the next one: if that comes and this one is refused once more, it is passed by.
    pub(super) fn doubt(&mut self, refused: Position) {
        let after = Position {
            msn: refused.msn + 1,
            part: 0,
        };
        self.cursor = match self.doubted.take() {
            Some(doubt) if doubt.of == refused && doubt.next_came => after,
            Some(doubt) if doubt.of != refused => doubt.of,
            _ if self.timeline().get(after.msn).is_some() => {
                self.doubted = Some(Doubt {
                    of: refused,
                    next_came: false,
                });
                after
            }
            _ => return,
        };
    }

    /// Media has come: if it is what follows on a doubted segment, that one gets another chance.
    pub(super) fn settle_doubt(&mut self, came: Position) {
        match &mut self.doubted {
            Some(doubt) if came.msn > doubt.of.msn && !doubt.next_came => {
                doubt.next_came = true;
                self.cursor = doubt.of;
            }
            Some(doubt) if came.msn <= doubt.of.msn => self.doubted = None,
            _ => {}
        }
    }

    pub(super) fn rendition(&self) -> &Rendition {
        &self.renditions[self.active]
    }

    pub(super) fn timeline(&self) -> &Timeline {
        &self.rendition().timeline
    }

    /// Moves the cursor past the end of a segment that has turned out to be complete.
    pub(super) fn settle_cursor(&mut self) {
        let Some(segment) = self.timeline().get(self.cursor.msn) else {
            return;
        };
        let parts = segment.parts.len() as u32;
        let complete = segment.uri.is_some();
        if complete && !segment.gap && parts > 0 && self.cursor.part >= parts {
            self.cursor = Position {
                msn: self.cursor.msn + 1,
                part: 0,
            };
        }
    }

    /// When the cursor's media begins, in Unix milliseconds, as far as that is known.
    pub(super) fn cursor_ms(&self) -> Option<f64> {
        let timeline = self.timeline();
        match timeline.get(self.cursor.msn) {
            Some(segment) => Some(segment.part_start_ms(self.cursor.part)),
            None => timeline.end_ms(),
        }
    }

    /// Length of a segment about here, in seconds.
    pub(super) fn segment_s(&self) -> f64 {
        let timeline = self.timeline();
        // The one that grows is not as long as it will be.
        let whole = |msn| timeline.get(msn).filter(|segment| segment.uri.is_some());
        let segment = whole(self.cursor.msn).or_else(|| whole(self.cursor.msn.checked_sub(1)?));
        segment.map_or(timeline.target_duration, |segment| segment.duration)
    }

    /// What comes next.
    pub(super) fn next(&self) -> Next {
        let timeline = self.timeline();
        let edge = timeline.edge();
        let Position { msn, part } = self.cursor;
        let Some(segment) = timeline.get(msn) else {
            return match msn {
                _ if msn < timeline.first_msn() => Next::Lost,
                _ if timeline.ended => Next::End,
                _ if timeline.is_empty() => Next::Wait,
                // A server that counts from the beginning again.
                _ if msn > edge.msn + 2 => Next::Lost,
                _ => self.hinted(),
            };
        };
        if segment.gap || self.shunned.contains(&(self.active, msn)) {
            return Next::Hole;
        }
        if let (0, Some(uri)) = (part, &segment.uri) {
            let mut item = self.item(uri, true, segment.duration);
            item.hinted = segment.growing;
            return Next::Fetch(Box::new(item));
        }
        match (segment.parts.get(part as usize), &segment.uri) {
            (Some(part), _) if part.gap => Next::Hole,
            (Some(part), _) => Next::Fetch(Box::new(self.item(&part.uri, false, part.duration))),
            // Its parts are no longer listed: what was appended is appended again.
            (None, Some(uri)) => {
                let mut item = self.item(uri, true, segment.duration);
                item.position.part = 0;
                item.start_ms = segment.start_ms;
                Next::Fetch(Box::new(item))
            }
            (None, None) => self.hinted(),
        }
    }

    fn hinted(&self) -> Next {
        let timeline = self.timeline();
        match &timeline.hint {
            Some(uri)
                if self.cursor == timeline.edge() && self.refused_hint != Some(self.cursor) =>
            {
                let longest = timeline.part_target.unwrap_or(0.0);
                let mut item = self.item(uri, false, longest);
                item.hinted = true;
                Next::Fetch(Box::new(item))
            }
            _ => Next::Wait,
        }
    }

    /// Whether a piece begins a segment that no playlist has told of: it may turn out to be coded
    /// otherwise, or to stand on another timeline.
    pub(super) fn foresees(&self, item: &Item) -> bool {
        let timeline = &self.renditions[item.rendition].timeline;
        item.hinted && item.position.part == 0 && timeline.get(item.position.msn).is_none()
    }

    /// Whether the playlist has come to tell something else of a piece than was thought.
    pub(super) fn belies(&self, item: &Item) -> bool {
        let rendition = &self.renditions[item.rendition];
        let listed = rendition.timeline.get(item.position.msn);
        listed.is_some_and(|segment| {
            let map = segment
                .map
                .as_ref()
                .map(|map| resolve(&rendition.base, map));
            segment.gap || map != item.map || segment.discontinuity != item.discontinuity
        })
    }

    fn item(&self, uri: &str, whole: bool, duration: f64) -> Item {
        let rendition = self.rendition();
        let timeline = &rendition.timeline;
        // A segment not listed yet inherits from the one before it.
        let before = || timeline.get(self.cursor.msn.saturating_sub(1));
        let segment = timeline.get(self.cursor.msn).or_else(before);
        let map = segment
            .and_then(|segment| segment.map.as_ref())
            .map(Rc::as_ref);
        Item {
            rendition: self.active,
            position: self.cursor,
            whole,
            hinted: false,
            url: resolve(&rendition.base, uri),
            map: map.map(|map| resolve(&rendition.base, map)),
            discontinuity: segment.map_or(0, |segment| segment.discontinuity),
            start_ms: self.cursor_ms().unwrap_or(0.0),
            duration,
            media_s: segment.and_then(|segment| segment.media_s),
        }
    }
}
