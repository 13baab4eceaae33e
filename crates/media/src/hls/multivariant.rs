//! The multivariant playlist.

use std::fmt::Write;

use weir_model::{RenditionId, Resource};

use super::{
    TARGET_DURATION_S,
    audio_group::AudioGroup,
    bit_rate::{BitRate, Sized},
    i_frames, text,
};
use crate::{
    ceiling,
    record::{InitRecord, SegmentRecord},
    steering,
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
    /// Peak and mean bit rate of its I-frame playlist in bit/s, if it has one.
    pub i_frames: Option<(u64, u64)>,
}

/// As long as less than this was measured, what a rung is meant to have counts too, in seconds:
/// three target durations. A broadcast often begins with a still.
const ENOUGH_S: f64 = 3.0 * TARGET_DURATION_S as f64;

impl Variant {
    /// Measures a rendition by its segments in order, GAPs left aside. `nominal` bit/s stand in
    /// while there are none, and are not fallen short of while there are few.
    pub fn measure<'a>(
        init: InitRecord,
        segments: impl Iterator<Item = &'a SegmentRecord>,
        nominal: u64,
    ) -> Self {
        let media = segments.filter(|record| !record.gap && record.duration > 0);
        let mut units = 0.0;
        let rate = BitRate::of(
            media
                .inspect(|record| units += f64::from(record.units))
                .map(|record| Sized {
                    msn: record.msn.0,
                    bits: record.bytes as f64 * 8.0,
                    seconds: record.seconds(),
                }),
        );
        let (mut peak, mut average) = (rate.peak, rate.average);
        if rate.seconds < ENOUGH_S {
            peak = peak.max(nominal as f64);
        }
        if rate.seconds == 0.0 {
            average = nominal as f64;
        }
        let frame_rate = (init.kind() == TrackKind::Video && rate.seconds > 0.0)
            .then(|| nominal_rate(units / rate.seconds));
        Self {
            rendition: init.rendition,
            peak: peak.max(average).ceil() as u64,
            average: average.ceil() as u64,
            i_frames: None,
            init,
            frame_rate,
        }
    }

    /// Measures its I-frames too, of which the multivariant playlist then tells.
    pub fn with_i_frames<'a>(self, segments: impl Iterator<Item = &'a SegmentRecord>) -> Self {
        let shown = segments.filter(|record| i_frames::has_one(record));
        let rate = BitRate::of(shown.map(|record| Sized {
            msn: record.msn.0,
            bits: f64::from(record.first_unit_end) * 8.0,
            seconds: record.seconds(),
        }));
        let is_video = self.init.kind() == TrackKind::Video;
        let i_frames = (is_video && rate.seconds > 0.0)
            .then(|| (rate.peak.ceil() as u64, rate.average.ceil() as u64));
        Self { i_frames, ..self }
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
    /// `{rendition}/dvr.m3u8`.
    Dvr,
    /// `{rendition}/recording.m3u8`.
    Recorded,
}

/// A multivariant playlist.
#[derive(Clone, Debug, PartialEq)]
pub struct Multivariant {
    /// Which playlists it leads to.
    pub phase: Phase,
    /// Every segment of every rendition starts with an IDR picture.
    pub independent: bool,
    /// Players are told where to ask which pathway to take (`EXT-X-CONTENT-STEERING`).
    pub steering: bool,
    /// The renditions: video best first. Every video is listed with every group of audio.
    pub variants: Vec<Variant>,
}

impl Multivariant {
    /// Writes it for `/v/{video}/index.m3u8` or `dvr.m3u8`, for whom at most `max_lines` are meant.
    /// If all videos have more, those with the fewest stay.
    pub fn render(&self, max_lines: Option<u32>) -> String {
        let mut out = String::new();
        text::header(&mut out, 9);
        if self.independent {
            out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        }
        if self.steering {
            let _ = writeln!(
                out,
                "#EXT-X-CONTENT-STEERING:SERVER-URI=\"{}\",PATHWAY-ID=\"{}\"",
                steering::SERVER,
                steering::PATHWAY
            );
        }
        let groups = AudioGroup::of(&self.variants);
        let videos = self.videos(max_lines);
        for group in &groups {
            // Sound that is alone, and one, is a variant and no choice.
            if !videos.is_empty() || group.members.len() > 1 {
                group.write(&mut out, |member| self.path(member.rendition));
            }
        }
        match (videos.is_empty(), groups.is_empty()) {
            (true, _) => groups
                .iter()
                .for_each(|group| self.write_sound(&mut out, group)),
            (false, true) => {
                videos
                    .iter()
                    .for_each(|video| self.write_variant(&mut out, video, None));
            }
            (false, false) => {
                for group in &groups {
                    videos
                        .iter()
                        .for_each(|video| self.write_variant(&mut out, video, Some(group)));
                }
            }
        }
        videos
            .iter()
            .for_each(|video| write_i_frames(&mut out, video));
        out
    }

    /// The video renditions for whom at most `max_lines` are meant, best first; never none of them.
    pub fn videos(&self, max_lines: Option<u32>) -> Vec<&Variant> {
        let videos = || {
            self.variants
                .iter()
                .filter(|variant| variant.init.kind() == TrackKind::Video)
        };
        let lines = |variant: &Variant| variant.init.lines();
        let most = max_lines.map(|max| ceiling::lifted(max, videos().map(lines)));
        videos()
            .filter(|variant| most.is_none_or(|most| lines(variant) <= most))
            .collect()
    }

    /// Sound without pictures.
    fn write_sound(&self, out: &mut String, group: &AudioGroup<'_>) {
        let (peak, average) = group.bit_rate();
        let codecs = group.codecs().join(",");
        let _ = write!(
            out,
            "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{codecs}\"",
        );
        if group.members.len() > 1 {
            let _ = write!(out, ",AUDIO=\"{}\"", group.id());
        }
        if let Some(first) = group.members.first() {
            let _ = writeln!(out, "\n{}", self.path(first.rendition));
        }
    }

    fn write_variant(&self, out: &mut String, variant: &Variant, audio: Option<&AudioGroup<'_>>) {
        let (audio_peak, audio_average) = audio.map_or((0, 0), AudioGroup::bit_rate);
        let _ = write!(
            out,
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}",
            variant.peak + audio_peak,
            variant.average + audio_average,
            variant.init.codec,
        );
        for codec in audio.map(AudioGroup::codecs).unwrap_or_default() {
            let _ = write!(out, ",{codec}");
        }
        out.push('"');
        if let Some((width, height)) = variant.init.resolution {
            let _ = write!(out, ",RESOLUTION={width}x{height}");
        }
        if let Some(rate) = variant.frame_rate {
            let _ = write!(out, ",FRAME-RATE={rate:.3}");
        }
        if let Some(audio) = audio {
            let _ = write!(out, ",AUDIO=\"{}\"", audio.id());
        }
        let _ = writeln!(out, "\n{}", self.path(variant.rendition));
    }

    fn path(&self, rendition: RenditionId) -> String {
        match self.phase {
            Phase::Live => Resource::Live { rendition }.to_string(),
            Phase::Dvr => Resource::Dvr { rendition }.to_string(),
            Phase::Recorded => Resource::Recording { rendition }.to_string(),
        }
    }

    /// The multivariant playlist of what is stored, from all records of the video in order. Of
    /// several initialisation segments of a rendition the last one with media describes it. Without
    /// steering.
    pub fn of_stored(phase: Phase, inits: &[InitRecord], records: &[SegmentRecord]) -> Self {
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
                let segments = || media().filter(|record| record.rendition == name);
                let variant = Variant::measure(init.clone(), segments(), 0);
                Some(variant.with_i_frames(segments()))
            })
            .collect();
        variants.sort_by_key(|variant| {
            std::cmp::Reverse(variant.init.resolution.map_or(0, |(_, height)| height))
        });
        Self {
            phase,
            independent: media().all(|r| r.independent),
            steering: false,
            variants,
        }
    }
}

fn write_i_frames(out: &mut String, variant: &Variant) {
    let Some((peak, average)) = variant.i_frames else {
        return;
    };
    let _ = write!(
        out,
        "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{}\"",
        variant.init.codec,
    );
    if let Some((width, height)) = variant.init.resolution {
        let _ = write!(out, ",RESOLUTION={width}x{height}");
    }
    let playlist = Resource::IFrames {
        rendition: variant.rendition,
    };
    let _ = writeln!(out, ",URI=\"{playlist}\"");
}
