//! The multivariant playlist.

use std::fmt::Write;

use weir_model::{RenditionId, Resource};

use super::text;
use crate::{
    record::{InitRecord, SegmentRecord},
    unit::TrackKind,
};

/// What the multivariant playlist tells of one rendition.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Which.
    pub rendition: RenditionId,
    /// What it carries, and in which codec.
    pub init: InitRecord,
    /// Peak bit rate of its segments, in bit/s.
    pub peak: u64,
    /// Mean bit rate of its segments, in bit/s.
    pub average: u64,
    /// Pictures per second of video.
    pub frame_rate: Option<f64>,
}

/// Segments shorter than this tell nothing about the peak, in seconds: RFC 8216 measures over
/// half a target duration or more.
const PEAK_OVER_S: f64 = 1.9;

impl Variant {
    /// Measures a rendition by its segments, GAPs left aside. `nominal` bit/s stand in while
    /// there is none.
    pub fn measure<'a>(
        init: InitRecord,
        segments: impl Iterator<Item = &'a SegmentRecord>,
        nominal: u64,
    ) -> Self {
        let (mut bits, mut seconds, mut units) = (0.0, 0.0, 0.0);
        let (mut peak, mut peak_of_short) = (0.0_f64, 0.0_f64);
        for record in segments.filter(|record| !record.gap && record.duration > 0) {
            let (size, length) = (record.bytes as f64 * 8.0, record.seconds());
            bits += size;
            seconds += length;
            units += f64::from(record.units);
            if length >= PEAK_OVER_S {
                peak = peak.max(size / length);
            } else {
                peak_of_short = peak_of_short.max(size / length);
            }
        }
        let average = if seconds > 0.0 {
            bits / seconds
        } else {
            nominal as f64
        };
        let peak = match peak > 0.0 {
            true => peak,
            false if peak_of_short > 0.0 => peak_of_short,
            false => average,
        };
        let frame_rate = (init.kind() == TrackKind::Video && seconds > 0.0)
            .then(|| nominal_rate(units / seconds));
        Self {
            rendition: init.rendition,
            peak: peak.max(average).ceil() as u64,
            average: average.ceil() as u64,
            init,
            frame_rate,
        }
    }
}

/// The nominal frame rate within 0.5% of a measured one, else the measured one: millisecond
/// timestamps hide the difference.
fn nominal_rate(measured: f64) -> f64 {
    const NOMINAL: [f64; 11] = [
        10.0, 12.0, 15.0, 23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0,
    ];
    let distance = |rate: &f64| (rate - measured).abs();
    NOMINAL
        .into_iter()
        .filter(|rate| distance(rate) / rate < 0.005)
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
        .unwrap_or(measured)
}

/// Which media playlists a multivariant playlist leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// `{rendition}/index.m3u8`.
    Live,
    /// `{rendition}/recording.m3u8`.
    Recorded,
}

/// A multivariant playlist.
#[derive(Clone, Debug, PartialEq)]
pub struct Multivariant {
    /// Live or recorded.
    pub phase: Phase,
    /// Every segment of every rendition starts with an IDR picture.
    pub independent: bool,
    /// The renditions: video best first, and at most one audio, shared by all of them.
    pub variants: Vec<Variant>,
}

impl Multivariant {
    /// Writes it for `/v/{video}/index.m3u8`, for a screen of at most `max_height` lines. If no
    /// video rendition is that low, the lowest stays.
    pub fn render(&self, max_height: Option<u32>) -> String {
        let mut out = String::new();
        text::header(&mut out, 9);
        if self.independent {
            out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        }
        let audio = self
            .variants
            .iter()
            .find(|variant| variant.init.kind() == TrackKind::Audio);
        let videos = self.videos(max_height);
        if let (Some(audio), false) = (audio, videos.is_empty()) {
            let _ = write!(
                out,
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Audio\",DEFAULT=YES,\
                 AUTOSELECT=YES,"
            );
            if let Some(channels) = audio.init.channels {
                let _ = write!(out, "CHANNELS=\"{channels}\",");
            }
            let _ = writeln!(out, "URI=\"{}\"", self.path(audio.rendition));
        }
        match (videos.is_empty(), audio) {
            (true, Some(audio)) => self.write_variant(&mut out, audio, None),
            _ => videos
                .iter()
                .for_each(|video| self.write_variant(&mut out, video, audio)),
        }
        out
    }

    fn videos(&self, max_height: Option<u32>) -> Vec<&Variant> {
        let height = |variant: &Variant| variant.init.resolution.map_or(0, |(_, height)| height);
        let videos = || {
            self.variants
                .iter()
                .filter(|variant| variant.init.kind() == TrackKind::Video)
        };
        let fits: Vec<_> = videos()
            .filter(|variant| max_height.is_none_or(|max| height(variant) <= max))
            .collect();
        if fits.is_empty() {
            videos().min_by_key(|v| height(v)).into_iter().collect()
        } else {
            fits
        }
    }

    fn write_variant(&self, out: &mut String, variant: &Variant, audio: Option<&Variant>) {
        let (audio_peak, audio_average) = audio.map_or((0, 0), |a| (a.peak, a.average));
        let _ = write!(
            out,
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}",
            variant.peak + audio_peak,
            variant.average + audio_average,
            variant.init.codec,
        );
        if let Some(audio) = audio {
            let _ = write!(out, ",{}", audio.init.codec);
        }
        out.push('"');
        if let Some((width, height)) = variant.init.resolution {
            let _ = write!(out, ",RESOLUTION={width}x{height}");
        }
        if let Some(rate) = variant.frame_rate {
            let _ = write!(out, ",FRAME-RATE={rate:.3}");
        }
        if audio.is_some() {
            out.push_str(",AUDIO=\"audio\"");
        }
        let _ = writeln!(out, "\n{}", self.path(variant.rendition));
    }

    fn path(&self, rendition: RenditionId) -> String {
        match self.phase {
            Phase::Live => Resource::Live { rendition }.to_string(),
            Phase::Recorded => Resource::Recording { rendition }.to_string(),
        }
    }

    /// The multivariant playlist of a recording, from all records of the video in order. Of
    /// several initialisation segments of a rendition the last one with media describes it.
    pub fn of_recording(inits: &[InitRecord], records: &[SegmentRecord]) -> Self {
        let mut names: Vec<RenditionId> = Vec::new();
        for init in inits {
            if !names.contains(&init.rendition) {
                names.push(init.rendition);
            }
        }
        let media = || records.iter().filter(|record| !record.gap);
        let mut variants: Vec<Variant> = names
            .into_iter()
            .filter_map(|name| {
                let last = media().rfind(|record| record.rendition == name)?;
                let init = inits.iter().find(|init| {
                    (init.epoch, init.rendition, init.n) == (last.epoch, name, last.init)
                })?;
                let segments = media().filter(|record| record.rendition == name);
                Some(Variant::measure(init.clone(), segments, 0))
            })
            .collect();
        variants.sort_by_key(|variant| {
            std::cmp::Reverse(variant.init.resolution.map_or(0, |(_, height)| height))
        });
        Self {
            phase: Phase::Recorded,
            independent: media().all(|r| r.independent),
            variants,
        }
    }
}
