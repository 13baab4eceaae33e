//! Chunks: a `moof` and its `mdat`.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{put_box, put_full_box};

/// One access unit on its way into, or out of, a chunk. Times are in the track's timescale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Until the next sample is decoded.
    pub duration: u32,
    /// From decoding to showing.
    pub composition_offset: i32,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// The coded bytes.
    pub data: Bytes,
}

/// `tf_flags` of section 8.8.7.
pub(super) mod tfhd_flag {
    pub(in crate::fmp4) const BASE_DATA_OFFSET: u32 = 0x1;
    pub(in crate::fmp4) const SAMPLE_DESCRIPTION_INDEX: u32 = 0x2;
    pub(in crate::fmp4) const DEFAULT_SAMPLE_DURATION: u32 = 0x8;
    pub(in crate::fmp4) const DEFAULT_SAMPLE_SIZE: u32 = 0x10;
    pub(in crate::fmp4) const DEFAULT_SAMPLE_FLAGS: u32 = 0x20;
    pub(in crate::fmp4) const DEFAULT_BASE_IS_MOOF: u32 = 0x2_0000;
}

/// `tr_flags` of section 8.8.8.
pub(super) mod trun_flag {
    pub(in crate::fmp4) const DATA_OFFSET: u32 = 0x1;
    pub(in crate::fmp4) const FIRST_SAMPLE_FLAGS: u32 = 0x4;
    pub(in crate::fmp4) const SAMPLE_DURATION: u32 = 0x100;
    pub(in crate::fmp4) const SAMPLE_SIZE: u32 = 0x200;
    pub(in crate::fmp4) const SAMPLE_FLAGS: u32 = 0x400;
    pub(in crate::fmp4) const COMPOSITION_OFFSET: u32 = 0x800;
}

/// Sample flags of section 8.8.3.1.
pub(super) mod sample_flags {
    /// sample_is_non_sync_sample.
    pub(in crate::fmp4) const NON_SYNC: u32 = 0x1_0000;
    /// Depends on no other sample.
    pub(super) const SYNC_SAMPLE: u32 = 0x200_0000;
    /// Depends on others, and is no place to start.
    pub(super) const DEPENDENT_SAMPLE: u32 = 0x100_0000 | NON_SYNC;
}

impl Sample {
    fn flags(&self) -> u32 {
        if self.keyframe {
            sample_flags::SYNC_SAMPLE
        } else {
            sample_flags::DEPENDENT_SAMPLE
        }
    }
}

/// One CMAF chunk of consecutive samples of one track.
///
/// `sequence` rises by one from chunk to chunk; `base_media_decode_time` is the first sample's
/// decode time in the track's timescale. What all samples share is written once, so that a
/// chunk of 200 ms of AAC costs about 150 bytes beside its samples.
pub fn chunk(
    sequence: u32,
    track_id: u32,
    base_media_decode_time: u64,
    samples: &[Sample],
) -> Bytes {
    let layout = Layout::of(samples);
    let payload: usize = samples.iter().map(|sample| sample.data.len()).sum();
    let mut out = BytesMut::with_capacity(payload + 128 + 16 * samples.len());
    let mut data_offset_at = 0;
    put_box(&mut out, b"moof", |out| {
        put_full_box(out, b"mfhd", 0, 0, |out| out.put_u32(sequence));
        put_box(out, b"traf", |out| {
            layout.put_track_fragment_header(out, track_id);
            put_full_box(out, b"tfdt", 1, 0, |out| {
                out.put_u64(base_media_decode_time)
            });
            data_offset_at = layout.put_track_run(out, samples);
        });
    });
    const MDAT_HEADER: usize = 8;
    let data_offset = (out.len() + MDAT_HEADER) as u32;
    out[data_offset_at..data_offset_at + 4].copy_from_slice(&data_offset.to_be_bytes());
    put_box(&mut out, b"mdat", |out| {
        samples
            .iter()
            .for_each(|sample| out.put_slice(&sample.data));
    });
    out.freeze()
}

/// What is written once and what for each sample.
struct Layout {
    duration: Option<u32>,
    size: Option<u32>,
    flags: SharedFlags,
    composition_offsets: bool,
}

enum SharedFlags {
    All(u32),
    AllButFirst(u32),
    None,
}

impl Layout {
    fn of(samples: &[Sample]) -> Self {
        let flags = match samples {
            [] => SharedFlags::All(sample_flags::SYNC_SAMPLE),
            [first, rest @ ..] => match shared(rest, Sample::flags) {
                None if rest.is_empty() => SharedFlags::All(first.flags()),
                None => SharedFlags::None,
                Some(flags) if flags == first.flags() => SharedFlags::All(flags),
                Some(flags) => SharedFlags::AllButFirst(flags),
            },
        };
        Self {
            duration: shared(samples, |sample| sample.duration),
            size: shared(samples, |sample| sample.data.len() as u32),
            flags,
            composition_offsets: samples.iter().any(|sample| sample.composition_offset != 0),
        }
    }

    fn put_track_fragment_header(&self, out: &mut BytesMut, track_id: u32) {
        let default_flags = match self.flags {
            SharedFlags::All(flags) | SharedFlags::AllButFirst(flags) => Some(flags),
            SharedFlags::None => None,
        };
        let flags = tfhd_flag::DEFAULT_BASE_IS_MOOF
            | flag_if(self.duration.is_some(), tfhd_flag::DEFAULT_SAMPLE_DURATION)
            | flag_if(self.size.is_some(), tfhd_flag::DEFAULT_SAMPLE_SIZE)
            | flag_if(default_flags.is_some(), tfhd_flag::DEFAULT_SAMPLE_FLAGS);
        put_full_box(out, b"tfhd", 0, flags, |out| {
            out.put_u32(track_id);
            for value in [self.duration, self.size, default_flags]
                .into_iter()
                .flatten()
            {
                out.put_u32(value);
            }
        });
    }

    /// Answers where the data offset stands, to be written when it is known.
    fn put_track_run(&self, out: &mut BytesMut, samples: &[Sample]) -> usize {
        let first_differs = matches!(self.flags, SharedFlags::AllButFirst(_));
        let each_has_flags = matches!(self.flags, SharedFlags::None);
        let flags = trun_flag::DATA_OFFSET
            | flag_if(first_differs, trun_flag::FIRST_SAMPLE_FLAGS)
            | flag_if(self.duration.is_none(), trun_flag::SAMPLE_DURATION)
            | flag_if(self.size.is_none(), trun_flag::SAMPLE_SIZE)
            | flag_if(each_has_flags, trun_flag::SAMPLE_FLAGS)
            | flag_if(self.composition_offsets, trun_flag::COMPOSITION_OFFSET);
        let mut data_offset_at = 0;
        // Version 1: composition offsets are signed.
        put_full_box(out, b"trun", 1, flags, |out| {
            out.put_u32(samples.len() as u32);
            data_offset_at = out.len();
            out.put_u32(0);
            if let (true, Some(first)) = (first_differs, samples.first()) {
                out.put_u32(first.flags());
            }
            for sample in samples {
                if self.duration.is_none() {
                    out.put_u32(sample.duration);
                }
                if self.size.is_none() {
                    out.put_u32(sample.data.len() as u32);
                }
                if each_has_flags {
                    out.put_u32(sample.flags());
                }
                if self.composition_offsets {
                    out.put_i32(sample.composition_offset);
                }
            }
        });
        data_offset_at
    }
}

fn flag_if(set: bool, flag: u32) -> u32 {
    if set { flag } else { 0 }
}

/// The value that all samples have, if they do.
fn shared(samples: &[Sample], value: impl Fn(&Sample) -> u32) -> Option<u32> {
    let (first, rest) = samples.split_first()?;
    let first = value(first);
    rest.iter()
        .all(|sample| value(sample) == first)
        .then_some(first)
}
