//! Reads playlists (RFC 8216, draft-pantos-hls-rfc8216bis).
//!
//! The text comes from the network, so everything is bounded: its length, the number of things in
//! it, and every number. Tags that do not change what this player does are skipped.

mod attributes;
mod media;
mod multivariant;
pub(crate) mod scalar;

use thiserror::Error;

pub use media::{MediaPlaylist, Part, RenditionReport, Segment, ServerControl};
pub use multivariant::{Audio, Multivariant, Variant};

/// Longest playlist read, in bytes: a day of two-second segments is about 4 MB.
pub const MAX_TEXT: usize = 8 << 20;
/// Most segments in a media playlist.
pub const MAX_SEGMENTS: usize = 100_000;
/// Most parts in a media playlist.
pub const MAX_PARTS: usize = 4096;
/// Most variants or renditions in a multivariant playlist.
pub const MAX_RENDITIONS: usize = 64;
/// Longest line in bytes, and with it the longest URI.
pub const MAX_LINE: usize = 16 << 10;
/// Longest segment or part in seconds.
pub const MAX_DURATION_S: f64 = 3600.0;

/// Why a text is not a playlist that this player can use.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidPlaylist {
    /// The first line is not `#EXTM3U`.
    #[error("the text does not begin with #EXTM3U")]
    NotAPlaylist,
    /// A bound of this module is exceeded.
    #[error("too many or too long: {0}")]
    TooLarge(&'static str),
    /// A tag lacks something or holds something else than it should.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// It is a media playlist where a multivariant one was looked for.
    #[error("it is a media playlist")]
    MediaPlaylist,
    /// A tag this player cannot honour and must not ignore.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
}

/// One line that matters.
enum Line<'a> {
    /// `#EXT…`, with what stands after the colon.
    Tag(&'a str, &'a str),
    /// A URI.
    Uri(&'a str),
}

/// The lines after `#EXTM3U`, without blanks and comments.
fn lines(text: &str) -> Result<impl Iterator<Item = Line<'_>>, InvalidPlaylist> {
    if text.len() > MAX_TEXT {
        return Err(InvalidPlaylist::TooLarge("playlist"));
    }
    if text.lines().any(|line| line.len() > MAX_LINE) {
        return Err(InvalidPlaylist::TooLarge("line"));
    }
    let mut lines = text.lines().map(str::trim_ascii_end);
    if lines.next() != Some("#EXTM3U") {
        return Err(InvalidPlaylist::NotAPlaylist);
    }
    Ok(lines.filter_map(|line| {
        if let Some(comment) = line.strip_prefix('#') {
            let is_tag = comment.starts_with("EXT");
            let (name, value) = comment.split_once(':').unwrap_or((comment, ""));
            is_tag.then_some(Line::Tag(name, value))
        } else {
            (!line.is_empty()).then_some(Line::Uri(line))
        }
    }))
}

/// Reads numbers that must be there and remembers which was not: to look once a line is a good deal
/// less code than to look at each.
#[derive(Default)]
struct Numbers {
    malformed: Option<&'static str>,
}

impl Numbers {
    /// A duration in seconds within bounds.
    fn duration(&mut self, text: &str, what: &'static str) -> f64 {
        let seconds = scalar::decimal(text).filter(|seconds| *seconds <= MAX_DURATION_S);
        self.expect(seconds, what)
    }

    fn count(&mut self, text: &str, what: &'static str) -> u64 {
        self.expect(scalar::integer(text), what)
    }

    fn expect<T: Default>(&mut self, read: Option<T>, what: &'static str) -> T {
        if read.is_none() {
            self.malformed = Some(what);
        }
        read.unwrap_or_default()
    }

    /// Whether all could be read.
    fn check(&self) -> Result<(), InvalidPlaylist> {
        self.malformed
            .map_or(Ok(()), |what| Err(InvalidPlaylist::Malformed(what)))
    }
}

/// `TIME-OFFSET` of `EXT-X-START` in seconds.
fn start(list: &str) -> Option<f64> {
    let mut attributes = attributes::Attributes::of(list);
    let (_, text) = attributes.find(|(name, _)| *name == "TIME-OFFSET")?;
    match text.strip_prefix('-') {
        Some(before_the_end) => scalar::decimal(before_the_end).map(|seconds| -seconds),
        None => scalar::decimal(text),
    }
}
