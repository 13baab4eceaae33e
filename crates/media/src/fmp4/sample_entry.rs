//! Sample entries, each by the standard that binds its codec to ISO/IEC 14496-12:
//!
//! | entry | configuration | standard |
//! | --- | --- | --- |
//! | `avc1`, `hvc1` | `avcC`, `hvcC` | ISO/IEC 14496-15 |
//! | `av01` | `av1C` | AV1 Codec ISO Media File Format Binding |
//! | `vp09` | `vpcC` | VP Codec ISO Media File Format Binding |
//! | `mp4a` | `esds` | ISO/IEC 14496-14 |
//! | `Opus` | `dOps` | Encapsulation of Opus in ISO Base Media File Format |

use bytes::{BufMut, BytesMut};

use super::boxes::{FourCc, put_box, put_full_box};
use crate::{
    codec::{AacConfig, OpusConfig, Picture, opus},
    unit::TrackConfig,
};

pub(super) fn put_sample_entry(out: &mut BytesMut, config: &TrackConfig) {
    match config {
        TrackConfig::Avc(avc) => put_visual(out, b"avc1", "", avc.picture(), |out| {
            put_box(out, b"avcC", |out| out.put_slice(&avc.record));
        }),
        TrackConfig::Hevc(hevc) => put_visual(out, b"hvc1", "", hevc.picture, |out| {
            put_box(out, b"hvcC", |out| out.put_slice(&hevc.record));
        }),
        TrackConfig::Av1(av1) => put_visual(out, b"av01", "AOM Coding", av1.picture, |out| {
            put_box(out, b"av1C", |out| out.put_slice(&av1.record));
        }),
        TrackConfig::Vp9(vp9) => put_visual(out, b"vp09", "VPC Coding", vp9.picture, |out| {
            put_full_box(out, b"vpcC", 1, 0, |out| out.put_slice(&vp9.record));
        }),
        TrackConfig::Aac(aac) => put_mp4a(out, aac),
        TrackConfig::Opus(opus) => put_opus(out, opus),
    }
}

/// The fields of every SampleEntry.
fn put_sample_entry_start(out: &mut BytesMut) {
    out.put_bytes(0, 6); // reserved
    out.put_u16(1); // data_reference_index
}

/// A VisualSampleEntry; `compressor` has at most 31 bytes.
fn put_visual(
    out: &mut BytesMut,
    name: &FourCc,
    compressor: &str,
    picture: Picture,
    put_configuration: impl FnOnce(&mut BytesMut),
) {
    const COMPRESSOR_LEN: usize = 31;
    // 65,535 at most; the parsers of sequence headers bound most codecs far below.
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    put_box(out, name, |out| {
        put_sample_entry_start(out);
        out.put_bytes(0, 16); // pre_defined and reserved
        out.put_u16(side(picture.width));
        out.put_u16(side(picture.height));
        out.put_u32(0x48_0000); // horizresolution 72 dpi
        out.put_u32(0x48_0000); // vertresolution
        out.put_u32(0); // reserved
        out.put_u16(1); // frame_count
        out.put_u8(compressor.len() as u8);
        out.put_slice(compressor.as_bytes());
        out.put_bytes(0, COMPRESSOR_LEN - compressor.len());
        out.put_u16(0x18); // depth
        out.put_i16(-1); // pre_defined
        put_configuration(out);
        if let Some(colour) = picture.colour {
            put_box(out, b"colr", |out| {
                out.put_slice(b"nclx");
                out.put_u16(u16::from(colour.primaries));
                out.put_u16(u16::from(colour.transfer));
                out.put_u16(u16::from(colour.matrix));
                out.put_u8(u8::from(colour.full_range) << 7);
            });
        }
        if let Some(aspect) = picture.pixel_aspect {
            put_box(out, b"pasp", |out| {
                out.put_u32(u32::from(aspect.horizontal));
                out.put_u32(u32::from(aspect.vertical));
            });
        }
    });
}

/// The fields of every AudioSampleEntry. A rate that does not fit 16 bits is left at zero, which
/// says to look into the codec's configuration.
fn put_audio_start(out: &mut BytesMut, channels: u8, sample_rate: u32) {
    put_sample_entry_start(out);
    out.put_bytes(0, 8); // reserved
    out.put_u16(u16::from(channels));
    out.put_u16(16); // samplesize
    out.put_u32(0); // pre_defined and reserved
    out.put_u32(u16::try_from(sample_rate).map_or(0, |rate| u32::from(rate) << 16));
}

fn put_opus(out: &mut BytesMut, opus: &OpusConfig) {
    put_box(out, b"Opus", |out| {
        put_audio_start(out, opus.channels, opus::SAMPLE_RATE);
        put_box(out, b"dOps", |out| out.put_slice(&opus.specific_box()));
    });
}

fn put_mp4a(out: &mut BytesMut, aac: &AacConfig) {
    put_box(out, b"mp4a", |out| {
        put_audio_start(out, aac.channels, aac.sample_rate);
        put_elementary_stream_descriptor(out, aac);
    });
}

/// `esds`: descriptors of ISO/IEC 14496-1 section 7.2.6, each with a length of one byte, which
/// the bound on the AudioSpecificConfig allows.
fn put_elementary_stream_descriptor(out: &mut BytesMut, aac: &AacConfig) {
    const ES: u8 = 3;
    const DECODER_CONFIG: u8 = 4;
    const DECODER_SPECIFIC_INFO: u8 = 5;
    const SL_CONFIG: u8 = 6;
    const MPEG4_AUDIO: u8 = 0x40;
    const AUDIO_STREAM: u8 = 5 << 2 | 1;
    let asc_len = aac.asc.len() as u8;
    let decoder_config_len = 13 + 2 + asc_len;
    let es_len = 3 + 2 + decoder_config_len + 3;
    put_full_box(out, b"esds", 0, 0, |out| {
        out.put_slice(&[ES, es_len]);
        out.put_u16(0); // ES_ID: that of the track
        out.put_u8(0); // no dependency, no URL, no OCR stream
        out.put_slice(&[
            DECODER_CONFIG,
            decoder_config_len,
            MPEG4_AUDIO,
            AUDIO_STREAM,
        ]);
        out.put_bytes(0, 3); // bufferSizeDB
        out.put_u32(0); // maxBitrate
        out.put_u32(0); // avgBitrate
        out.put_slice(&[DECODER_SPECIFIC_INFO, asc_len]);
        out.put_slice(&aac.asc);
        out.put_slice(&[SL_CONFIG, 1, 2]); // predefined: MP4
    });
}
