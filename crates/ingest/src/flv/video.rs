//! Video tags.

use std::io::Cursor;

use bytes::{Bytes, BytesMut};
use scuffle_flv::{
    common::AvMultitrackType,
    video::header::{
        VideoFrameType, VideoTagHeader, VideoTagHeaderData,
        enhanced::{
            ExVideoTagHeader, ExVideoTagHeaderContent, VideoFourCc, VideoPacketModEx,
            VideoPacketType,
        },
        legacy::{LegacyVideoTagHeader, LegacyVideoTagHeaderAvcPacket},
    },
};
use weir_media::{
    codec::{
        Av1Config, AvcConfig, HevcConfig, InvalidAv1, InvalidAvc, InvalidHevc, InvalidVp9,
        Vp9Config, av1::TemporalUnit, avc, hevc, vp9,
    },
    unit::{TrackConfig, TrackKind},
};

use super::{
    FlvError, Frame, MAX_HEADER_LEN, MAX_NANOSECONDS, Tag, header_error,
    multitrack::{self, Layout, Packets},
    nal, names,
};

const KIND: TrackKind = TrackKind::Video;

/// One video track.
#[derive(Debug, Default)]
pub(super) struct Video {
    coding: Option<Coding>,
}

/// What the newest sequence header says of the frames that follow.
#[derive(Debug)]
enum Coding {
    Avc {
        nal_length_size: usize,
    },
    Hevc {
        nal_length_size: usize,
    },
    Av1 {
        /// Not known while no sequence header came, be it within a frame.
        config: Option<Av1Config>,
    },
    Vp9 {
        record: Bytes,
        /// What key frames said.
        size: Option<(u32, u32)>,
    },
}

/// Presentation time less decoding time, as a tag says it.
#[derive(Clone, Copy, Debug, Default)]
struct Composition {
    ms: i32,
    ns: u32,
}

impl Composition {
    fn frame(self, keyframe: bool, data: Bytes) -> Frame {
        Frame {
            kind: KIND,
            composition_ms: self.ms,
            composition_ns: self.ns,
            keyframe,
            data,
        }
    }
}

/// What a tag holds, its header read.
pub(super) enum Body {
    /// Nothing that matters here.
    Nothing,
    /// H.264 of the only track, as FLV has always had it.
    Legacy(LegacyVideoTagHeaderAvcPacket, Bytes),
    /// Of the only track.
    Packet(ExVideoTagHeader, VideoFourCc, Bytes),
    /// Of several.
    Tracks(ExVideoTagHeader, Packets),
}

/// Reads the body of a tag as far as its tracks.
pub(super) fn read(body: Bytes) -> Result<Body, FlvError> {
    let Some(first) = body.first() else {
        return Ok(Body::Nothing);
    };
    if first & 0x80 == 0 && VideoFrameType::from(first >> 4) == VideoFrameType::Command {
        return Ok(Body::Nothing);
    }
    let mut cursor = Cursor::new(body.slice(..body.len().min(MAX_HEADER_LEN)));
    let header = VideoTagHeader::demux(&mut cursor)
        .map_err(|error| header_error(KIND, body.len(), error))?;
    let rest = body.slice(cursor.position() as usize..);
    match header.data {
        VideoTagHeaderData::Legacy(LegacyVideoTagHeader::AvcPacket(packet)) => {
            Ok(Body::Legacy(packet, rest))
        }
        VideoTagHeaderData::Legacy(LegacyVideoTagHeader::VideoCommand(_)) => Ok(Body::Nothing),
        VideoTagHeaderData::Legacy(LegacyVideoTagHeader::Other { video_codec_id }) => Err(
            FlvError::UnsupportedVideo(names::legacy_video(video_codec_id)),
        ),
        VideoTagHeaderData::Enhanced(header) => enhanced(header, rest),
    }
}

fn enhanced(header: ExVideoTagHeader, rest: Bytes) -> Result<Body, FlvError> {
    let layout = match header.content {
        ExVideoTagHeaderContent::NoMultiTrack(codec) => {
            return Ok(Body::Packet(header, codec, rest));
        }
        ExVideoTagHeaderContent::VideoCommand(_) => return Ok(Body::Nothing),
        ExVideoTagHeaderContent::OneTrack(codec) => Layout::One(codec.0),
        ExVideoTagHeaderContent::ManyTracks(codec) => Layout::Many(codec.0),
        ExVideoTagHeaderContent::ManyTracksManyCodecs => Layout::ManyCodecs,
        ExVideoTagHeaderContent::Unknown {
            video_multitrack_type: AvMultitrackType(unknown),
            ..
        } => return Err(multitrack::unknown_type(KIND, unknown)),
    };
    Ok(Body::Tracks(header, Packets::new(KIND, layout, rest)))
}

impl Video {
    /// Reads a packet as FLV has always had it.
    pub(super) fn legacy(
        &mut self,
        packet: LegacyVideoTagHeaderAvcPacket,
        rest: Bytes,
    ) -> Result<Tag, FlvError> {
        match packet {
            LegacyVideoTagHeaderAvcPacket::SequenceHeader => self.avc_config(rest),
            LegacyVideoTagHeaderAvcPacket::Nalu {
                composition_time_offset,
            } => {
                let ms = sign_extend_24(composition_time_offset);
                self.frame(VideoFourCc::Avc, Composition { ms, ns: 0 }, rest)
            }
            LegacyVideoTagHeaderAvcPacket::EndOfSequence => Ok(Tag::EndOfSequence(KIND)),
            LegacyVideoTagHeaderAvcPacket::Unknown { .. } => Ok(Tag::Ignored),
        }
    }

    /// Reads a packet that names its codec.
    pub(super) fn packet(
        &mut self,
        header: &ExVideoTagHeader,
        codec: VideoFourCc,
        data: Bytes,
    ) -> Result<Tag, FlvError> {
        let ns = nanoseconds(&header.video_packet_mod_exs);
        match header.video_packet_type {
            VideoPacketType::SequenceStart => self.config(codec, data),
            VideoPacketType::CodedFrames
                if matches!(codec, VideoFourCc::Avc | VideoFourCc::Hevc) =>
            {
                let truncated = FlvError::Truncated {
                    kind: KIND,
                    len: data.len(),
                };
                let (offset, data) = split_u24(data).ok_or(truncated)?;
                let ms = sign_extend_24(offset);
                self.frame(codec, Composition { ms, ns }, data)
            }
            // The other codecs have no pictures to reorder.
            VideoPacketType::CodedFrames | VideoPacketType::CodedFramesX => {
                self.frame(codec, Composition { ms: 0, ns }, data)
            }
            VideoPacketType::SequenceEnd => Ok(Tag::EndOfSequence(KIND)),
            VideoPacketType::Mpeg2TsSequenceStart => Err(FlvError::Mpeg2TsSequenceStart),
            _ => Ok(Tag::Ignored),
        }
    }

    fn config(&mut self, codec: VideoFourCc, record: Bytes) -> Result<Tag, FlvError> {
        match codec {
            VideoFourCc::Avc => self.avc_config(record),
            VideoFourCc::Hevc => self.hevc_config(record),
            VideoFourCc::Av1 => {
                let config = match Av1Config::parse(record) {
                    Ok(config) => Some(config),
                    Err(InvalidAv1::NoSequenceHeader) => None,
                    Err(error) => return Err(error.into()),
                };
                let tag = config
                    .clone()
                    .map(|config| Tag::Config(TrackConfig::Av1(config)));
                self.coding = Some(Coding::Av1 { config });
                Ok(tag.unwrap_or(Tag::Ignored))
            }
            VideoFourCc::Vp9 => {
                let record = without_full_box(record);
                if record.len() != vp9::RECORD_LEN {
                    return Err(InvalidVp9::Length(record.len()).into());
                }
                self.coding = Some(Coding::Vp9 { record, size: None });
                Ok(Tag::Ignored)
            }
            VideoFourCc(other) => Err(FlvError::UnsupportedVideo(names::four_cc(other))),
        }
    }

    fn avc_config(&mut self, record: Bytes) -> Result<Tag, FlvError> {
        const LENGTH_SIZE_AT: usize = 4;
        let truncated = InvalidAvc::Truncated(record.len());
        let (record, nal_length_size) =
            with_long_lengths(record, LENGTH_SIZE_AT).ok_or(truncated)?;
        let config = AvcConfig::parse(record)?;
        self.coding = Some(Coding::Avc { nal_length_size });
        Ok(Tag::Config(TrackConfig::Avc(config)))
    }

    fn hevc_config(&mut self, record: Bytes) -> Result<Tag, FlvError> {
        let truncated = InvalidHevc::Truncated(record.len());
        let (record, nal_length_size) =
            with_long_lengths(record, hevc::NAL_LENGTH_SIZE_AT).ok_or(truncated)?;
        let config = HevcConfig::parse(record)?;
        self.coding = Some(Coding::Hevc { nal_length_size });
        Ok(Tag::Config(TrackConfig::Hevc(config)))
    }

    fn frame(
        &mut self,
        codec: VideoFourCc,
        composition: Composition,
        data: Bytes,
    ) -> Result<Tag, FlvError> {
        if data.is_empty() {
            return Ok(Tag::Ignored);
        }
        match (&mut self.coding, codec) {
            (Some(Coding::Avc { nal_length_size }), VideoFourCc::Avc) => {
                let is_idr = |first: u8| first & 0x1f == avc::nal_type::IDR;
                let unit = nal::read(data, *nal_length_size, is_idr)?;
                Ok(nal_frame(composition, unit))
            }
            (Some(Coding::Hevc { nal_length_size }), VideoFourCc::Hevc) => {
                use hevc::nal_type::{of, starts_closed_gop};
                let unit = nal::read(data, *nal_length_size, |first| starts_closed_gop(of(first)))?;
                Ok(nal_frame(composition, unit))
            }
            (Some(Coding::Av1 { config }), VideoFourCc::Av1) => {
                av1_frame(config, composition, data)
            }
            (Some(Coding::Vp9 { record, size }), VideoFourCc::Vp9) => {
                vp9_frame(record, size, composition, data)
            }
            // Nothing can be made of it; it goes on to be counted.
            (None, VideoFourCc::Avc | VideoFourCc::Hevc | VideoFourCc::Av1 | VideoFourCc::Vp9) => {
                Ok(Tag::Frame(composition.frame(false, data)))
            }
            (
                Some(_),
                VideoFourCc::Avc | VideoFourCc::Hevc | VideoFourCc::Av1 | VideoFourCc::Vp9,
            ) => Ok(Tag::Ignored),
            (_, VideoFourCc(other)) => Err(FlvError::UnsupportedVideo(names::four_cc(other))),
        }
    }
}

fn nal_frame(composition: Composition, unit: Option<nal::AccessUnit>) -> Tag {
    unit.map_or(Tag::Ignored, |unit| {
        Tag::Frame(composition.frame(unit.found, unit.data))
    })
}

fn av1_frame(
    config: &mut Option<Av1Config>,
    composition: Composition,
    data: Bytes,
) -> Result<Tag, FlvError> {
    let unit = TemporalUnit::read(&data)?;
    if unit.data.is_empty() {
        return Ok(Tag::Ignored);
    }
    let frame = composition.frame(unit.keyframe, unit.data);
    let Some(header) = unit.sequence_header.filter(|_| unit.keyframe) else {
        return Ok(Tag::Frame(frame));
    };
    if config
        .as_ref()
        .is_some_and(|config| config.has_sequence_header(&header))
    {
        return Ok(Tag::Frame(frame));
    }
    let new = Av1Config::from_sequence_header(&header)?;
    *config = Some(new.clone());
    Ok(Tag::ConfiguredFrame(TrackConfig::Av1(new), frame))
}

fn vp9_frame(
    record: &Bytes,
    size: &mut Option<(u32, u32)>,
    composition: Composition,
    data: Bytes,
) -> Result<Tag, FlvError> {
    let told = vp9::keyframe_size(&data);
    let frame = composition.frame(told.is_some(), data);
    match told {
        Some((width, height)) if *size != told => {
            let config = Vp9Config::parse(record.clone(), width, height)?;
            *size = told;
            Ok(Tag::ConfiguredFrame(TrackConfig::Vp9(config), frame))
        }
        _ => Ok(Tag::Frame(frame)),
    }
}

/// The record, saying that NAL units have 4-byte lengths, as they do when they leave here; and how
/// many bytes those of the encoder have.
fn with_long_lengths(record: Bytes, length_size_at: usize) -> Option<(Bytes, usize)> {
    let told = record.get(length_size_at).copied()?;
    let mut normal = BytesMut::from(record);
    normal[length_size_at] |= 3;
    Some((normal.freeze(), usize::from(told & 3) + 1))
}

/// FFmpeg sends all of `vpcC`, version and flags included, where Enhanced RTMP has the record alone.
/// The record can't begin like that: its samples would have no bits.
fn without_full_box(record: Bytes) -> Bytes {
    const VERSION_1_NO_FLAGS: [u8; 4] = [1, 0, 0, 0];
    if record.starts_with(&VERSION_1_NO_FLAGS) {
        record.slice(VERSION_1_NO_FLAGS.len()..)
    } else {
        record
    }
}

/// The newest nanosecond offset among the modifiers of a packet.
fn nanoseconds(modifiers: &[VideoPacketModEx]) -> u32 {
    let offsets = modifiers.iter().filter_map(|modifier| match modifier {
        VideoPacketModEx::TimestampOffsetNano {
            video_timestamp_nano_offset,
        } => Some(*video_timestamp_nano_offset),
        VideoPacketModEx::Other { .. } => None,
    });
    offsets.last().unwrap_or_default().min(MAX_NANOSECONDS)
}

fn split_u24(mut bytes: Bytes) -> Option<(u32, Bytes)> {
    let [a, b, c] = *bytes.first_chunk()?;
    let rest = bytes.split_off(3);
    Some((u32::from_be_bytes([0, a, b, c]), rest))
}

fn sign_extend_24(value: u32) -> i32 {
    (value << 8) as i32 >> 8
}
