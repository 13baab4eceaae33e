//! Audio tags.

use std::io::Cursor;

use bytes::Bytes;
use scuffle_flv::{
    audio::{
        body::legacy::aac::AacPacketType,
        header::{
            AudioTagHeader,
            enhanced::{
                AudioFourCc, AudioPacketModEx, AudioPacketType, ExAudioTagHeader,
                ExAudioTagHeaderContent,
            },
            legacy::SoundFormat,
        },
    },
    common::AvMultitrackType,
};
use weir_media::{
    codec::{AacConfig, OpusConfig},
    unit::{TrackConfig, TrackKind},
};

use super::{
    FlvError, Frame, MAX_HEADER_LEN, MAX_NANOSECONDS, Tag, header_error,
    multitrack::{self, Layout, Packets},
    names,
};

const KIND: TrackKind = TrackKind::Audio;

/// What a tag holds, its header read.
pub(super) enum Body {
    /// Of the only track.
    Tag(Tag),
    /// Of several.
    Tracks(ExAudioTagHeader, Packets),
}

/// Reads the body of a tag as far as its tracks.
pub(super) fn read(body: Bytes) -> Result<Body, FlvError> {
    if body.is_empty() {
        return Ok(Body::Tag(Tag::Ignored));
    }
    let mut cursor = Cursor::new(body.slice(..body.len().min(MAX_HEADER_LEN)));
    let header = AudioTagHeader::demux(&mut cursor)
        .map_err(|error| header_error(KIND, body.len(), error))?;
    let rest = body.slice(cursor.position() as usize..);
    match header {
        AudioTagHeader::Legacy(header) if header.sound_format == SoundFormat::Aac => {
            let Some(packet_type) = rest.first() else {
                let len = body.len();
                return Err(FlvError::Truncated { kind: KIND, len });
            };
            let tag = match AacPacketType::from(*packet_type) {
                AacPacketType::SequenceHeader => aac_config(rest.slice(1..))?,
                AacPacketType::Raw => frame(rest.slice(1..), 0),
                _ => Tag::Ignored,
            };
            Ok(Body::Tag(tag))
        }
        AudioTagHeader::Legacy(header) => Err(FlvError::UnsupportedAudio(names::legacy_audio(
            header.sound_format,
        ))),
        AudioTagHeader::Enhanced(header) => enhanced(header, rest),
    }
}

fn enhanced(header: ExAudioTagHeader, rest: Bytes) -> Result<Body, FlvError> {
    let layout = match header.content {
        ExAudioTagHeaderContent::NoMultiTrack(codec) => {
            return Ok(Body::Tag(packet(&header, codec, rest)?));
        }
        ExAudioTagHeaderContent::OneTrack(codec) => Layout::One(codec.0),
        ExAudioTagHeaderContent::ManyTracks(codec) => Layout::Many(codec.0),
        ExAudioTagHeaderContent::ManyTracksManyCodecs => Layout::ManyCodecs,
        ExAudioTagHeaderContent::Unknown {
            audio_multitrack_type: AvMultitrackType(unknown),
            ..
        } => return Err(multitrack::unknown_type(KIND, unknown)),
    };
    Ok(Body::Tracks(header, Packets::new(KIND, layout, rest)))
}

/// Reads one track's packet.
pub(super) fn packet(
    header: &ExAudioTagHeader,
    codec: AudioFourCc,
    data: Bytes,
) -> Result<Tag, FlvError> {
    if !matches!(codec, AudioFourCc::Aac | AudioFourCc::Opus) {
        return Err(FlvError::UnsupportedAudio(names::four_cc(codec.0)));
    }
    match header.audio_packet_type {
        AudioPacketType::SequenceStart if codec == AudioFourCc::Opus => {
            let config = OpusConfig::parse(data)?;
            Ok(Tag::Config(TrackConfig::Opus(config)))
        }
        AudioPacketType::SequenceStart => aac_config(data),
        AudioPacketType::CodedFrames => {
            let nanoseconds = header.audio_packet_mod_exs.iter().rev();
            let mut nanoseconds = nanoseconds.filter_map(|modifier| match modifier {
                AudioPacketModEx::TimestampOffsetNano {
                    audio_timestamp_nano_offset,
                } => Some(*audio_timestamp_nano_offset),
                AudioPacketModEx::Other { .. } => None,
            });
            Ok(frame(data, nanoseconds.next().unwrap_or_default()))
        }
        AudioPacketType::SequenceEnd => Ok(Tag::EndOfSequence(KIND)),
        // How channels lie is told by the codec's configuration as well.
        _ => Ok(Tag::Ignored),
    }
}

fn aac_config(asc: Bytes) -> Result<Tag, FlvError> {
    Ok(Tag::Config(TrackConfig::Aac(AacConfig::parse(asc)?)))
}

fn frame(data: Bytes, composition_ns: u32) -> Tag {
    if data.is_empty() {
        return Tag::Ignored;
    }
    Tag::Frame(Frame {
        kind: KIND,
        composition_ms: 0,
        composition_ns: composition_ns.min(MAX_NANOSECONDS),
        keyframe: true,
        data,
    })
}
