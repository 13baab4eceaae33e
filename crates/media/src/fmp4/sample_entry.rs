//! Sample entries: `avc1` (ISO/IEC 14496-15) and `mp4a` (ISO/IEC 14496-14).

use bytes::{BufMut, BytesMut};

use super::boxes::{put_box, put_full_box};
use crate::{
    codec::{AacConfig, AvcConfig},
    unit::TrackConfig,
};

pub(super) fn put_sample_entry(out: &mut BytesMut, config: &TrackConfig) {
    match config {
        TrackConfig::Avc(avc) => put_avc1(out, avc),
        TrackConfig::Aac(aac) => put_mp4a(out, aac),
    }
}

/// The fields of every SampleEntry.
fn put_sample_entry_start(out: &mut BytesMut) {
    out.put_bytes(0, 6); // reserved
    out.put_u16(1); // data_reference_index
}

fn put_avc1(out: &mut BytesMut, avc: &AvcConfig) {
    put_box(out, b"avc1", |out| {
        put_sample_entry_start(out);
        out.put_bytes(0, 16); // pre_defined and reserved
        // The parser of the sequence parameter set bounds both far below 65,536.
        out.put_u16(avc.width as u16);
        out.put_u16(avc.height as u16);
        out.put_u32(0x48_0000); // horizresolution 72 dpi
        out.put_u32(0x48_0000); // vertresolution
        out.put_u32(0); // reserved
        out.put_u16(1); // frame_count
        out.put_bytes(0, 32); // compressorname
        out.put_u16(0x18); // depth
        out.put_i16(-1); // pre_defined
        put_box(out, b"avcC", |out| out.put_slice(&avc.record));
        if let Some(colour) = avc.colour {
            put_box(out, b"colr", |out| {
                out.put_slice(b"nclx");
                out.put_u16(u16::from(colour.primaries));
                out.put_u16(u16::from(colour.transfer));
                out.put_u16(u16::from(colour.matrix));
                out.put_u8(u8::from(colour.full_range) << 7);
            });
        }
        if let Some(aspect) = avc.pixel_aspect {
            put_box(out, b"pasp", |out| {
                out.put_u32(u32::from(aspect.horizontal));
                out.put_u32(u32::from(aspect.vertical));
            });
        }
    });
}

fn put_mp4a(out: &mut BytesMut, aac: &AacConfig) {
    put_box(out, b"mp4a", |out| {
        put_sample_entry_start(out);
        out.put_bytes(0, 8); // reserved
        out.put_u16(u16::from(aac.channels));
        out.put_u16(16); // samplesize
        out.put_u32(0); // pre_defined and reserved
        // 16.16 fixed point; zero says to look into the AudioSpecificConfig.
        out.put_u32(u16::try_from(aac.sample_rate).map_or(0, |rate| u32::from(rate) << 16));
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
