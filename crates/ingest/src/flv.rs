//! Bodies of FLV audio and video tags, as RTMP carries them (Adobe Flash Video File Format 10.1,
//! annex E.4; Enhanced RTMP v2 for tags that name their codec by FourCC).
//!
//! - `video`, `audio`: one kind of tag each, to configurations and frames
//! - `nal`: NAL units with lengths, made uniform
//! - `multitrack`: tags of several tracks, of which the first is taken
//! - `names`: codecs as people call them

mod audio;
mod multitrack;
mod nal;
mod names;
mod video;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use thiserror::Error;
use weir_media::{
    codec::{
        InvalidAac, InvalidAv1, InvalidAvc, InvalidHevc, InvalidOpus, InvalidVp9, av1::InvalidObu,
    },
    unit::{TrackConfig, TrackKind},
};

/// Most bytes of a tag that are looked at for its header. Without modifiers a header has at most
/// nine; modifiers could be chained for as long as the tag is.
const MAX_HEADER_LEN: usize = 1024;

/// Most of a nanosecond offset (Enhanced RTMP v2: less than a millisecond).
const MAX_NANOSECONDS: u32 = 999_999;

/// The track that is taken of several (Enhanced RTMP v2, "Track Ordering": the default one).
pub const FIRST_TRACK: u8 = 0;

/// What a tag body holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Tag {
    /// A sequence header.
    Config(TrackConfig),
    /// One coded frame.
    Frame(Frame),
    /// A keyframe and the configuration that it brings with it, which differs from the one before:
    /// VP9 tells the size of its pictures nowhere else, and AV1 may change its sequence header.
    ConfiguredFrame(TrackConfig, Frame),
    /// No more frames of this track follow, unless a sequence header comes first.
    EndOfSequence(TrackKind),
    /// Nothing that matters here: empty bodies, seek commands, HDR metadata, other tracks.
    Ignored,
}

/// One coded frame, its time still the encoder's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its track.
    pub kind: TrackKind,
    /// Presentation time less decoding time, in ms ...
    pub composition_ms: i32,
    /// ... and how many nanoseconds more, less than a million.
    pub composition_ns: u32,
    /// Whether decoding can start here; true for audio.
    pub keyframe: bool,
    /// The coded bytes, as the track's configuration says.
    pub data: Bytes,
}

/// A track that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherTrack {
    /// Whether it is one of video.
    is_video: bool,
    /// trackId, never [`FIRST_TRACK`].
    pub id: u8,
}

impl OtherTrack {
    fn new(kind: TrackKind, id: u8) -> Self {
        Self {
            is_video: kind == TrackKind::Video,
            id,
        }
    }

    /// What it carries.
    pub fn kind(self) -> TrackKind {
        if self.is_video {
            TrackKind::Video
        } else {
            TrackKind::Audio
        }
    }
}

impl std::fmt::Display for OtherTrack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.is_video { "video" } else { "audio" };
        write!(
            f,
            "{kind} track {} is not taken, only track {FIRST_TRACK} is",
            self.id
        )
    }
}

/// A tag that is malformed or coded in a way that is not taken.
#[derive(Debug, Error, PartialEq)]
pub enum FlvError {
    /// The body ends within its header.
    #[error("a {kind:?} tag of {len} bytes ends within its header")]
    Truncated {
        /// Its track.
        kind: TrackKind,
        /// Bytes it has.
        len: usize,
    },
    /// The header contradicts itself.
    #[error("the header of a {kind:?} tag is malformed: {reason}")]
    Header {
        /// Its track.
        kind: TrackKind,
        /// What is wrong.
        reason: String,
    },
    /// Video coded otherwise.
    #[error("the video is {0}; set the encoder to H.264, HEVC, AV1 or VP9")]
    UnsupportedVideo(String),
    /// Audio coded otherwise.
    #[error("the audio is {0}; set the encoder to AAC or Opus")]
    UnsupportedAudio(String),
    /// A sequence header in the form of MPEG-2 TS descriptors.
    #[error(
        "the video's sequence header is in MPEG-2 TS form; set the encoder to send the codec's configuration record"
    )]
    Mpeg2TsSequenceStart,
    /// A track that claims more bytes than its tag has.
    #[error("{kind:?} track {id} says {declared} bytes where {left} are left")]
    TrackLength {
        /// What it carries.
        kind: TrackKind,
        /// Its trackId.
        id: u8,
        /// The length it says.
        declared: usize,
        /// Bytes there are.
        left: usize,
    },
    /// The video's sequence header.
    #[error("H.264 sequence header: {0}")]
    Avc(#[from] InvalidAvc),
    /// The video's sequence header.
    #[error("HEVC sequence header: {0}")]
    Hevc(#[from] InvalidHevc),
    /// The video's sequence header.
    #[error("AV1 sequence header: {0}")]
    Av1(#[from] InvalidAv1),
    /// A frame of video.
    #[error("AV1 frame: {0}")]
    Obu(#[from] InvalidObu),
    /// The video's sequence header.
    #[error("VP9 sequence header: {0}")]
    Vp9(#[from] InvalidVp9),
    /// The audio's sequence header.
    #[error("AAC sequence header: {0}")]
    Aac(#[from] InvalidAac),
    /// The audio's sequence header.
    #[error("Opus sequence header: {0}")]
    Opus(#[from] InvalidOpus),
    /// A NAL unit that doesn't fit into its tag.
    #[error("a NAL unit says {declared} bytes where {left} are left")]
    NalLength {
        /// The length it says.
        declared: usize,
        /// Bytes there are.
        left: usize,
    },
}

/// Reads the tag bodies of one stream.
#[derive(Debug, Default)]
pub struct Demuxer {
    video: video::Video,
    /// Tracks that are not taken, once seen; at most 255 of each kind.
    seen: BTreeSet<OtherTrack>,
    /// Those of them that nobody has been told of.
    untold: VecDeque<OtherTrack>,
}

impl Demuxer {
    /// Reads the body of a video tag.
    ///
    /// # Errors
    /// If it is malformed, or not H.264, HEVC, AV1 or VP9.
    pub fn video(&mut self, body: Bytes) -> Result<Tag, FlvError> {
        let mut others = Vec::new();
        let tag = self.video.read(body, &mut others);
        self.note(TrackKind::Video, &others);
        tag
    }

    /// Reads the body of an audio tag.
    ///
    /// # Errors
    /// If it is malformed, or not AAC or Opus.
    pub fn audio(&mut self, body: Bytes) -> Result<Tag, FlvError> {
        let mut others = Vec::new();
        let tag = audio::read(body, &mut others);
        self.note(TrackKind::Audio, &others);
        tag
    }

    /// A track that came and is not taken; each is told once.
    pub fn poll_other_track(&mut self) -> Option<OtherTrack> {
        self.untold.pop_front()
    }

    fn note(&mut self, kind: TrackKind, others: &[u8]) {
        for id in others {
            let track = OtherTrack::new(kind, *id);
            if self.seen.insert(track) {
                self.untold.push_back(track);
            }
        }
    }
}

/// What scuffle-flv has against a header.
fn header_error(kind: TrackKind, len: usize, error: scuffle_flv::error::FlvError) -> FlvError {
    match error {
        scuffle_flv::error::FlvError::Io(_) => FlvError::Truncated { kind, len },
        other => FlvError::Header {
            kind,
            reason: other.to_string(),
        },
    }
}

#[cfg(test)]
#[path = "flv_tests.rs"]
mod tests;
