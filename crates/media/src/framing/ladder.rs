//! What a transcoder is asked to make, and what it says of it.

use serde::{Deserialize, Serialize};
use weir_model::RenditionId;

use super::InvalidFrame;

/// The renditions to make of `source` and `audio`, from one decode of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderJob {
    /// Of the video, best first.
    pub renditions: Vec<LadderRung>,
    /// Of the audio.
    #[serde(default)]
    pub sound: Vec<SoundRung>,
    /// Whether to keep up with a clock: a transcoder that falls behind then leaves out its best
    /// renditions. Otherwise it takes the time that it needs, and takes no more input until then.
    pub live: bool,
}

/// One video rendition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderRung {
    /// Under which name its units come back.
    pub id: RenditionId,
    /// Lines, which are counted across the shorter side of the picture as it is shown. A source of
    /// fewer lines keeps its own.
    pub height: u32,
    /// Mean and peak bitrate over a second, in kbit/s, at up to 40 pictures a second.
    pub bitrate_kbps: u32,
    /// The same for more pictures a second than that.
    pub fast_bitrate_kbps: u32,
    /// How it is coded.
    pub codec: VideoCodec,
    /// By what.
    pub encoder: EncoderChoice,
    /// One of the encoder's presets, between speed and quality; `None` leaves it to the
    /// transcoder.
    pub preset: Option<String>,
}

/// How a rendition is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// H.264.
    #[default]
    H264,
    /// H.265.
    Hevc,
    /// AV1.
    Av1,
}

/// One audio rendition at 48 kHz, in as many channels as the source has, but six at most in AAC
/// and two in Opus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundRung {
    /// Under which name its units come back.
    pub id: RenditionId,
    /// How it is coded.
    pub codec: AudioCodec,
    /// Mean bitrate in kbit/s.
    pub bitrate_kbps: u32,
}

/// How sound is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AudioCodec {
    /// MPEG-4 AAC-LC.
    Aac,
    /// Opus in packets of 20 ms.
    Opus,
}

impl AudioCodec {
    /// The name of the rendition that is coded so.
    fn rendition(self) -> &'static str {
        match self {
            Self::Aac => "audio-aac",
            Self::Opus => "audio-opus",
        }
    }
}

impl SoundRung {
    /// The rung of a codec; there is one of each at most.
    pub fn new(codec: AudioCodec, bitrate_kbps: u32) -> Self {
        Self {
            id: codec.rendition().parse().expect("both names are ids"),
            codec,
            bitrate_kbps,
        }
    }

    /// What is made beside the standard ladder: AAC for players that have no Opus, Opus for
    /// viewers over WebRTC, who have no AAC. Of them a source gets the one that it is not.
    pub fn standard() -> Vec<Self> {
        vec![
            Self::new(AudioCodec::Aac, 128),
            Self::new(AudioCodec::Opus, 96),
        ]
    }
}

/// Which encoder makes a rendition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EncoderChoice {
    /// The graphics card's if there is one that works, else the software for the codec.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// x264.
    #[serde(rename = "libx264")]
    X264,
    /// NVIDIA's, for H.264.
    #[serde(rename = "h264_nvenc")]
    H264Nvenc,
    /// The one behind VA-API, for H.264.
    #[serde(rename = "h264_vaapi")]
    H264Vaapi,
    /// x265.
    #[serde(rename = "libx265")]
    X265,
    /// SVT-AV1.
    #[serde(rename = "libsvtav1")]
    SvtAv1,
}

impl EncoderChoice {
    /// What the encoder codes; `None` for [`Auto`](Self::Auto), which fits every codec.
    pub fn codec(self) -> Option<VideoCodec> {
        match self {
            Self::Auto => None,
            Self::X264 | Self::H264Nvenc | Self::H264Vaapi => Some(VideoCodec::H264),
            Self::X265 => Some(VideoCodec::Hevc),
            Self::SvtAv1 => Some(VideoCodec::Av1),
        }
    }

    /// The name that FFmpeg knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::X264 => "libx264",
            Self::H264Nvenc => "h264_nvenc",
            Self::H264Vaapi => "h264_vaapi",
            Self::X265 => "libx265",
            Self::SvtAv1 => "libsvtav1",
        }
    }

    /// Whether it runs on the processor alone.
    pub fn is_software(self) -> bool {
        matches!(self, Self::X264 | Self::X265 | Self::SvtAv1)
    }
}

/// Heights that a rung can have, in lines.
pub const RUNG_HEIGHTS: std::ops::RangeInclusive<u32> = 16..=4320;

/// Bitrates that a rung can have, in kbit/s.
pub const RUNG_BITRATES: std::ops::RangeInclusive<u32> = 32..=100_000;

/// Bitrates that sound can have, in kbit/s.
pub const SOUND_BITRATES: std::ops::RangeInclusive<u32> = 32..=320;

/// Height, bitrate at up to 40 pictures a second, bitrate at more. Film and games at these rates
/// come out well with x264's veryfast (superfast up to 480 lines), without B-frames.
const STANDARD: [(&str, u32, u32, u32); 7] = [
    ("2160p", 2160, 14_000, 20_000),
    ("1440p", 1440, 8000, 12_000),
    ("1080p", 1080, 4500, 6800),
    ("720p", 720, 2500, 3800),
    ("480p", 480, 1200, 1200),
    ("360p", 360, 700, 700),
    ("240p", 240, 350, 350),
];

impl LadderRung {
    /// The ladder that is offered unless another one is asked for. Of it a source gets the rungs
    /// that have fewer lines than itself.
    pub fn standard() -> Vec<Self> {
        let rung = |(id, height, bitrate_kbps, fast_bitrate_kbps): (&str, _, _, _)| {
            Some(Self {
                id: id.parse().ok()?,
                height,
                bitrate_kbps,
                fast_bitrate_kbps,
                codec: VideoCodec::H264,
                encoder: EncoderChoice::Auto,
                preset: None,
            })
        };
        STANDARD.into_iter().filter_map(rung).collect()
    }
}

/// Whether a transcoder makes one of its renditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RungState {
    /// It does, from the picture named on.
    Made,
    /// It leaves it out, so as to make the others in time.
    Shed,
}

impl RungState {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Made => 1,
            Self::Shed => 0,
        }
    }

    pub(super) fn from_byte(byte: u8) -> Result<Self, InvalidFrame> {
        match byte {
            1 => Ok(Self::Made),
            0 => Ok(Self::Shed),
            other => Err(InvalidFrame::RungState(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_ladder_goes_down_and_is_possible() {
        let ladder = LadderRung::standard();
        assert_eq!(ladder.len(), STANDARD.len());
        for pair in ladder.windows(2) {
            assert!(pair[0].height > pair[1].height);
            assert!(pair[0].bitrate_kbps > pair[1].bitrate_kbps);
        }
        for rung in &ladder {
            assert!(RUNG_HEIGHTS.contains(&rung.height));
            assert!(RUNG_BITRATES.contains(&rung.bitrate_kbps));
            assert!(rung.fast_bitrate_kbps >= rung.bitrate_kbps);
        }
    }
}
