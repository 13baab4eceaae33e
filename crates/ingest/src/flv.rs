//! Bodies of FLV audio and video tags, as RTMP carries them (Adobe Flash Video File Format 10.1,
//! annex E.4; Enhanced RTMP v2 for tags that name their codec by FourCC).

use std::io::Cursor;

use bytes::{BufMut, Bytes, BytesMut};
use scuffle_flv::{
    audio::{
        body::legacy::aac::AacPacketType,
        header::{
            AudioTagHeader,
            enhanced::{AudioFourCc, AudioPacketType, ExAudioTagHeaderContent},
            legacy::SoundFormat,
        },
    },
    video::header::{
        VideoFrameType, VideoTagHeader, VideoTagHeaderData,
        enhanced::{ExVideoTagHeaderContent, VideoFourCc, VideoPacketType},
        legacy::{LegacyVideoTagHeader, LegacyVideoTagHeaderAvcPacket, VideoCodecId},
    },
};
use thiserror::Error;
use weir_media::{
    codec::{AacConfig, AvcConfig, InvalidAac, InvalidAvc, avc::nal_type},
    unit::{TrackConfig, TrackKind},
};

/// Most bytes of a tag that are looked at for its header. Without modifiers a header has at most
/// nine; modifiers could be chained for as long as the tag is.
const MAX_HEADER_LEN: usize = 64;

/// What a tag body holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Tag {
    /// A sequence header.
    Config(TrackConfig),
    /// One coded frame.
    Frame(Frame),
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
    /// Presentation time less decoding time, in ms.
    pub composition_ms: i32,
    /// Whether it holds an IDR slice; true for audio.
    pub keyframe: bool,
    /// NAL units with 4-byte lengths, or one raw AAC frame.
    pub data: Bytes,
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
    /// Video coded otherwise.
    #[error("the video is {0}; set the encoder to H.264")]
    UnsupportedVideo(String),
    /// Audio coded otherwise.
    #[error("the audio is {0}; set the encoder to AAC")]
    UnsupportedAudio(String),
    /// Several tracks in one tag.
    #[error("multitrack {0:?} is not taken; set the encoder to one track")]
    Multitrack(TrackKind),
    /// The video's sequence header.
    #[error("H.264 sequence header: {0}")]
    Avc(#[from] InvalidAvc),
    /// The audio's sequence header.
    #[error("AAC sequence header: {0}")]
    Aac(#[from] InvalidAac),
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
    /// Bytes of a NAL unit's length, once a sequence header told them.
    nal_length_size: Option<usize>,
}

impl Demuxer {
    /// Reads the body of a video tag.
    ///
    /// # Errors
    /// If it is malformed, or not H.264.
    pub fn video(&mut self, body: Bytes) -> Result<Tag, FlvError> {
        let truncated = FlvError::Truncated {
            kind: TrackKind::Video,
            len: body.len(),
        };
        let Some(first) = body.first() else {
            return Ok(Tag::Ignored);
        };
        if first & 0x80 == 0 && VideoFrameType::from(first >> 4) == VideoFrameType::Command {
            return Ok(Tag::Ignored);
        }
        let mut cursor = Cursor::new(body.slice(..body.len().min(MAX_HEADER_LEN)));
        let Ok(header) = VideoTagHeader::demux(&mut cursor) else {
            return Err(truncated);
        };
        let rest = body.slice(cursor.position() as usize..);
        match header.data {
            VideoTagHeaderData::Legacy(LegacyVideoTagHeader::AvcPacket(packet)) => match packet {
                LegacyVideoTagHeaderAvcPacket::SequenceHeader => self.avc_config(rest),
                LegacyVideoTagHeaderAvcPacket::Nalu {
                    composition_time_offset,
                } => self.avc_frame(sign_extend_24(composition_time_offset), rest),
                LegacyVideoTagHeaderAvcPacket::EndOfSequence => {
                    Ok(Tag::EndOfSequence(TrackKind::Video))
                }
                LegacyVideoTagHeaderAvcPacket::Unknown { .. } => Ok(Tag::Ignored),
            },
            VideoTagHeaderData::Legacy(LegacyVideoTagHeader::VideoCommand(_)) => Ok(Tag::Ignored),
            VideoTagHeaderData::Legacy(LegacyVideoTagHeader::Other { video_codec_id }) => Err(
                FlvError::UnsupportedVideo(legacy_video_name(video_codec_id)),
            ),
            VideoTagHeaderData::Enhanced(header) => {
                match header.content {
                    ExVideoTagHeaderContent::NoMultiTrack(VideoFourCc::Avc) => {}
                    ExVideoTagHeaderContent::NoMultiTrack(VideoFourCc(name)) => {
                        return Err(FlvError::UnsupportedVideo(four_cc_name(name)));
                    }
                    ExVideoTagHeaderContent::VideoCommand(_) => return Ok(Tag::Ignored),
                    _ => return Err(FlvError::Multitrack(TrackKind::Video)),
                }
                match header.video_packet_type {
                    VideoPacketType::SequenceStart => self.avc_config(rest),
                    VideoPacketType::CodedFrames => {
                        let (offset, rest) = split_u24(rest).ok_or(truncated)?;
                        self.avc_frame(sign_extend_24(offset), rest)
                    }
                    VideoPacketType::CodedFramesX => self.avc_frame(0, rest),
                    VideoPacketType::SequenceEnd => Ok(Tag::EndOfSequence(TrackKind::Video)),
                    _ => Ok(Tag::Ignored),
                }
            }
        }
    }

    /// Reads the body of an audio tag.
    ///
    /// # Errors
    /// If it is malformed, or not AAC.
    pub fn audio(&mut self, body: Bytes) -> Result<Tag, FlvError> {
        let truncated = FlvError::Truncated {
            kind: TrackKind::Audio,
            len: body.len(),
        };
        if body.is_empty() {
            return Ok(Tag::Ignored);
        }
        let mut cursor = Cursor::new(body.slice(..body.len().min(MAX_HEADER_LEN)));
        let Ok(header) = AudioTagHeader::demux(&mut cursor) else {
            return Err(truncated);
        };
        let rest = body.slice(cursor.position() as usize..);
        match header {
            AudioTagHeader::Legacy(header) if header.sound_format == SoundFormat::Aac => {
                let Some(packet_type) = rest.first() else {
                    return Err(truncated);
                };
                match AacPacketType::from(*packet_type) {
                    AacPacketType::SequenceHeader => aac_config(rest.slice(1..)),
                    AacPacketType::Raw => Ok(aac_frame(rest.slice(1..))),
                    _ => Ok(Tag::Ignored),
                }
            }
            AudioTagHeader::Legacy(header) => Err(FlvError::UnsupportedAudio(legacy_audio_name(
                header.sound_format,
            ))),
            AudioTagHeader::Enhanced(header) => {
                match header.content {
                    ExAudioTagHeaderContent::NoMultiTrack(AudioFourCc::Aac) => {}
                    ExAudioTagHeaderContent::NoMultiTrack(AudioFourCc(name)) => {
                        return Err(FlvError::UnsupportedAudio(four_cc_name(name)));
                    }
                    _ => return Err(FlvError::Multitrack(TrackKind::Audio)),
                }
                match header.audio_packet_type {
                    AudioPacketType::SequenceStart => aac_config(rest),
                    AudioPacketType::CodedFrames => Ok(aac_frame(rest)),
                    AudioPacketType::SequenceEnd => Ok(Tag::EndOfSequence(TrackKind::Audio)),
                    _ => Ok(Tag::Ignored),
                }
            }
        }
    }

    fn avc_config(&mut self, record: Bytes) -> Result<Tag, FlvError> {
        const LENGTH_SIZE_AT: usize = 4;
        let Some(told) = record.get(LENGTH_SIZE_AT).copied() else {
            return Err(InvalidAvc::Truncated(record.len()).into());
        };
        // Units leave here with 4-byte lengths, so that is what the record has to say.
        let mut normal = BytesMut::from(record);
        normal[LENGTH_SIZE_AT] |= 3;
        let config = AvcConfig::parse(normal.freeze())?;
        self.nal_length_size = Some(usize::from(told & 3) + 1);
        Ok(Tag::Config(TrackConfig::Avc(config)))
    }

    fn avc_frame(&self, composition_ms: i32, data: Bytes) -> Result<Tag, FlvError> {
        if data.is_empty() {
            return Ok(Tag::Ignored);
        }
        let kind = TrackKind::Video;
        let Some(length_size) = self.nal_length_size else {
            // Nothing can be made of it; it goes on to be counted.
            return Ok(Tag::Frame(Frame {
                kind,
                composition_ms,
                keyframe: false,
                data,
            }));
        };
        let (mut keyframe, mut count, mut total) = (false, 0, 0);
        for nal in nal_units(&data, length_size) {
            let nal = nal?;
            keyframe |= nal[0] & 0x1f == nal_type::IDR;
            count += 1;
            total += nal.len();
        }
        if count == 0 {
            return Ok(Tag::Ignored);
        }
        let data = if data.len() == total + 4 * count && length_size == 4 {
            data
        } else {
            let mut normal = BytesMut::with_capacity(total + 4 * count);
            for nal in nal_units(&data, length_size).flatten() {
                normal.put_u32(nal.len() as u32);
                normal.put_slice(nal);
            }
            normal.freeze()
        };
        Ok(Tag::Frame(Frame {
            kind,
            composition_ms,
            keyframe,
            data,
        }))
    }
}

/// The NAL units that are not empty.
fn nal_units(mut rest: &[u8], length_size: usize) -> impl Iterator<Item = Result<&[u8], FlvError>> {
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let left = rest.len();
            let Some((len, after)) = rest.split_at_checked(length_size) else {
                rest = &[];
                return Some(Err(FlvError::NalLength {
                    declared: length_size,
                    left,
                }));
            };
            let declared = len.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
            let Some((nal, after)) = after.split_at_checked(declared) else {
                rest = &[];
                return Some(Err(FlvError::NalLength {
                    declared,
                    left: left - length_size,
                }));
            };
            rest = after;
            if !nal.is_empty() {
                return Some(Ok(nal));
            }
        }
        None
    })
}

fn aac_config(asc: Bytes) -> Result<Tag, FlvError> {
    Ok(Tag::Config(TrackConfig::Aac(AacConfig::parse(asc)?)))
}

fn aac_frame(data: Bytes) -> Tag {
    if data.is_empty() {
        return Tag::Ignored;
    }
    Tag::Frame(Frame {
        kind: TrackKind::Audio,
        composition_ms: 0,
        keyframe: true,
        data,
    })
}

fn split_u24(mut bytes: Bytes) -> Option<(u32, Bytes)> {
    let [a, b, c] = *bytes.first_chunk()?;
    let rest = bytes.split_off(3);
    Some((u32::from_be_bytes([0, a, b, c]), rest))
}

fn sign_extend_24(value: u32) -> i32 {
    (value << 8) as i32 >> 8
}

fn legacy_video_name(codec: VideoCodecId) -> String {
    match codec {
        VideoCodecId::SorensonH263 => "Sorenson H.263".into(),
        VideoCodecId::ScreenVideo | VideoCodecId::ScreenVideoVersion2 => "Screen Video".into(),
        VideoCodecId::On2VP6 | VideoCodecId::On2VP6WithAlphaChannel => "On2 VP6".into(),
        // Not in the specification, but sent by encoders before Enhanced RTMP.
        VideoCodecId(12) => "HEVC".into(),
        VideoCodecId(13) => "AV1".into(),
        VideoCodecId(other) => format!("of codec id {other}"),
    }
}

fn legacy_audio_name(format: SoundFormat) -> String {
    match format {
        SoundFormat::LinearPcmPlatformEndian | SoundFormat::LinearPcmLittleEndian => "PCM".into(),
        SoundFormat::Adpcm => "ADPCM".into(),
        SoundFormat::Mp3 | SoundFormat::Mp38Khz => "MP3".into(),
        SoundFormat::G711ALaw | SoundFormat::G711MuLaw => "G.711".into(),
        SoundFormat::Speex => "Speex".into(),
        SoundFormat::Nellymoser
        | SoundFormat::Nellymoser8KhzMono
        | SoundFormat::Nellymoser16KhzMono => "Nellymoser".into(),
        SoundFormat(other) => format!("of format {other}"),
    }
}

fn four_cc_name(four_cc: [u8; 4]) -> String {
    match &four_cc {
        b"hvc1" => "HEVC".into(),
        b"av01" => "AV1".into(),
        b"vp08" => "VP8".into(),
        b"vp09" => "VP9".into(),
        b"Opus" => "Opus".into(),
        b"fLaC" => "FLAC".into(),
        b".mp3" => "MP3".into(),
        b"ac-3" => "AC-3".into(),
        b"ec-3" => "E-AC-3".into(),
        other => format!("of FourCC {}", other.escape_ascii()),
    }
}

#[cfg(test)]
#[path = "flv_tests.rs"]
mod tests;
