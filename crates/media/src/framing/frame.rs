//! Frames and their payloads.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;
use weir_model::{InvalidId, RenditionId};

use super::{LadderJob, MAX_FRAME_LEN, RungState, SlateJob};
use crate::{
    codec::{
        AacConfig, Av1Config, AvcConfig, HevcConfig, InvalidAac, InvalidAv1, InvalidAvc,
        InvalidHevc, InvalidOpus, InvalidVp9, OpusConfig, Vp9Config,
    },
    unit::{Timestamp, TrackConfig, TrackKind, Unit},
};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// What to make; the first frame to a child.
    Job(LadderJob),
    /// A rendition begins, or goes on coded differently.
    Config {
        /// Which rendition.
        rendition: RenditionId,
        /// How it is coded.
        config: TrackConfig,
    },
    /// One access unit.
    Unit {
        /// Which rendition.
        rendition: RenditionId,
        /// To the child: a segment begins with this unit's picture, so that every rung needs an
        /// IDR there. From the child: false.
        cut: bool,
        /// The unit.
        unit: Unit,
    },
    /// Nothing follows.
    End,
    /// From the child: a rendition is left out, or made again. All are made at first.
    Rung {
        /// Which rendition.
        rendition: RenditionId,
        /// Whether it is made.
        state: RungState,
        /// The first picture that this is about.
        at: Timestamp,
    },
    /// From the child: it has passed over units, because no rendition is made at present.
    Idle,
    /// What to make of the last pictures of a source; the first frame to such a child.
    Slate(SlateJob),
    /// From the child: what came of a rendition is a loop. It begins again, with what was its
    /// first unit, at this time; the units' own times go from 0 to here.
    Again {
        /// Which rendition.
        rendition: RenditionId,
        /// The loop's length.
        at: Timestamp,
    },
    /// From the child: nothing of the source's video could be decoded from this unit on. It is
    /// told again each second while that lasts.
    Undecodable {
        /// When the unit is decoded.
        since: Timestamp,
    },
}

/// Bytes that are no frame. The pipe cannot be read on from there.
#[derive(Debug, Error)]
pub enum InvalidFrame {
    /// Longer than [`MAX_FRAME_LEN`].
    #[error("a frame of {0} bytes is longer than {MAX_FRAME_LEN}")]
    TooLong(usize),
    /// A frame has at least its kind.
    #[error("a frame without a kind")]
    Empty,
    /// Not one of the kinds.
    #[error("frame kind {0} is unknown")]
    Kind(u8),
    /// Not one of the codecs.
    #[error("codec {0} is unknown")]
    Codec(u8),
    /// Flags nobody has given a meaning.
    #[error("unit flags {0:#04x} are unknown")]
    Flags(u8),
    /// Neither made nor left out.
    #[error("rung state {0} is unknown")]
    RungState(u8),
    /// The payload ends before its fixed fields do, or goes on after them.
    #[error("a frame of kind {kind} has a payload of {len} bytes, which does not fit")]
    Length {
        /// The frame's kind.
        kind: u8,
        /// Bytes of payload.
        len: usize,
    },
    /// The job is not the JSON it should be.
    #[error("the job cannot be read: {0}")]
    Job(#[from] serde_json::Error),
    /// A name that no rendition has.
    #[error(transparent)]
    Rendition(#[from] InvalidId),
    /// A configuration that cannot be packaged.
    #[error(transparent)]
    Avc(#[from] InvalidAvc),
    /// A configuration that cannot be packaged.
    #[error(transparent)]
    Hevc(#[from] InvalidHevc),
    /// A configuration that cannot be packaged.
    #[error(transparent)]
    Av1(#[from] InvalidAv1),
    /// A configuration that cannot be packaged.
    #[error(transparent)]
    Vp9(#[from] InvalidVp9),
    /// A configuration that cannot be packaged.
    #[error(transparent)]
    Opus(#[from] InvalidOpus),
    /// A configuration that cannot be packaged.
    #[error(transparent)]
    Aac(#[from] InvalidAac),
}

mod kind {
    pub(super) const JOB: u8 = 1;
    pub(super) const CONFIG: u8 = 2;
    pub(super) const UNIT: u8 = 3;
    pub(super) const END: u8 = 4;
    pub(super) const RUNG: u8 = 5;
    pub(super) const IDLE: u8 = 6;
    pub(super) const SLATE: u8 = 7;
    pub(super) const AGAIN: u8 = 8;
    pub(super) const UNDECODABLE: u8 = 9;
}

mod codec {
    pub(super) const AVC: u8 = 1;
    pub(super) const AAC: u8 = 2;
    pub(super) const HEVC: u8 = 3;
    pub(super) const AV1: u8 = 4;
    pub(super) const VP9: u8 = 5;
    pub(super) const OPUS: u8 = 6;
}

mod flags {
    pub(super) const AUDIO: u8 = 1;
    pub(super) const KEYFRAME: u8 = 2;
    pub(super) const CUT: u8 = 4;
}

impl Frame {
    /// Appends kind and payload.
    pub(super) fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Job(job) => {
                out.put_u8(kind::JOB);
                let json = serde_json::to_vec(job).expect("a struct of strings and numbers");
                out.put_slice(&json);
            }
            Self::Config { rendition, config } => {
                out.put_u8(kind::CONFIG);
                put_rendition(out, *rendition);
                out.put_u8(match config {
                    TrackConfig::Avc(_) => codec::AVC,
                    TrackConfig::Hevc(_) => codec::HEVC,
                    TrackConfig::Av1(_) => codec::AV1,
                    TrackConfig::Vp9(_) => codec::VP9,
                    TrackConfig::Aac(_) => codec::AAC,
                    TrackConfig::Opus(_) => codec::OPUS,
                });
                // The record of VP9 does not tell the size.
                if let TrackConfig::Vp9(Vp9Config { picture, .. }) = config {
                    out.put_u32_le(picture.width);
                    out.put_u32_le(picture.height);
                }
                out.put_slice(config.codec_private());
            }
            Self::Unit {
                rendition,
                cut,
                unit,
            } => {
                out.put_u8(kind::UNIT);
                put_rendition(out, *rendition);
                let flag = |set: bool, flag: u8| if set { flag } else { 0 };
                out.put_u8(
                    flag(unit.kind == TrackKind::Audio, flags::AUDIO)
                        | flag(unit.keyframe, flags::KEYFRAME)
                        | flag(*cut, flags::CUT),
                );
                out.put_i64_le(unit.dts.0);
                out.put_i64_le(unit.pts.0);
                out.put_slice(&unit.data);
            }
            Self::End => out.put_u8(kind::END),
            Self::Rung {
                rendition,
                state,
                at,
            } => {
                out.put_u8(kind::RUNG);
                put_rendition(out, *rendition);
                out.put_u8(state.byte());
                out.put_i64_le(at.0);
            }
            Self::Idle => out.put_u8(kind::IDLE),
            Self::Slate(job) => {
                out.put_u8(kind::SLATE);
                let json = serde_json::to_vec(job).expect("a struct of strings");
                out.put_slice(&json);
            }
            Self::Again { rendition, at } => {
                out.put_u8(kind::AGAIN);
                put_rendition(out, *rendition);
                out.put_i64_le(at.0);
            }
            Self::Undecodable { since } => {
                out.put_u8(kind::UNDECODABLE);
                out.put_i64_le(since.0);
            }
        }
    }

    /// Reads kind and payload.
    pub(super) fn read(mut frame: Bytes) -> Result<Self, InvalidFrame> {
        let kind = frame.try_get_u8().map_err(|_| InvalidFrame::Empty)?;
        let len = frame.len();
        let misfit = |_| InvalidFrame::Length { kind, len };
        match kind {
            kind::JOB => Ok(Self::Job(serde_json::from_slice(&frame)?)),
            kind::CONFIG => {
                let rendition = take_rendition(&mut frame, kind)?;
                let config = match frame.try_get_u8().map_err(misfit)? {
                    codec::AVC => TrackConfig::Avc(AvcConfig::parse(frame)?),
                    codec::AAC => TrackConfig::Aac(AacConfig::parse(frame)?),
                    codec::HEVC => TrackConfig::Hevc(HevcConfig::parse(frame)?),
                    codec::AV1 => TrackConfig::Av1(Av1Config::parse(frame)?),
                    codec::VP9 => {
                        let width = frame.try_get_u32_le().map_err(misfit)?;
                        let height = frame.try_get_u32_le().map_err(misfit)?;
                        TrackConfig::Vp9(Vp9Config::parse(frame, width, height)?)
                    }
                    codec::OPUS => TrackConfig::Opus(OpusConfig::parse(frame)?),
                    other => return Err(InvalidFrame::Codec(other)),
                };
                Ok(Self::Config { rendition, config })
            }
            kind::UNIT => {
                let rendition = take_rendition(&mut frame, kind)?;
                let set = frame.try_get_u8().map_err(misfit)?;
                if set & !(flags::AUDIO | flags::KEYFRAME | flags::CUT) != 0 {
                    return Err(InvalidFrame::Flags(set));
                }
                let dts = Timestamp(frame.try_get_i64_le().map_err(misfit)?);
                let pts = Timestamp(frame.try_get_i64_le().map_err(misfit)?);
                let audio = set & flags::AUDIO != 0;
                let unit = Unit {
                    kind: if audio {
                        TrackKind::Audio
                    } else {
                        TrackKind::Video
                    },
                    dts,
                    pts,
                    keyframe: set & flags::KEYFRAME != 0,
                    data: frame,
                };
                Ok(Self::Unit {
                    rendition,
                    cut: set & flags::CUT != 0,
                    unit,
                })
            }
            kind::RUNG => {
                let rendition = take_rendition(&mut frame, kind)?;
                let state = RungState::from_byte(frame.try_get_u8().map_err(misfit)?)?;
                let at = Timestamp(frame.try_get_i64_le().map_err(misfit)?);
                if !frame.is_empty() {
                    return Err(InvalidFrame::Length { kind, len });
                }
                Ok(Self::Rung {
                    rendition,
                    state,
                    at,
                })
            }
            kind::SLATE => Ok(Self::Slate(serde_json::from_slice(&frame)?)),
            kind::AGAIN => {
                let rendition = take_rendition(&mut frame, kind)?;
                let at = Timestamp(frame.try_get_i64_le().map_err(misfit)?);
                if !frame.is_empty() {
                    return Err(InvalidFrame::Length { kind, len });
                }
                Ok(Self::Again { rendition, at })
            }
            kind::UNDECODABLE => {
                let since = Timestamp(frame.try_get_i64_le().map_err(misfit)?);
                if !frame.is_empty() {
                    return Err(InvalidFrame::Length { kind, len });
                }
                Ok(Self::Undecodable { since })
            }
            kind::END if frame.is_empty() => Ok(Self::End),
            kind::IDLE if frame.is_empty() => Ok(Self::Idle),
            kind::END | kind::IDLE => Err(InvalidFrame::Length { kind, len }),
            other => Err(InvalidFrame::Kind(other)),
        }
    }
}

fn put_rendition(out: &mut BytesMut, rendition: RenditionId) {
    let name = rendition.as_str();
    out.put_u8(name.len() as u8);
    out.put_slice(name.as_bytes());
}

fn take_rendition(frame: &mut Bytes, kind: u8) -> Result<RenditionId, InvalidFrame> {
    let len = frame.len();
    let misfit = InvalidFrame::Length { kind, len };
    let Ok(name_len) = frame.try_get_u8() else {
        return Err(misfit);
    };
    let name_len = usize::from(name_len);
    if name_len > frame.len() {
        return Err(misfit);
    }
    let name = frame.split_to(name_len);
    let name = std::str::from_utf8(&name).map_err(|_| InvalidId::Rendition)?;
    Ok(name.parse()?)
}
