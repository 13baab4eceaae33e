//! A span as one file: video with its sound, beginning at 0. The same segments always give the
//! same bytes.

use std::cmp::Ordering;

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use weir_media::{
    fmp4::{self, InvalidRebase, read::InvalidFmp4},
    record::SegmentRecord,
    unit::{TrackConfig, TrackKind},
};

/// One rendition's share of a span.
#[derive(Clone, Debug)]
pub struct Share {
    /// Its initialisation segment.
    pub init: Bytes,
    /// Its segments in order, with their bytes.
    pub segments: Vec<(SegmentRecord, Bytes)>,
}

/// Why stored segments do not make a file.
#[derive(Debug, Error)]
pub enum MuxError {
    /// An initialisation segment can't be read back.
    #[error("initialisation segment: {0}")]
    Init(#[from] InvalidFmp4),
    /// An initialisation segment describes no track.
    #[error("the initialisation segment has no track")]
    NoTrack,
    /// A segment can't be moved to its time in the file.
    #[error("segment {msn}: {source}")]
    Segment {
        /// Which segment.
        msn: weir_model::Msn,
        /// Why.
        source: InvalidRebase,
    },
}

/// Joins `main` (video, or audio that is alone) and the `audio` that goes with it.
pub fn mux(main: Share, audio: Option<Share>) -> Result<Bytes, MuxError> {
    let main_config = config(&main.init)?;
    let audio = audio.filter(|_| main_config.kind() == TrackKind::Video);
    let audio_config = audio
        .as_ref()
        .map(|audio| config(&audio.init))
        .transpose()?;
    let init = match main_config.kind() {
        TrackKind::Video => fmp4::init_segment_muxed(&main_config, audio_config.as_ref()),
        TrackKind::Audio => main.init.clone(),
    };

    let shares: Vec<Share> = std::iter::once(main).chain(audio).collect();
    // The earliest track begins at 0 and the others keep their distance to it.
    let firsts = shares.iter().filter_map(|share| share.segments.first());
    let origin = firsts
        .map(|(record, _)| Instant::start_of(record))
        .min()
        .unwrap_or_default();

    let mut segments: Vec<(SegmentRecord, Bytes)> = shares
        .into_iter()
        .flat_map(|share| share.segments)
        .collect();
    // Stable: within one msn the video stays before its sound.
    segments.sort_by_key(|(record, _)| record.msn);
    let len = init.len() + segments.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    let mut file = BytesMut::with_capacity(len);
    file.extend_from_slice(&init);
    for (record, bytes) in segments {
        let from = file.len();
        file.extend_from_slice(&bytes);
        fmp4::rebase(&mut file[from..], origin.in_ticks_of(record.timescale)).map_err(
            |source| MuxError::Segment {
                msn: record.msn,
                source,
            },
        )?;
    }
    Ok(file.freeze())
}

/// A media time, exact in any timescale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instant {
    ticks: u64,
    timescale: u32,
}

impl Instant {
    fn start_of(record: &SegmentRecord) -> Self {
        Self {
            ticks: record.start,
            timescale: record.timescale.max(1),
        }
    }

    /// Rounded down, so that no track begins before 0.
    fn in_ticks_of(self, timescale: u32) -> u64 {
        let ticks = u128::from(self.ticks) * u128::from(timescale) / u128::from(self.timescale);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self {
            ticks: 0,
            timescale: 1,
        }
    }
}

impl Ord for Instant {
    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |a: Self, b: Self| u128::from(a.ticks) * u128::from(b.timescale);
        cross(*self, *other).cmp(&cross(*other, *self))
    }
}

impl PartialOrd for Instant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn config(init: &Bytes) -> Result<TrackConfig, MuxError> {
    let track = fmp4::read::tracks(init)?.into_iter().next();
    track.map(|track| track.config).ok_or(MuxError::NoTrack)
}
