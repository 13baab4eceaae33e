//! The currency of the media path: timed access units of one track, in decode order.

use bytes::Bytes;

use crate::codec::{AacConfig, AvcConfig};

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
    /// MPEG-4 AAC, raw frames.
    Aac(AacConfig),
}

impl TrackConfig {
    /// What the track carries.
    pub fn kind(&self) -> TrackKind {
        match self {
            Self::Avc(_) => TrackKind::Video,
            Self::Aac(_) => TrackKind::Audio,
        }
    }

    /// The codec as RFC 6381 writes it, such as `avc1.64001f` or `mp4a.40.2`.
    pub fn rfc6381(&self) -> String {
        match self {
            Self::Avc(avc) => avc.rfc6381(),
            Self::Aac(aac) => aac.rfc6381(),
        }
    }
}

/// One access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Which of the (at most two) tracks of its stream.
    pub kind: TrackKind,
    /// When it is decoded.
    pub dts: Timestamp,
    /// When it is shown; at or after `dts`.
    pub pts: Timestamp,
    /// Whether decoding can start here (an IDR picture; every audio frame).
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
