//! How segments are addressed: `SegmentTemplate`, `SegmentList`, `SegmentBase` (section 5.3.9).

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::Representation;
use super::read::{integer, number, range, seconds};
use super::xml::Node;
use crate::outbox::push_number;
use crate::playlist::InvalidPlaylist;
use crate::url::{ranged, resolve};

/// Most entries of a `SegmentTimeline` or a `SegmentList`.
const MAX_ENTRIES: usize = 100_000;
/// Widest number in a name.
const MAX_WIDTH: usize = 20;

/// The first byte and the last one.
pub type ByteRange = (u64, u64);

/// What the three ways of addressing have between them. A Representation inherits what it does not
/// tell itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Addressing {
    /// Units per second.
    pub(super) timescale: f64,
    /// `presentationTimeOffset` in units.
    pub(super) offset: u64,
    pub(super) start_number: u64,
    pub(super) end_number: Option<u64>,
    /// Of every segment, in units.
    pub(super) duration: Option<u64>,
    pub(super) timeline: Option<Rc<[Run]>>,
    pub(super) list: Option<Rc<[Entry]>>,
    pub(super) initialization: Option<Rc<Entry>>,
    /// A template of names.
    pub(super) media: Option<Rc<str>>,
    /// Where the `sidx` is.
    pub(super) index: Option<ByteRange>,
    /// `availabilityTimeOffset` in seconds, those of the BaseURLs included.
    pub(super) early_s: f64,
    /// `availabilityTimeComplete`: whether a segment available early is there as a whole.
    pub(super) complete: bool,
}

/// `S`: one segment and as many repetitions, in units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) at: Option<u64>,
    pub(super) duration: u64,
    /// A negative one repeats up to the next run or the end of the Period.
    pub(super) repeat: i64,
}

/// A URL, or the base's own, and a part of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) url: Option<String>,
    pub(super) range: Option<ByteRange>,
}

impl Default for Addressing {
    fn default() -> Self {
        Self {
            timescale: 1.0,
            offset: 0,
            start_number: 1,
            end_number: None,
            duration: None,
            timeline: None,
            list: None,
            initialization: None,
            media: None,
            index: None,
            early_s: 0.0,
            complete: true,
        }
    }
}

impl Addressing {
    /// What holds inside an element, given what holds around it.
    pub(super) fn within(&self, around: Node<'_, '_>) -> Result<Self, InvalidPlaylist> {
        let mut inner = self.clone();
        let base = around.child("BaseURL");
        inner.early_s += early_s(base);
        let of_ours = |child: &Node<'_, '_>| {
            matches!(
                child.name(),
                "SegmentTemplate" | "SegmentList" | "SegmentBase"
            )
        };
        let Some(node) = around.children().find(of_ours) else {
            return Ok(inner);
        };
        inner.early_s += early_s(Some(node));
        if let Some(complete) = node.attribute("availabilityTimeComplete") {
            inner.complete = complete != "false";
        }
        if let Some(timescale) = number(node, "timescale").filter(|scale| *scale > 0.0) {
            inner.timescale = timescale;
        }
        inner.offset = integer(node, "presentationTimeOffset").unwrap_or(inner.offset);
        inner.start_number = integer(node, "startNumber").unwrap_or(inner.start_number);
        inner.end_number = integer(node, "endNumber").or(inner.end_number);
        inner.duration = integer(node, "duration")
            .filter(|d| *d > 0)
            .or(inner.duration);
        inner.index = range(node, "indexRange").or(inner.index);
        if let Some(name) = node.attribute("initialization") {
            let url = Some(name.into_owned());
            inner.initialization = Some(Rc::new(Entry { url, range: None }));
        }
        if let Some(node) = node.child("Initialization") {
            inner.initialization = Some(Rc::new(entry(node, "sourceURL", "range")));
        }
        if let Some(name) = node.attribute("media") {
            inner.media = Some(Rc::from(&*name));
        }
        if let Some(timeline) = node.child("SegmentTimeline") {
            inner.timeline = Some(timeline_of(timeline)?);
        }
        let mut list = node
            .all("SegmentURL")
            .map(|node| entry(node, "media", "mediaRange"))
            .peekable();
        if list.peek().is_some() {
            let list: Vec<Entry> = list.take(MAX_ENTRIES).collect();
            inner.list = Some(Rc::from(list));
        }
        Ok(inner)
    }
}

impl Representation {
    /// The URL of an entry.
    pub(super) fn url(&self, entry: &Entry) -> String {
        let url = match &entry.url {
            Some(name) => resolve(&self.base, &self.filled(name, 0, 0)),
            None => (*self.base).to_owned(),
        };
        match entry.range {
            Some((first, last)) => ranged(&url, first, Some(last)),
            None => url,
        }
    }

    /// The URL of the segment with this number that begins at this time, in units.
    pub(super) fn segment_url(&self, media: &str, number: u64, time: u64) -> String {
        resolve(&self.base, &self.filled(media, number, time))
    }

    /// A template with its identifiers replaced (section 5.3.9.4.4).
    fn filled(&self, template: &str, number: u64, time: u64) -> String {
        let mut filled = String::with_capacity(template.len() + 16);
        let mut pieces = template.split('$');
        filled.push_str(pieces.next().unwrap_or_default());
        while let Some(identifier) = pieces.next() {
            let (name, width) = match identifier.split_once('%') {
                Some((name, format)) => (name, width(format)),
                None => (identifier, 0),
            };
            let value = match name {
                "Number" => Some(number),
                "Time" => Some(time),
                "Bandwidth" => Some(self.bandwidth),
                "RepresentationID" => {
                    filled.push_str(&self.id);
                    None
                }
                "" => {
                    filled.push('$');
                    None
                }
                // Not an identifier: it stays as it is.
                _ => {
                    filled.push('$');
                    filled.push_str(identifier);
                    filled.push('$');
                    None
                }
            };
            if let Some(value) = value {
                let mut digits = String::new();
                push_number(&mut digits, value);
                (digits.len()..width).for_each(|_| filled.push('0'));
                filled.push_str(&digits);
            }
            filled.push_str(pieces.next().unwrap_or_default());
        }
        filled
    }
}

/// The 5 of `05d`.
fn width(format: &str) -> usize {
    let digits = format.bytes().take_while(u8::is_ascii_digit);
    let width = digits.fold(0_usize, |n, b| {
        n.saturating_mul(10).saturating_add(usize::from(b - b'0'))
    });
    width.min(MAX_WIDTH)
}

fn early_s(node: Option<Node<'_, '_>>) -> f64 {
    let early = node.and_then(|node| seconds(&node.attribute("availabilityTimeOffset")?));
    early.unwrap_or(0.0)
}

fn entry(node: Node<'_, '_>, url: &str, bytes: &str) -> Entry {
    Entry {
        url: node.attribute(url).map(|url| url.into_owned()),
        range: range(node, bytes),
    }
}

fn timeline_of(node: Node<'_, '_>) -> Result<Rc<[Run]>, InvalidPlaylist> {
    let run = |node: Node<'_, '_>| {
        let duration = integer(node, "d").filter(|duration| *duration > 0)?;
        let repeat = match node.attribute("r") {
            Some(text) if text.starts_with('-') => -1,
            Some(_) => i64::try_from(integer(node, "r")?).ok()?,
            None => 0,
        };
        Some(Run {
            at: integer(node, "t"),
            duration,
            repeat,
        })
    };
    let runs: Option<Vec<Run>> = node.all("S").take(MAX_ENTRIES).map(run).collect();
    runs.map(Rc::from)
        .ok_or(InvalidPlaylist::Malformed("SegmentTimeline"))
}
