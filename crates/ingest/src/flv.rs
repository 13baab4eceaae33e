//! Bodies of FLV audio and video tags, as RTMP carries them (Adobe Flash Video File Format 10.1,
//! annex E.4; Enhanced RTMP v2 for tags that name their codec by FourCC).
//!
//! - `video`, `audio`: one kind of tag each, to configurations and frames
//! - `nal`: NAL units with lengths, made uniform
//! - `multitrack`: tags of several tracks
//! - `names`: codecs as people call them

mod audio;
mod multitrack;
mod nal;
mod names;
mod video;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use scuffle_flv::{
    audio::header::enhanced::{AudioFourCc, ExAudioTagHeader},
    video::header::enhanced::{ExVideoTagHeader, VideoFourCc},
};
use thiserror::Error;
use weir_media::{
    codec::{
        InvalidAac, InvalidAv1, InvalidAvc, InvalidHevc, InvalidOpus, InvalidVp9, av1::InvalidObu,
    },
    track::TrackIndex,
    unit::{TrackConfig, TrackKind},
};

use self::multitrack::Packets;

/// Most bytes of a tag that are looked at for its header. Without modifiers a header has at most
/// nine; modifiers could be chained for as long as the tag is.
const MAX_HEADER_LEN: usize = 1024;

/// Most of a nanosecond offset (Enhanced RTMP v2: less than a millisecond).
const MAX_NANOSECONDS: u32 = 999_999;

/// What a tag body holds of one track.
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
    /// Nothing that matters here: empty bodies, seek commands, HDR metadata.
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

/// A track that is not taken; what else the encoder sends is.
#[derive(Debug, PartialEq)]
pub struct RefusedTrack {
    /// What it carries.
    pub kind: TrackKind,
    /// trackId.
    pub id: u8,
    /// Why.
    pub reason: TrackRefusal,
}

/// Why a track is not taken.
#[derive(Debug, Error, PartialEq)]
pub enum TrackRefusal {
    /// One too many.
    #[error("tracks 0 to {} are", TrackIndex::COUNT - 1)]
    Number,
    /// It is malformed or coded in a way that is not taken.
    #[error(transparent)]
    Media(#[from] FlvError),
}

impl std::fmt::Display for RefusedTrack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, id, reason } = self;
        let kind = match kind {
            TrackKind::Video => "video",
            TrackKind::Audio => "audio",
        };
        write!(f, "{kind} track {id} is not taken: {reason}")
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
///
/// A tag's own answer is that of the first track, which leads (Enhanced RTMP v2, "Track Ordering":
/// the default one); after each, ask [`poll_track`](Self::poll_track) and
/// [`poll_refused_track`](Self::poll_refused_track) until they are `None`.
#[derive(Debug, Default)]
pub struct Demuxer {
    video: [video::Video; TrackIndex::COUNT],
    /// Of further tracks.
    further: VecDeque<(TrackIndex, Tag)>,
    /// Whether of video, and the ids: of tracks that are refused, at most 256 of each kind.
    refused: BTreeSet<(bool, u8)>,
    /// Those of them that nobody has been told of.
    untold: VecDeque<RefusedTrack>,
}

/// Says what a packet of one of several tracks is.
enum Header {
    Video(ExVideoTagHeader),
    Audio(ExAudioTagHeader),
}

impl Demuxer {
    /// Reads the body of a video tag.
    ///
    /// # Errors
    /// If it is malformed, or the first track is not H.264, HEVC, AV1 or VP9.
    pub fn video(&mut self, body: Bytes) -> Result<Tag, FlvError> {
        let lead = &mut self.video[TrackIndex::LEAD.get()];
        match video::read(body)? {
            video::Body::Nothing => Ok(Tag::Ignored),
            video::Body::Legacy(packet, rest) => lead.legacy(packet, rest),
            video::Body::Packet(header, codec, data) => lead.packet(&header, codec, data),
            video::Body::Tracks(header, packets) => self.tracks(&Header::Video(header), packets),
        }
    }

    /// Reads the body of an audio tag.
    ///
    /// # Errors
    /// If it is malformed, or the first track is not AAC or Opus.
    pub fn audio(&mut self, body: Bytes) -> Result<Tag, FlvError> {
        match audio::read(body)? {
            audio::Body::Tag(tag) => Ok(tag),
            audio::Body::Tracks(header, packets) => self.tracks(&Header::Audio(header), packets),
        }
    }

    /// What the last tag held of a further track; never [`Tag::Ignored`].
    pub fn poll_track(&mut self) -> Option<(TrackIndex, Tag)> {
        self.further.pop_front()
    }

    /// A track that came and is not taken; each is told once.
    pub fn poll_refused_track(&mut self) -> Option<RefusedTrack> {
        self.untold.pop_front()
    }

    /// Answers what the first track has. A further one that cannot be used is refused, which is no
    /// error.
    fn tracks(&mut self, header: &Header, packets: Packets) -> Result<Tag, FlvError> {
        let mut lead = Tag::Ignored;
        let mut seen = [false; TrackIndex::COUNT];
        for packet in packets {
            let packet = packet?;
            let Some(index) = TrackIndex::new(packet.id) else {
                self.refuse(header, packet.id, TrackRefusal::Number);
                continue;
            };
            // A tag has one packet of each track.
            if std::mem::replace(&mut seen[index.get()], true) {
                continue;
            }
            if index.is_lead() {
                lead = self.packet(header, index, packet)?;
                continue;
            }
            let id = packet.id;
            if self.refused.contains(&(header.is_video(), id)) {
                continue;
            }
            match self.packet(header, index, packet) {
                Ok(Tag::Ignored) => {}
                Ok(tag) => self.further.push_back((index, tag)),
                Err(error) => self.refuse(header, id, error.into()),
            }
        }
        Ok(lead)
    }

    fn packet(
        &mut self,
        header: &Header,
        index: TrackIndex,
        packet: multitrack::Packet,
    ) -> Result<Tag, FlvError> {
        let (codec, data) = (packet.codec, packet.data);
        match header {
            Header::Video(header) => {
                self.video[index.get()].packet(header, VideoFourCc(codec), data)
            }
            Header::Audio(header) => audio::packet(header, AudioFourCc(codec), data),
        }
    }

    fn refuse(&mut self, header: &Header, id: u8, reason: TrackRefusal) {
        if self.refused.insert((header.is_video(), id)) {
            let kind = match header {
                Header::Video(_) => TrackKind::Video,
                Header::Audio(_) => TrackKind::Audio,
            };
            self.untold.push_back(RefusedTrack { kind, id, reason });
        }
    }
}

impl Header {
    fn is_video(&self) -> bool {
        matches!(self, Self::Video(_))
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
