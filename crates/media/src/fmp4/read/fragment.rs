//! Chunks and their samples.

use bytes::Bytes;

use super::{
    InvalidFmp4,
    boxes::{Fields, boxes, find},
};
use crate::fmp4::{
    Sample,
    fragment::{sample_flags, tfhd_flag, trun_flag},
};

/// One chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// `mfhd.sequence_number`.
    pub sequence: u32,
    /// Which track.
    pub track_id: u32,
    /// When the first sample is decoded, in the track's timescale.
    pub base_media_decode_time: u64,
    /// Its samples, in decode order.
    pub samples: Vec<Sample>,
}

impl Fragment {
    /// Sum of the samples' durations, in the track's timescale.
    pub fn duration(&self) -> u64 {
        self.samples
            .iter()
            .map(|sample| u64::from(sample.duration))
            .sum()
    }
}

/// The chunks of a part, segment or span, in its order. Other boxes between them (`ftyp`,
/// `moov`, `styp`, `sidx`, `prft`, `emsg`) are passed over.
///
/// # Errors
/// [`InvalidFmp4`] when boxes are broken, samples lie outside their chunk, or the chunk leans on
/// defaults of a `moov`.
pub fn fragments(data: &Bytes) -> Result<Vec<Fragment>, InvalidFmp4> {
    let mut fragments = Vec::new();
    let mut all = boxes(data);
    while let Some(found) = all.next() {
        let moof = found?;
        if moof.name != *b"moof" {
            continue;
        }
        let mdat = all.next().ok_or(InvalidFmp4::Missing(*b"mdat"))??;
        if mdat.name != *b"mdat" {
            return Err(InvalidFmp4::Missing(*b"mdat"));
        }
        let chunk = data.slice(moof.at..mdat.content_at() + mdat.content.len());
        let data_starts = mdat.content_at() - moof.at;
        fragments.push(fragment(&moof.content, &chunk, data_starts)?);
    }
    Ok(fragments)
}

fn fragment(moof: &Bytes, chunk: &Bytes, data_starts: usize) -> Result<Fragment, InvalidFmp4> {
    let mut mfhd = Fields::of(b"mfhd", find(moof, b"mfhd")?);
    mfhd.skip(4)?;
    let sequence = mfhd.u32()?;
    let traf = find(moof, b"traf")?;
    let header = TrackFragmentHeader::read(find(&traf, b"tfhd")?)?;
    let base_media_decode_time = decode_time(find(&traf, b"tfdt")?)?;
    let mut samples = Vec::new();
    let mut data_at = data_starts;
    for found in boxes(&traf) {
        let found = found?;
        if found.name == *b"trun" {
            read_run(found.content, &header, chunk, &mut data_at, &mut samples)?;
        }
    }
    Ok(Fragment {
        sequence,
        track_id: header.track_id,
        base_media_decode_time,
        samples,
    })
}

fn decode_time(tfdt: Bytes) -> Result<u64, InvalidFmp4> {
    let mut fields = Fields::of(b"tfdt", tfdt);
    let version = fields.u32()? >> 24;
    if version == 0 {
        fields.u32().map(u64::from)
    } else {
        fields.u64()
    }
}

struct TrackFragmentHeader {
    track_id: u32,
    duration: Option<u32>,
    size: Option<u32>,
    flags: Option<u32>,
}

impl TrackFragmentHeader {
    fn read(content: Bytes) -> Result<Self, InvalidFmp4> {
        let mut fields = Fields::of(b"tfhd", content);
        let version_flags = fields.u32()?;
        let has = |flag: u32| version_flags & flag != 0;
        if has(tfhd_flag::BASE_DATA_OFFSET) || !has(tfhd_flag::DEFAULT_BASE_IS_MOOF) {
            return Err(InvalidFmp4::Unsupported {
                name: *b"tfhd",
                version_flags,
            });
        }
        let track_id = fields.u32()?;
        if has(tfhd_flag::SAMPLE_DESCRIPTION_INDEX) {
            fields.skip(4)?;
        }
        let mut optional = |flag| has(flag).then(|| fields.u32()).transpose();
        Ok(Self {
            track_id,
            duration: optional(tfhd_flag::DEFAULT_SAMPLE_DURATION)?,
            size: optional(tfhd_flag::DEFAULT_SAMPLE_SIZE)?,
            flags: optional(tfhd_flag::DEFAULT_SAMPLE_FLAGS)?,
        })
    }
}

fn read_run(
    content: Bytes,
    header: &TrackFragmentHeader,
    chunk: &Bytes,
    data_at: &mut usize,
    samples: &mut Vec<Sample>,
) -> Result<(), InvalidFmp4> {
    let mut fields = Fields::of(b"trun", content);
    let version_flags = fields.u32()?;
    let has = |flag: u32| version_flags & flag != 0;
    let count = fields.u32()?;
    if has(trun_flag::DATA_OFFSET) {
        let offset = fields.i32()?;
        *data_at = usize::try_from(offset).map_err(|_| InvalidFmp4::Unsupported {
            name: *b"trun",
            version_flags,
        })?;
    }
    let first_flags = has(trun_flag::FIRST_SAMPLE_FLAGS)
        .then(|| fields.u32())
        .transpose()?;
    let per_sample = [
        trun_flag::SAMPLE_DURATION,
        trun_flag::SAMPLE_SIZE,
        trun_flag::SAMPLE_FLAGS,
        trun_flag::COMPOSITION_OFFSET,
    ];
    let entry_len = 4 * per_sample.into_iter().filter(|&flag| has(flag)).count();
    // A run whose samples are all alike has no entries, and several runs may share data: a byte
    // of the chunk for every sample bounds them all.
    let described = fields.left().checked_div(entry_len).unwrap_or(chunk.len());
    let fits = described.min(chunk.len().saturating_sub(samples.len()));
    if count as usize > fits {
        return Err(InvalidFmp4::SampleCount(count));
    }
    samples.reserve(count as usize);
    for index in 0..count {
        let mut own = |flag| has(flag).then(|| fields.u32()).transpose();
        let duration = own(trun_flag::SAMPLE_DURATION)?.or(header.duration);
        let size = own(trun_flag::SAMPLE_SIZE)?.or(header.size);
        let own_flags = own(trun_flag::SAMPLE_FLAGS)?;
        let offset = own(trun_flag::COMPOSITION_OFFSET)?.unwrap_or(0);
        let first = first_flags.filter(|_| index == 0);
        let flags = first.or(own_flags).or(header.flags);
        let size = size.ok_or(InvalidFmp4::NoDefault("size"))?;
        let end = data_at
            .checked_add(size as usize)
            .filter(|&end| end <= chunk.len());
        let end = end.ok_or(InvalidFmp4::SampleData { index, size })?;
        let flags = flags.ok_or(InvalidFmp4::NoDefault("flags"))?;
        samples.push(Sample {
            duration: duration.ok_or(InvalidFmp4::NoDefault("duration"))?,
            composition_offset: offset as i32,
            keyframe: flags & sample_flags::NON_SYNC == 0,
            data: chunk.slice(*data_at..end),
        });
        *data_at = end;
    }
    Ok(())
}
