//! The manifest's own terms, read from XML.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::template::{Addressing, ByteRange};
use super::xml::{Document, Node};
use super::{AdaptationSet, Clock, MAX_PERIODS, MAX_REPRESENTATIONS, Mpd, Period, Representation};
use crate::command::TrackKind;
use crate::playlist::{InvalidPlaylist, MAX_LINE, MAX_TEXT, scalar};
use crate::url::resolve;

/// Longest span of time in seconds: media times count from 1970 at times.
const MAX_SECONDS: f64 = 1e11;

impl Mpd {
    /// Reads a manifest that came from `url`.
    pub fn parse(text: &str, url: &str) -> Result<Self, InvalidPlaylist> {
        if text.len() > MAX_TEXT {
            return Err(InvalidPlaylist::TooLarge("manifest"));
        }
        let document = Document::parse(text)?;
        let root = document.root();
        if root.name() != "MPD" {
            return Err(InvalidPlaylist::Malformed("MPD"));
        }
        let dynamic = root.attribute("type").is_some_and(|kind| kind == "dynamic");
        let date = |name: &str| root.attribute(name).and_then(|text| date_time(&text));
        let zero_ms = date("availabilityStartTime").filter(|_| dynamic);
        if dynamic && zero_ms.is_none() {
            return Err(InvalidPlaylist::Malformed("availabilityStartTime"));
        }
        let length = |name: &str| root.attribute(name).and_then(|text| duration(&text));
        let base = inner_base(url, root);
        let mut mpd = Self {
            dynamic,
            zero_ms: zero_ms.unwrap_or(0.0),
            published_ms: date("publishTime"),
            update_s: length("minimumUpdatePeriod"),
            depth_s: length("timeShiftBufferDepth"),
            delay_s: length("suggestedPresentationDelay"),
            latency_s: latency_s(root),
            clock: root.all("UTCTiming").find_map(|node| clock(node, url)),
            location: root
                .child("Location")
                .map(|node| resolve(url, &node.text())),
            periods: Vec::new(),
        };
        let addressing = Addressing::default().within_base(root);
        let mut refused = None;
        for node in root.all("Period") {
            if mpd.periods.len() >= MAX_PERIODS {
                return Err(InvalidPlaylist::TooLarge("Periods"));
            }
            let period = mpd.period(node, &base, &addressing, &mut refused)?;
            mpd.periods.push(period);
        }
        mpd.bound_periods(length("mediaPresentationDuration"));
        let playable = mpd.periods.iter().any(|period| !period.sets.is_empty());
        match refused {
            _ if playable => Ok(mpd),
            Some(why) => Err(InvalidPlaylist::Unsupported(why)),
            None => Err(InvalidPlaylist::Malformed("MPD without Representations")),
        }
    }

    fn period(
        &self,
        node: Node<'_, '_>,
        base: &str,
        addressing: &Addressing,
        refused: &mut Option<&'static str>,
    ) -> Result<Period, InvalidPlaylist> {
        let length = |name: &str| node.attribute(name).and_then(|text| duration(&text));
        let after = |before: &Period| before.start_s + before.duration_s.unwrap_or(0.0);
        let start_s = length("start").unwrap_or(self.periods.last().map_or(0.0, after));
        let mut period = Period {
            id: text(node, "id"),
            start_s,
            duration_s: length("duration"),
            sets: Vec::new(),
        };
        let (base, addressing) = (inner_base(base, node), addressing.within(node)?);
        let mut count = 0;
        for node in node.all("AdaptationSet") {
            let (base, addressing) = (inner_base(&base, node), addressing.within(node)?);
            let mut set: Option<AdaptationSet> = None;
            for inner in node.all("Representation") {
                count += 1;
                if count > MAX_REPRESENTATIONS {
                    return Err(InvalidPlaylist::TooLarge("Representations"));
                }
                let kind = match kind(node, inner) {
                    Ok(Some(kind)) => kind,
                    Ok(None) => continue,
                    Err(why) => {
                        refused.get_or_insert(why);
                        continue;
                    }
                };
                let addressing = addressing.within(inner)?;
                if addressing.media.is_none()
                    && addressing.list.is_none()
                    && addressing.index.is_none()
                {
                    refused.get_or_insert("SegmentBase without indexRange");
                    continue;
                }
                let base = inner_base(&base, inner);
                let representation = representation(node, inner, base, addressing)?;
                let set = set.get_or_insert_with(|| adaptation_set(node, kind));
                set.representations.push(representation);
            }
            period.sets.extend(set);
        }
        Ok(period)
    }

    /// A Period lasts until the next begins, and the last one until the end of the presentation.
    fn bound_periods(&mut self, length_s: Option<f64>) {
        let mut next = length_s;
        for period in self.periods.iter_mut().rev() {
            let bound = next.map(|next| (next - period.start_s).max(0.0));
            period.duration_s = period.duration_s.or(bound);
            next = Some(period.start_s);
        }
    }
}

impl Addressing {
    /// Of the manifest itself only the BaseURL says something about addressing.
    fn within_base(self, root: Node<'_, '_>) -> Self {
        self.within(root).unwrap_or_default()
    }
}

fn adaptation_set(node: Node<'_, '_>, kind: TrackKind) -> AdaptationSet {
    let is_main = |node: Node<'_, '_>| node.attribute("value").is_some_and(|role| role == "main");
    let language = node
        .attribute("lang")
        .filter(|tag| !tag.is_empty() && tag != "und");
    AdaptationSet {
        kind,
        language: language.map(|tag| tag.into_owned()),
        label: node.child("Label").map(|label| label.text().into_owned()),
        main: node.all("Role").any(is_main),
        representations: Vec::new(),
    }
}

fn representation(
    set: Node<'_, '_>,
    node: Node<'_, '_>,
    base: String,
    addressing: Addressing,
) -> Result<Representation, InvalidPlaylist> {
    // Characteristics that are common to a set are told there.
    let either = |name: &str| node.attribute(name).or_else(|| set.attribute(name));
    let height = integer(node, "height").or_else(|| integer(set, "height"));
    let (id, bandwidth) = (text(node, "id"), integer(node, "bandwidth"));
    Ok(Representation {
        id,
        bandwidth: bandwidth.ok_or(InvalidPlaylist::Malformed("bandwidth"))?,
        codecs: either("codecs").map_or_else(String::new, |codecs| codecs.into_owned()),
        height: height.and_then(|height| u32::try_from(height).ok()),
        base: Rc::from(base),
        addressing,
    })
}

/// What a Representation is, `None` if this player has no use for it, or why it cannot be played.
fn kind(set: Node<'_, '_>, node: Node<'_, '_>) -> Result<Option<TrackKind>, &'static str> {
    let either = |name: &str| node.attribute(name).or_else(|| set.attribute(name));
    let mime = either("mimeType")
        .or_else(|| either("contentType"))
        .unwrap_or_default();
    let (media, format) = mime.split_once('/').unwrap_or((&*mime, "mp4"));
    let kind = match media {
        "video" => TrackKind::Video,
        "audio" => TrackKind::Audio,
        _ => return Ok(None),
    };
    let for_tricks = |node: Node<'_, '_>| {
        let scheme = node.attribute("schemeIdUri").unwrap_or_default();
        scheme.starts_with("http://dashif.org/guidelines/trickmode")
    };
    if set
        .all("EssentialProperty")
        .chain(node.all("EssentialProperty"))
        .any(for_tricks)
    {
        return Ok(None);
    }
    if set
        .child("ContentProtection")
        .or(node.child("ContentProtection"))
        .is_some()
    {
        return Err("encrypted media (ContentProtection)");
    }
    if format != "mp4" {
        return Err("media that is not fragmented MP4");
    }
    Ok(Some(kind))
}

/// The base of URLs inside an element: the first BaseURL, since the others are alternatives.
fn inner_base(base: &str, node: Node<'_, '_>) -> String {
    match node.child("BaseURL").map(Node::text) {
        Some(url) if url.len() <= MAX_LINE => resolve(base, &url),
        _ => base.to_owned(),
    }
}

fn latency_s(root: Node<'_, '_>) -> Option<f64> {
    let description = root
        .all("ServiceDescription")
        .find_map(|node| node.child("Latency"))?;
    number(description, "target").map(|ms| ms / 1000.0)
}

fn clock(node: Node<'_, '_>, base: &str) -> Option<Clock> {
    let (scheme, value) = (node.attribute("schemeIdUri")?, node.attribute("value")?);
    let scheme = scheme.strip_prefix("urn:mpeg:dash:utc:")?;
    match scheme.split(':').next()? {
        "direct" => date_time(&value).map(Clock::Direct),
        "http-iso" | "http-xsdate" => {
            let url = value.split_ascii_whitespace().next()?;
            Some(Clock::Fetched(resolve(base, url)))
        }
        _ => None,
    }
}

/// An instant in Unix milliseconds; without a zone it is UTC.
pub(crate) fn date_time(text: &str) -> Option<f64> {
    let text = text.trim();
    scalar::date_time(text).or_else(|| scalar::date_time(&[text, "Z"].concat()))
}

/// An ISO 8601 duration in seconds: `P1DT2H3M4.5S`. A year and a month are what they are at most.
fn duration(text: &str) -> Option<f64> {
    let mut rest = text.trim().strip_prefix('P')?;
    let mut seconds = 0.0;
    let mut in_time = false;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            (in_time, rest) = (true, after);
            continue;
        }
        let (value, after) =
            rest.split_at_checked(rest.find(|c: char| c.is_ascii_alphabetic())?)?;
        let unit = after.chars().next()?;
        let unit_s = match (unit, in_time) {
            ('Y', false) => 366.0 * 86_400.0,
            ('M', false) => 31.0 * 86_400.0,
            ('D', false) => 86_400.0,
            ('H', true) => 3600.0,
            ('M', true) => 60.0,
            ('S', true) => 1.0,
            _ => return None,
        };
        seconds += scalar::decimal(value)? * unit_s;
        rest = after.get(1..)?;
    }
    Some(seconds).filter(|seconds| *seconds <= MAX_SECONDS)
}

/// A number of seconds; `INF` is more than there are.
pub(super) fn seconds(text: &str) -> Option<f64> {
    match text {
        "INF" => Some(MAX_SECONDS),
        _ => scalar::decimal(text),
    }
}

/// A non-negative number in an attribute.
pub(super) fn number(node: Node<'_, '_>, name: &str) -> Option<f64> {
    scalar::decimal(&node.attribute(name)?)
}

/// A non-negative integer in an attribute.
pub(super) fn integer(node: Node<'_, '_>, name: &str) -> Option<u64> {
    scalar::long_integer(&node.attribute(name)?)
}

/// `0-828` in an attribute.
pub(super) fn range(node: Node<'_, '_>, name: &str) -> Option<ByteRange> {
    let text = node.attribute(name)?;
    let (first, last) = text.split_once('-')?;
    let range = (scalar::integer(first)?, scalar::integer(last)?);
    (range.0 <= range.1).then_some(range)
}

fn text(node: Node<'_, '_>, name: &str) -> String {
    node.attribute(name)
        .map_or_else(String::new, |text| text.into_owned())
}
