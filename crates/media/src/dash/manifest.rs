//! The MPD.

use std::{collections::BTreeSet, fmt};

use weir_model::{RenditionId, Resource};

use super::{
    adaptation::Set,
    periods::{Addressing, Period, periods, scale},
    xml::Xml,
};
use crate::{
    hls::{Multivariant, TARGET_DURATION_S, Variant, multivariant::Phase},
    record::{InitRecord, SegmentRecord},
    steering,
    unit::{TIMESCALE, TrackKind},
};

/// Where players read the time, relative to the manifest's host.
const CLOCK: &str = "/api/v1/time";

/// How often a live manifest is to be asked for again, in seconds: about a segment.
const UPDATE_S: u64 = 2;

/// How far from the live edge a player stays that knows nothing of low latency, in seconds: three
/// segments.
const PLAIN_DELAY_S: u64 = 6;

/// Least distance from the live edge that players are told to keep, in milliseconds.
const SHORTEST_LATENCY_MS: u64 = 1500;

/// What kind of manifest is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Presentation {
    /// The video goes on; parts are this long, in seconds.
    Live {
        /// Declared PART-TARGET.
        part_target: f64,
    },
    /// It is complete.
    Recorded,
}

/// The manifest of one video: live, with all that is stored to rewind to, or of its recording.
#[derive(Clone, Debug)]
pub struct Manifest<'a> {
    /// Live or recorded.
    pub presentation: Presentation,
    /// Players are told where to ask which pathway to take (`ContentSteering`).
    pub steering: bool,
    /// All initialisation segments, in the order in which they came.
    pub inits: &'a [InitRecord],
    /// All renditions' segments, in order of msn; of a live video only msns that all renditions
    /// have closed.
    pub records: &'a [SegmentRecord],
}

impl Manifest<'_> {
    /// Writes it for `/v/{video}/manifest.mpd`, for whom at most `max_lines` are meant. `None`
    /// while there is no media.
    pub fn render(&self, max_lines: Option<u32>) -> Option<String> {
        let described = Multivariant::of_stored(Phase::Dvr, self.inits, self.records);
        let fitting = described.videos(max_lines);
        let audio = |variant: &&Variant| variant.init.kind() == TrackKind::Audio;
        let variants: Vec<&Variant> = fitting
            .into_iter()
            .chain(described.variants.iter().filter(audio))
            .collect();
        let periods = periods(self.records);
        let (first, last) = (periods.first()?, periods.last()?);
        let mut xml = Xml::new();
        xml.element("MPD", |xml| {
            xml.attribute("xmlns", "urn:mpeg:dash:schema:mpd:2011");
            match self.presentation {
                Presentation::Live { part_target } => {
                    let published = last.start_wall.0 + last.length / u64::from(TIMESCALE / 1000);
                    live_attributes(xml, first.start_wall.0, published);
                    self.write_pathway(xml);
                    service_description(xml, part_target);
                }
                Presentation::Recorded => {
                    xml.attribute("profiles", PROFILES);
                    xml.attribute("type", "static");
                    let duration = Seconds(last.offset + last.length);
                    xml.attribute("mediaPresentationDuration", duration);
                    xml.attribute("minBufferTime", "PT2S");
                    xml.attribute("maxSegmentDuration", format_args!("PT{TARGET_DURATION_S}S"));
                    self.write_pathway(xml);
                }
            }
            for period in &periods {
                self.write_period(xml, period, &variants);
            }
            if self.presentation != Presentation::Recorded {
                xml.element("UTCTiming", utc_timing);
            }
        });
        Some(xml.finish())
    }

    /// The pathway that the manifest itself came by, and who knows of others (ETSI TS 103 998).
    fn write_pathway(&self, xml: &mut Xml) {
        if !self.steering {
            return;
        }
        xml.text_element_with("BaseURL", &[("serviceLocation", steering::PATHWAY)], "./");
        let attributes = [("defaultServiceLocation", steering::PATHWAY)];
        xml.text_element_with("ContentSteering", &attributes, steering::SERVER);
    }

    fn write_period(&self, xml: &mut Xml, period: &Period<'_>, variants: &[&Variant]) {
        let live = self.presentation != Presentation::Recorded;
        xml.element("Period", |xml| {
            xml.attribute("id", format_args!("{}-{}", period.epoch, period.first));
            if live {
                xml.attribute("start", Millis(period.start_wall.0));
            } else {
                xml.attribute("start", Seconds(period.offset));
            }
            if period.closed {
                xml.attribute("duration", Seconds(period.length));
            }
            let of = |kind: TrackKind| -> Vec<(&Variant, &InitRecord)> {
                let kind = variants.iter().filter(move |v| v.init.kind() == kind);
                kind.filter_map(|variant| Some((*variant, self.init(period, variant.rendition)?)))
                    .collect()
            };
            let mut id = 0;
            for kind in [TrackKind::Video, TrackKind::Audio] {
                let all = of(kind);
                let sets: BTreeSet<_> = all.iter().map(|(_, init)| Set::of(init)).collect();
                let several = sets.len() > 1;
                for wanted in sets {
                    let mut set = all.clone();
                    set.retain(|(_, init)| Set::of(init) == wanted);
                    id += 1;
                    let role = (kind == TrackKind::Audio && several).then(|| wanted.role());
                    self.write_adaptation_set(xml, period, id, &set, role);
                }
            }
        });
    }

    fn init(&self, period: &Period<'_>, rendition: RenditionId) -> Option<&InitRecord> {
        let (_, n) = period.renditions.iter().find(|(id, _)| *id == rendition)?;
        let wanted = |init: &&InitRecord| {
            (init.epoch, init.rendition, init.n) == (period.epoch, rendition, *n)
        };
        self.inits.iter().find(wanted)
    }

    fn write_adaptation_set(
        &self,
        xml: &mut Xml,
        period: &Period<'_>,
        id: u32,
        set: &[(&Variant, &InitRecord)],
        role: Option<&str>,
    ) {
        let Some((_, described)) = set.first() else {
            return;
        };
        let content_type = match described.kind() {
            TrackKind::Video => "video",
            TrackKind::Audio => "audio",
        };
        xml.element("AdaptationSet", |xml| {
            xml.attribute("id", id);
            xml.attribute("contentType", content_type);
            if let Some(language) = &described.language {
                xml.attribute("lang", language);
            }
            xml.attribute("mimeType", format_args!("{content_type}/mp4"));
            xml.attribute("segmentAlignment", "true");
            xml.attribute("startWithSAP", 1);
            let channels = set.iter().find_map(|(_, init)| init.channels);
            if let Some(layout) = channels.and_then(channel_layout) {
                xml.element("AudioChannelConfiguration", |xml| {
                    let scheme = "urn:mpeg:mpegB:cicp:ChannelConfiguration";
                    xml.attribute("schemeIdUri", scheme);
                    xml.attribute("value", layout);
                });
            }
            if let Some(name) = described.name.as_ref().filter(|_| role.is_some()) {
                xml.text_element("Label", name);
            }
            if self.presentation != Presentation::Recorded {
                xml.element("ProducerReferenceTime", |xml| {
                    xml.attribute("id", 0);
                    xml.attribute("type", "encoder");
                    xml.attribute("wallClockTime", period.start_wall);
                    let timescale = self.timescale(period, set.first().map(|(v, _)| v.rendition));
                    let at = scale(period.start, TIMESCALE, timescale);
                    xml.attribute("presentationTime", at);
                    xml.element("UTCTiming", utc_timing);
                });
            }
            if let Some(role) = role {
                xml.element("Role", |xml| {
                    xml.attribute("schemeIdUri", "urn:mpeg:dash:role:2011");
                    xml.attribute("value", role);
                });
            }
            for (variant, init) in set {
                self.write_representation(xml, period, variant, init);
            }
        });
    }

    fn write_representation(
        &self,
        xml: &mut Xml,
        period: &Period<'_>,
        variant: &Variant,
        init: &InitRecord,
    ) {
        xml.element("Representation", |xml| {
            xml.attribute("id", variant.rendition);
            xml.attribute("bandwidth", variant.peak.max(1));
            xml.attribute("codecs", &init.codec);
            if let Some((width, height)) = init.resolution {
                xml.attribute("width", width);
                xml.attribute("height", height);
            }
            if let Some(rate) = variant.frame_rate {
                xml.attribute("frameRate", FrameRate(rate));
            }
            if init.kind() == TrackKind::Audio
                && let Some(record) = period.of(variant.rendition).next()
            {
                xml.attribute("audioSamplingRate", record.timescale);
            }
            self.write_template(xml, period, init);
        });
    }

    fn write_template(&self, xml: &mut Xml, period: &Period<'_>, init: &InitRecord) {
        let InitRecord {
            epoch, rendition, ..
        } = *init;
        let timescale = self.timescale(period, Some(rendition));
        let resource = Resource::Init {
            epoch,
            rendition,
            n: init.n,
        };
        let media = format_args!("{epoch}/{rendition}").to_string();
        xml.element("SegmentTemplate", |xml| {
            xml.attribute("timescale", timescale);
            let offset = scale(period.start, TIMESCALE, timescale);
            xml.attribute("presentationTimeOffset", offset);
            xml.attribute("startNumber", period.first);
            xml.attribute("initialization", resource);
            match self.regular(period) {
                Some((ms, part_target)) => {
                    // Weir's own name for a segment that may grow while it is sent.
                    xml.attribute("media", format_args!("{media}/dash-$Number$.m4s"));
                    xml.attribute("duration", ms * u64::from(TIMESCALE / 1000));
                    // Nothing grows any more in a Period that is over, and Shaka adds the offset to
                    // its end: it would ask for a segment that is not there.
                    if !period.closed {
                        let early = (ms as f64 / 1000.0 - part_target).max(0.0);
                        xml.attribute("availabilityTimeOffset", format_args!("{early:.3}"));
                        xml.attribute("availabilityTimeComplete", "false");
                    }
                }
                None => {
                    xml.attribute("media", format_args!("{media}/$Number$.m4s"));
                    let segments: Vec<_> = period.of(rendition).collect();
                    xml.element("SegmentTimeline", |xml| write_timeline(xml, &segments));
                }
            }
        });
    }

    /// Segment duration in milliseconds and PART-TARGET, where the Period's segments are not
    /// listed.
    fn regular(&self, period: &Period<'_>) -> Option<(u64, f64)> {
        match (self.presentation, period.addressing) {
            (Presentation::Live { part_target }, Addressing::Regular(ms)) => {
                Some((ms, part_target))
            }
            _ => None,
        }
    }

    /// Listed times are exact in the track's own ticks; a cadence is told in one for all.
    fn timescale(&self, period: &Period<'_>, rendition: Option<RenditionId>) -> u32 {
        if self.regular(period).is_some() {
            return TIMESCALE;
        }
        let record = rendition.and_then(|rendition| period.of(rendition).next());
        record.map_or(TIMESCALE, |record| record.timescale)
    }
}

const PROFILES: &str = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019";

/// Times in milliseconds of the wall clock. `availabilityStartTime` is the Unix epoch, so that it
/// never changes and a Period's start is its wall-clock time.
fn live_attributes(xml: &mut Xml, first_ms: u64, published_ms: u64) {
    let low_latency = "http://www.dashif.org/guidelines/low-latency-live-v5";
    xml.attribute("profiles", format_args!("{PROFILES},{low_latency}"));
    xml.attribute("type", "dynamic");
    xml.attribute("availabilityStartTime", "1970-01-01T00:00:00Z");
    xml.attribute("publishTime", weir_model::WallTime(published_ms));
    xml.attribute("minimumUpdatePeriod", format_args!("PT{UPDATE_S}S"));
    xml.attribute("minBufferTime", "PT1S");
    // All that is stored; the first Period's start bounds it too.
    let depth = published_ms.saturating_sub(first_ms) / 1000 + 60;
    xml.attribute("timeShiftBufferDepth", format_args!("PT{depth}S"));
    xml.attribute(
        "suggestedPresentationDelay",
        format_args!("PT{PLAIN_DELAY_S}S"),
    );
    xml.attribute("maxSegmentDuration", format_args!("PT{TARGET_DURATION_S}S"));
}

/// How far from the live edge players are to be: six parts, a part of them for the network and the
/// rest as buffer.
fn service_description(xml: &mut Xml, part_target: f64) {
    let part_ms = (part_target * 1000.0).round() as u64;
    let target = (6 * part_ms).max(SHORTEST_LATENCY_MS);
    xml.element("ServiceDescription", |xml| {
        xml.attribute("id", 0);
        xml.element("Latency", |xml| {
            xml.attribute("referenceId", 0);
            xml.attribute("target", target);
            xml.attribute("min", target / 2);
            xml.attribute("max", 3 * target);
        });
        xml.element("PlaybackRate", |xml| {
            xml.attribute("min", "0.96");
            xml.attribute("max", "1.04");
        });
    });
}

fn utc_timing(xml: &mut Xml) {
    xml.attribute("schemeIdUri", "urn:mpeg:dash:utc:http-iso:2014");
    xml.attribute("value", CLOCK);
}

/// Start and duration of each segment; equal ones are written once.
fn write_timeline(xml: &mut Xml, segments: &[&SegmentRecord]) {
    let at = |record: &SegmentRecord| record.start + u64::from(record.composition_offset);
    let mut runs: Vec<(u64, u64, u32)> = Vec::new();
    for (i, record) in segments.iter().enumerate() {
        let start = at(record);
        let duration = match segments.get(i + 1) {
            Some(next) => at(next).saturating_sub(start),
            None => record.duration,
        };
        match runs.last_mut() {
            Some((_, same, repeated)) if *same == duration => *repeated += 1,
            _ => runs.push((start, duration, 0)),
        }
    }
    for (i, (start, duration, repeated)) in runs.into_iter().enumerate() {
        xml.element("S", |xml| {
            if i == 0 {
                xml.attribute("t", start);
            }
            xml.attribute("d", duration);
            if repeated > 0 {
                xml.attribute("r", repeated);
            }
        });
    }
}

/// ISO/IEC 23091-3 channel configuration of so many channels.
fn channel_layout(channels: u8) -> Option<u8> {
    match channels {
        1..=6 => Some(channels),
        8 => Some(12),
        _ => None,
    }
}

/// Ticks of 1/90,000 s as an `xs:duration`.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PT{:.6}S", self.0 as f64 / f64::from(TIMESCALE))
    }
}

/// Milliseconds as an `xs:duration`.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PT{}.{:03}S", self.0 / 1000, self.0 % 1000)
    }
}

/// Pictures per second as the standard writes them: whole, or over 1001.
struct FrameRate(f64);

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.round();
        let ntsc = whole * 1000.0 / 1001.0;
        if (self.0 - ntsc).abs() < 0.002 && whole >= 1.0 {
            write!(f, "{:.0}/1001", whole * 1000.0)
        } else if (self.0 - whole).abs() < 0.002 {
            write!(f, "{whole:.0}")
        } else {
            write!(f, "{:.0}/1000", self.0 * 1000.0)
        }
    }
}
