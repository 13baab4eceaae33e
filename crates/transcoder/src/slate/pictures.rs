//! The loop of pictures, in the source's codec.

use bytes::{BufMut, Bytes, BytesMut};
use weir_media::{
    codec::Vp9Config,
    framing::{Frame, VideoCodec},
    unit::{TrackConfig, TrackKind, Unit},
};
use weir_model::RenditionId;

use super::{SlateError, length::LoopLength};
use crate::{
    av::{Encoder, Picture, PictureFormat, StillCodec},
    bitstream,
    size::RungSize,
};

/// The same picture for a whole loop, coded as `like` is.
pub(super) fn make(
    like: &TrackConfig,
    format: PictureFormat,
    size: RungSize,
    planes: &[Vec<u8>],
    length: &LoopLength,
    rendition: RenditionId,
) -> Result<Vec<Frame>, SlateError> {
    let codec = match like {
        TrackConfig::Avc(_) => StillCodec::H264,
        TrackConfig::Hevc(_) => StillCodec::Hevc,
        TrackConfig::Av1(_) => StillCodec::Av1,
        TrackConfig::Vp9(_) => StillCodec::Vp9,
        TrackConfig::Aac(_) | TrackConfig::Opus(_) => return Err(SlateError::NoVideo),
    };
    let drawn = format.drawn(size);
    let mut encoder = Encoder::open_still(drawn, codec, size, length.rate).map_err(|cause| {
        SlateError::OpenEncoder {
            codec: like.rfc6381(),
            cause,
        }
    })?;
    let mut picture = Picture::drawn(size, planes);
    let mut coded = Vec::new();
    for number in 0..length.pictures {
        picture.set_pts(length.time_of(number));
        encoder.send(&picture, number == 0)?;
        while let Some(one) = encoder.next_coded()? {
            coded.push(one);
        }
    }
    encoder.send_end()?;
    while let Some(one) = encoder.next_coded()? {
        coded.push(one);
    }

    let mut config = None;
    let mut units = Vec::new();
    for one in coded {
        let packaged = match codec {
            StillCodec::H264 => bitstream::from_encoder(VideoCodec::H264, one.bytes())?,
            StillCodec::Hevc => bitstream::from_encoder(VideoCodec::Hevc, one.bytes())?,
            StillCodec::Av1 => bitstream::from_encoder(VideoCodec::Av1, one.bytes())?,
            StillCodec::Vp9 => bitstream::Packaged {
                config: Some(vp9_config(like, drawn, size)?),
                data: Bytes::copy_from_slice(one.bytes()),
            },
        };
        config = config.or(packaged.config);
        let pts = one.pts.unwrap_or_default();
        let unit = Unit {
            kind: TrackKind::Video,
            dts: pts,
            pts,
            keyframe: one.keyframe,
            data: packaged.data,
        };
        units.push(Frame::Unit {
            rendition,
            cut: false,
            unit,
        });
    }
    let config = config.ok_or_else(|| SlateError::NoConfig(like.rfc6381()))?;
    let mut frames = vec![Frame::Config { rendition, config }];
    frames.extend(units);
    frames.push(Frame::Again {
        rendition,
        at: length.time_of(length.pictures),
    });
    Ok(frames)
}

/// VPCodecConfigurationRecord of profile 0, which is 8 bits of 4:2:0, in the colours of `like`.
/// The level is left undefined: it follows from the size.
fn vp9_config(
    like: &TrackConfig,
    drawn: PictureFormat,
    size: RungSize,
) -> Result<TrackConfig, SlateError> {
    const PROFILE: u8 = 0;
    const LEVEL_UNDEFINED: u8 = 0;
    const BITS: u8 = 8;
    /// 4:2:0, chroma between two lines of luma.
    const SUBSAMPLING: u8 = 0;
    const COLOURS: std::ops::Range<usize> = 3..6;
    let mut record = BytesMut::with_capacity(8);
    let full_range = u8::from(drawn.is_full_range());
    record.put_slice(&[PROFILE, LEVEL_UNDEFINED]);
    record.put_u8(BITS << 4 | SUBSAMPLING << 1 | full_range);
    record.put_slice(like.codec_private().get(COLOURS).unwrap_or(&[2; 3]));
    record.put_u16(0); // codecInitializationDataSize
    let config = Vp9Config::parse(record.freeze(), size.width, size.height)?;
    Ok(TrackConfig::Vp9(config))
}
