//! Tracks of an initialisation segment.

use bytes::{Buf, Bytes};

use super::{
    InvalidFmp4,
    boxes::{BoxRef, Fields, boxes, find},
};
use crate::{
    codec::{AacConfig, Av1Config, AvcConfig, HevcConfig, OpusConfig, Vp9Config},
    unit::TrackConfig,
};

/// One track as `moov` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Its id, as chunks name it.
    pub track_id: u32,
    /// Ticks per second of its times.
    pub timescale: u32,
    /// How it is coded.
    pub config: TrackConfig,
}

/// The tracks of an initialisation segment, in its order.
///
/// # Errors
/// [`InvalidFmp4`] when the boxes are broken or a track's coding is not supported.
pub fn tracks(init: &Bytes) -> Result<Vec<Track>, InvalidFmp4> {
    let moov = find(init, b"moov")?;
    let mut tracks = Vec::new();
    for found in boxes(&moov) {
        let found = found?;
        if found.name == *b"trak" {
            tracks.push(track(&found.content)?);
        }
    }
    Ok(tracks)
}

fn track(trak: &Bytes) -> Result<Track, InvalidFmp4> {
    let mdia = find(trak, b"mdia")?;
    let stbl = find(&find(&mdia, b"minf")?, b"stbl")?;
    let mut stsd = Fields::of(b"stsd", find(&stbl, b"stsd")?);
    stsd.skip(8)?; // version, flags, entry_count
    let entry = boxes(&stsd.rest())
        .next()
        .ok_or(InvalidFmp4::Missing(*b"stsd"))??;
    let config = match &entry.name {
        b"avc1" => TrackConfig::Avc(AvcConfig::parse(visual(&entry)?.find(b"avcC")?)?),
        b"hvc1" => TrackConfig::Hevc(HevcConfig::parse(visual(&entry)?.find(b"hvcC")?)?),
        b"av01" => TrackConfig::Av1(Av1Config::parse(visual(&entry)?.find(b"av1C")?)?),
        b"vp09" => TrackConfig::Vp9(vp09(&entry)?),
        b"mp4a" => TrackConfig::Aac(mp4a(&entry)?),
        b"Opus" => TrackConfig::Opus(opus(&entry)?),
        other => return Err(InvalidFmp4::SampleEntry(*other)),
    };
    Ok(Track {
        track_id: after_times(b"tkhd", find(trak, b"tkhd")?)?,
        timescale: after_times(b"mdhd", find(&mdia, b"mdhd")?)?,
        config,
    })
}

/// The field behind creation and modification time, which are 32 or 64 bits wide by version.
fn after_times(name: &[u8; 4], content: Bytes) -> Result<u32, InvalidFmp4> {
    let mut fields = Fields::of(name, content);
    let version = fields.u32()? >> 24;
    fields.skip(if version == 0 { 8 } else { 16 })?;
    fields.u32()
}

/// What a VisualSampleEntry tells.
struct Visual {
    width: u32,
    height: u32,
    boxes: Bytes,
}

impl Visual {
    fn find(&self, name: &[u8; 4]) -> Result<Bytes, InvalidFmp4> {
        find(&self.boxes, name)
    }
}

fn visual(entry: &BoxRef) -> Result<Visual, InvalidFmp4> {
    let mut fields = Fields::of(&entry.name, entry.content.clone());
    fields.skip(24)?; // up to the size
    let size = fields.u32()?;
    fields.skip(50)?; // from the resolution to pre_defined
    Ok(Visual {
        width: size >> 16,
        height: size & 0xffff,
        boxes: fields.rest(),
    })
}

fn vp09(entry: &BoxRef) -> Result<Vp9Config, InvalidFmp4> {
    let visual = visual(entry)?;
    let mut vpcc = Fields::of(b"vpcC", visual.find(b"vpcC")?);
    vpcc.skip(4)?; // version, flags
    Ok(Vp9Config::parse(vpcc.rest(), visual.width, visual.height)?)
}

/// The boxes of an AudioSampleEntry.
fn audio(entry: &BoxRef) -> Result<Bytes, InvalidFmp4> {
    let mut fields = Fields::of(&entry.name, entry.content.clone());
    fields.skip(28)?;
    Ok(fields.rest())
}

fn opus(entry: &BoxRef) -> Result<OpusConfig, InvalidFmp4> {
    let content = find(&audio(entry)?, b"dOps")?;
    Ok(OpusConfig::from_specific_box(&content)?)
}

fn mp4a(entry: &BoxRef) -> Result<AacConfig, InvalidFmp4> {
    let mut esds = Fields::of(b"esds", find(&audio(entry)?, b"esds")?);
    esds.skip(4)?; // version, flags
    let asc = audio_specific_config(esds.rest()).ok_or(InvalidFmp4::Truncated(*b"esds"))?;
    Ok(AacConfig::parse(asc)?)
}

/// Descends ES_Descriptor, DecoderConfigDescriptor, DecoderSpecificInfo (ISO/IEC 14496-1 section
/// 7.2.6).
fn audio_specific_config(descriptors: Bytes) -> Option<Bytes> {
    let mut es = descriptor(descriptors, 3)?;
    const ES_FIELDS: usize = 3;
    es = es.slice(ES_FIELDS.min(es.len())..);
    let decoder_config = descriptor(es, 4)?;
    const DECODER_CONFIG_FIELDS: usize = 13;
    let info = decoder_config.slice(DECODER_CONFIG_FIELDS.min(decoder_config.len())..);
    descriptor(info, 5)
}

/// The content of a descriptor with that tag at the start of `data`.
fn descriptor(mut data: Bytes, tag: u8) -> Option<Bytes> {
    if data.try_get_u8().ok()? != tag {
        return None;
    }
    let mut len = 0usize;
    for _ in 0..4 {
        let byte = data.try_get_u8().ok()?;
        len = len << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    (len <= data.len()).then(|| data.slice(..len))
}
