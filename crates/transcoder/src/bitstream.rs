//! Units as files and the network hold them, to and from the streams that decoders take and
//! encoders give: with start codes and parameter sets in band (H.264, HEVC), or as they are (AV1,
//! VP9). So nothing has to be told to libav beside the stream itself.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;
use weir_media::{
    codec::{
        Av1Config, HevcConfig, InvalidAv1, InvalidAvc, InvalidHevc,
        annexb::{self, InvalidNalLength},
        av1::TemporalUnit,
    },
    framing::VideoCodec,
    unit::{TrackConfig, Unit},
};

/// What an encoder wrote that cannot be packaged.
#[derive(Debug, Error)]
pub enum InvalidStream {
    /// H.264.
    #[error(transparent)]
    Avc(#[from] InvalidAvc),
    /// HEVC.
    #[error(transparent)]
    Hevc(#[from] InvalidHevc),
    /// AV1.
    #[error(transparent)]
    Av1(#[from] InvalidAv1),
}

/// A unit as a decoder takes it that knows nothing of the configuration.
pub(crate) fn for_decoder(config: &TrackConfig, unit: &Unit) -> Result<Bytes, InvalidNalLength> {
    match config {
        TrackConfig::Avc(avc) => annexb::from_length_prefixed(avc, unit.keyframe, &unit.data),
        TrackConfig::Hevc(hevc) => {
            let mut stream = BytesMut::with_capacity(unit.data.len() + hevc.record.len() + 16);
            if unit.keyframe {
                hevc.parameter_sets()
                    .for_each(|set| put_nal(&mut stream, set));
            }
            for nal in annexb::length_prefixed_nal_units(&unit.data) {
                put_nal(&mut stream, nal?);
            }
            Ok(stream.freeze())
        }
        _ => Ok(unit.data.clone()),
    }
}

fn put_nal(stream: &mut BytesMut, nal: &[u8]) {
    stream.put_slice(&[0, 0, 0, 1]);
    stream.put_slice(nal);
}

/// One coded picture, ready to be packaged.
pub(crate) struct Packaged {
    /// The configuration that stood in front of it, if any did.
    pub(crate) config: Option<TrackConfig>,
    pub(crate) data: Bytes,
}

/// Reads one picture as an encoder wrote it.
pub(crate) fn from_encoder(codec: VideoCodec, stream: &[u8]) -> Result<Packaged, InvalidStream> {
    match codec {
        VideoCodec::H264 => {
            let encoded = annexb::to_length_prefixed(stream)?;
            Ok(Packaged {
                config: encoded.config.map(TrackConfig::Avc),
                data: encoded.data,
            })
        }
        VideoCodec::Hevc => from_hevc(stream),
        VideoCodec::Av1 => from_av1(stream),
    }
}

/// Types of NAL units of ITU-T H.265 table 7-1.
mod hevc_nal {
    pub(super) const VPS: u8 = 32;
    pub(super) const SPS: u8 = 33;
    pub(super) const PPS: u8 = 34;
    pub(super) const DELIMITER: u8 = 35;
    pub(super) const FILLER: u8 = 38;
}

fn from_hevc(stream: &[u8]) -> Result<Packaged, InvalidStream> {
    let mut data = BytesMut::with_capacity(stream.len() + 16);
    let (mut vps, mut sps, mut pps) = (None, None, None);
    for nal in annexb::nal_units(stream) {
        match nal[0] >> 1 & 0x3f {
            hevc_nal::VPS => vps = Some(nal),
            hevc_nal::SPS => sps = Some(nal),
            hevc_nal::PPS => pps = Some(nal),
            hevc_nal::DELIMITER | hevc_nal::FILLER => {}
            _ => {
                data.put_u32(nal.len() as u32);
                data.put_slice(nal);
            }
        }
    }
    let config = match (vps, sps, pps) {
        (Some(vps), Some(sps), Some(pps)) => Some(HevcConfig::parse(hevc_record(vps, sps, pps))?),
        _ => None,
    };
    Ok(Packaged {
        config: config.map(TrackConfig::Hevc),
        data: data.freeze(),
    })
}

/// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.2) of 8-bit 4:2:0 in one temporal
/// layer, which is all that this crate encodes.
fn hevc_record(vps: &[u8], sps: &[u8], pps: &[u8]) -> Bytes {
    let mut record = BytesMut::with_capacity(64 + vps.len() + sps.len() + pps.len());
    record.put_u8(1); // configurationVersion
    // profile_tier_level() is copied: it stands in the SPS after its header of two bytes and one
    // byte of sps_video_parameter_set_id, sps_max_sub_layers_minus1 and
    // sps_temporal_id_nesting_flag.
    const PROFILE_TIER_LEVEL: std::ops::Range<usize> = 3..15;
    let payload = without_emulation_prevention(sps, PROFILE_TIER_LEVEL.end);
    record.put_slice(payload.get(PROFILE_TIER_LEVEL).unwrap_or(&[0; 12]));
    record.put_u16(0xf000); // min_spatial_segmentation_idc: not told
    record.put_u8(0xfc); // parallelismType: not told
    record.put_u8(0xfc | 1); // chroma_format_idc: 4:2:0
    record.put_slice(&[0xf8, 0xf8]); // bit depths less 8
    record.put_u16(0); // avgFrameRate: not told
    record.put_u8(1 << 3 | 1 << 2 | 3); // one temporal layer, nested; lengths of four bytes
    record.put_u8(3);
    for (kind, nal) in [
        (hevc_nal::VPS, vps),
        (hevc_nal::SPS, sps),
        (hevc_nal::PPS, pps),
    ] {
        record.put_u8(0x80 | kind); // array_completeness
        record.put_u16(1);
        record.put_u16(nal.len() as u16);
        record.put_slice(nal);
    }
    record.freeze()
}

/// The first `len` bytes of a NAL unit's content.
fn without_emulation_prevention(nal: &[u8], len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    for &byte in nal {
        if out.len() == len {
            break;
        }
        if !(byte == 3 && out.ends_with(&[0, 0])) {
            out.push(byte);
        }
    }
    out
}

fn from_av1(stream: &[u8]) -> Result<Packaged, InvalidStream> {
    let unit = TemporalUnit::read(&Bytes::copy_from_slice(stream)).map_err(InvalidAv1::from)?;
    let config = unit.sequence_header.as_deref();
    Ok(Packaged {
        config: config
            .map(Av1Config::from_sequence_header)
            .transpose()?
            .map(TrackConfig::Av1),
        data: unit.data,
    })
}
