//! The currency of the media path: timed access units of one track, in decode order.

use bytes::Bytes;

use crate::codec::{
    AacConfig, Av1Config, AvcConfig, HevcConfig, OpusConfig, Picture, Vp9Config, aac, opus,
};

/// Ticks per second of every [`Timestamp`].
pub const TIMESCALE: u32 = 90_000;

/// A point on a media timeline in ticks of 1/90,000 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms * (TIMESCALE as i64 / 1000))
    }

    /// In seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / f64::from(TIMESCALE)
    }
}

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// How a track is coded, and all a decoder needs before the first unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackConfig {
    /// H.264 in length-prefixed NAL units.
    Avc(AvcConfig),
    /// HEVC in length-prefixed NAL units.
    Hevc(HevcConfig),
    /// AV1 in temporal units without temporal delimiters.
    Av1(Av1Config),
    /// VP9 in frames or superframes.
    Vp9(Vp9Config),
    /// MPEG-4 AAC, raw frames.
    Aac(AacConfig),
    /// Opus, raw packets.
    Opus(OpusConfig),
}

impl TrackConfig {
    /// What the track carries.
    pub fn kind(&self) -> TrackKind {
        match self {
            Self::Avc(_) | Self::Hevc(_) | Self::Av1(_) | Self::Vp9(_) => TrackKind::Video,
            Self::Aac(_) | Self::Opus(_) => TrackKind::Audio,
        }
    }

    /// The codec as RFC 6381 writes it, such as `avc1.64001f` or `mp4a.40.2`.
    pub fn rfc6381(&self) -> String {
        match self {
            Self::Avc(avc) => avc.rfc6381(),
            Self::Hevc(hevc) => hevc.rfc6381(),
            Self::Av1(av1) => av1.rfc6381(),
            Self::Vp9(vp9) => vp9.rfc6381(),
            Self::Aac(aac) => aac.rfc6381(),
            Self::Opus(opus) => opus.rfc6381(),
        }
    }

    /// What the codec's decoders are opened with, as libav's `extradata` has it: the content of
    /// `avcC`, `hvcC` or `av1C`, the record in `vpcC` (which VP9's decoders can do without), an
    /// AudioSpecificConfig, an Opus identification header.
    pub fn codec_private(&self) -> &Bytes {
        match self {
            Self::Avc(avc) => &avc.record,
            Self::Hevc(hevc) => &hevc.record,
            Self::Av1(av1) => &av1.record,
            Self::Vp9(vp9) => &vp9.record,
            Self::Aac(aac) => &aac.asc,
            Self::Opus(opus) => &opus.head,
        }
    }

    /// Size, shape, rate and colour; of video.
    pub fn picture(&self) -> Option<Picture> {
        match self {
            Self::Avc(avc) => Some(avc.picture()),
            Self::Hevc(hevc) => Some(hevc.picture),
            Self::Av1(av1) => Some(av1.picture),
            Self::Vp9(vp9) => Some(vp9.picture),
            Self::Aac(_) | Self::Opus(_) => None,
        }
    }

    /// Channels; of audio.
    pub fn channels(&self) -> Option<u8> {
        match self {
            Self::Aac(aac) => Some(aac.channels),
            Self::Opus(opus) => Some(opus.channels),
            Self::Avc(_) | Self::Hevc(_) | Self::Av1(_) | Self::Vp9(_) => None,
        }
    }

    /// Samples in a unit of audio with these bytes; `None` of video. A unit whose length cannot be
    /// told counts as one of [`usual_audio_samples`](Self::usual_audio_samples).
    pub fn audio_samples(&self, data: &[u8]) -> Option<u32> {
        match self {
            Self::Opus(_) => opus::packet_samples(data).or(self.usual_audio_samples()),
            _ => self.usual_audio_samples(),
        }
    }

    /// Samples in most units of audio; `None` of video.
    pub fn usual_audio_samples(&self) -> Option<u32> {
        match self {
            Self::Aac(_) => Some(aac::SAMPLES_PER_FRAME),
            Self::Opus(_) => Some(opus::USUAL_PACKET_SAMPLES),
            Self::Avc(_) | Self::Hevc(_) | Self::Av1(_) | Self::Vp9(_) => None,
        }
    }
}

/// One access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Of which kind its track is.
    pub kind: TrackKind,
    /// When it is decoded.
    pub dts: Timestamp,
    /// When it is shown; at or after `dts`.
    pub pts: Timestamp,
    /// Whether decoding can start here: a picture that begins a closed GOP (an IDR picture, a key
    /// frame); every audio frame.
    pub keyframe: bool,
    /// The coded bytes, as [`TrackConfig`] says.
    pub data: Bytes,
}

/// What a stream brings, in order: a track's configuration comes before its units, and again
/// whenever it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// A track begins, or goes on coded differently.
    Config(TrackConfig),
    /// One access unit.
    Unit(Unit),
}

impl Media {
    /// What its track carries.
    pub fn kind(&self) -> TrackKind {
        match self {
            Self::Config(config) => config.kind(),
            Self::Unit(unit) => unit.kind,
        }
    }
}
