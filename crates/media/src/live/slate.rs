//! What stands in for an encoder that is away: a short loop of pictures and one of silence, unit
//! by unit, and what such a loop is made of. `stand_in` puts it on air.

use bytes::Bytes;
use thiserror::Error;

use crate::{
    fmp4::read::{self, InvalidFmp4},
    unit::{Media, TIMESCALE, Timestamp, TrackConfig, TrackKind, Unit},
};

/// Shortest and longest loop, in ticks. One that begins again within a segment's length has an IDR
/// picture where a segment is due.
const SHORTEST: i64 = TIMESCALE as i64;
const LONGEST: i64 = 4 * TIMESCALE as i64;

/// Most units of a track's loop: 4 s of 240 pictures a second.
const MOST_UNITS: usize = 960;

/// Most bytes of a loop.
const MOST_BYTES: usize = 16 << 20;

/// Most bytes that are kept of the encoder's newest group of pictures. Of a larger one the
/// beginning is kept, so that the slate shows an earlier picture.
const GROUP_BYTES: usize = 8 << 20;

/// One track of a [`SlateLoop`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopTrack {
    /// How it is coded.
    pub config: TrackConfig,
    /// In decode order, with decode times from 0 on. The first one is a keyframe.
    pub units: Vec<Unit>,
    /// When the first unit comes again.
    pub length: Timestamp,
}

/// Pictures, silence, or both, to be shown again and again. Each track repeats on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlateLoop(Vec<LoopTrack>);

/// Why something can't be shown again and again.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidLoop {
    /// There is nothing to show.
    #[error("the loop has no track")]
    Empty,
    /// There may be one track of each kind.
    #[error("the loop has two tracks of {0:?}")]
    Twice(TrackKind),
    /// It would come too often, or too seldom for a segment to begin with it.
    #[error("the loop lasts {} ms, not 1 to 4 s", .0.0 / 90)]
    Length(Timestamp),
    /// Decoding can't begin with it.
    #[error("the loop of {0:?} does not begin with a keyframe")]
    Keyframe(TrackKind),
    /// Decode times begin at 0, rise, and stay below the length; pictures are shown after they are
    /// decoded.
    #[error("a unit of the loop has the time {} ms, which does not fit", .0.0 / 90)]
    Time(Timestamp),
    /// A unit or a configuration of another kind is among them.
    #[error("a unit of another kind is in the loop of {0:?}")]
    Kind(TrackKind),
    /// It would fill the memory.
    #[error("the loop has {units} units of {bytes} bytes")]
    TooLarge {
        /// Of one track.
        units: usize,
        /// Of one track.
        bytes: usize,
    },
}

impl SlateLoop {
    /// Checks that it can be shown again and again.
    ///
    /// # Errors
    /// [`InvalidLoop`].
    pub fn new(tracks: Vec<LoopTrack>) -> Result<Self, InvalidLoop> {
        if tracks.is_empty() {
            return Err(InvalidLoop::Empty);
        }
        for (i, track) in tracks.iter().enumerate() {
            let kind = track.config.kind();
            if tracks[..i].iter().any(|other| other.config.kind() == kind) {
                return Err(InvalidLoop::Twice(kind));
            }
            track.check()?;
        }
        Ok(Self(tracks))
    }

    pub(super) fn config(&self, kind: TrackKind) -> Option<&TrackConfig> {
        let mut configs = self.0.iter().map(|track| &track.config);
        configs.find(|config| config.kind() == kind)
    }
}

impl LoopTrack {
    fn check(&self) -> Result<(), InvalidLoop> {
        let kind = self.config.kind();
        if !(SHORTEST..=LONGEST).contains(&self.length.0) {
            return Err(InvalidLoop::Length(self.length));
        }
        if !self.units.first().is_some_and(|first| first.keyframe) {
            return Err(InvalidLoop::Keyframe(kind));
        }
        let bytes = self.units.iter().map(|unit| unit.data.len()).sum();
        if self.units.len() > MOST_UNITS || bytes > MOST_BYTES {
            let units = self.units.len();
            return Err(InvalidLoop::TooLarge { units, bytes });
        }
        let mut least = 0;
        for unit in &self.units {
            if unit.kind != kind {
                return Err(InvalidLoop::Kind(kind));
            }
            let shown = unit.dts.0..=unit.dts.0.saturating_add(LONGEST);
            if !(least..self.length.0).contains(&unit.dts.0) || !shown.contains(&unit.pts.0) {
                return Err(InvalidLoop::Time(unit.dts));
            }
            least = unit.dts.0 + 1;
        }
        Ok(())
    }
}

/// A loop that is being shown. Times are those of a loop that never ends, from 0 on.
#[derive(Debug)]
pub(super) struct Player {
    slate: SlateLoop,
    /// Of each track.
    heads: Vec<Head>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Head {
    next: usize,
    /// When the present round began.
    round: i64,
}

impl Player {
    pub(super) fn new(slate: SlateLoop) -> Self {
        let heads = vec![Head::default(); slate.0.len()];
        Self { slate, heads }
    }

    /// The configurations, pictures first.
    pub(super) fn configs(&self) -> [Option<&TrackConfig>; 2] {
        [TrackKind::Video, TrackKind::Audio].map(|kind| self.slate.config(kind))
    }

    /// How much later than decoded the first picture is shown, in ticks.
    pub(super) fn composition(&self) -> i64 {
        let video = |track: &&LoopTrack| track.config.kind() == TrackKind::Video;
        let first = self
            .slate
            .0
            .iter()
            .find(video)
            .and_then(|t| t.units.first());
        first.map_or(0, |unit| unit.pts.0 - unit.dts.0)
    }

    /// When the next unit is decoded.
    pub(super) fn next_due(&self) -> i64 {
        self.due().map_or(i64::MAX, |(due, _)| due)
    }

    /// The next unit, if it is decoded at `until` or before.
    pub(super) fn take_due(&mut self, until: i64) -> Option<Unit> {
        let (_, i) = self.due().filter(|(due, _)| *due <= until)?;
        let (track, head) = (&self.slate.0[i], &mut self.heads[i]);
        let mut unit = track.units.get(head.next)?.clone();
        unit.dts.0 += head.round;
        unit.pts.0 += head.round;
        head.next += 1;
        if head.next == track.units.len() {
            head.next = 0;
            head.round += track.length.0;
        }
        Some(unit)
    }

    /// Time and track of the next unit; of two at once the picture's.
    fn due(&self) -> Option<(i64, usize)> {
        let tracks = self.slate.0.iter().zip(&self.heads).enumerate();
        let due = tracks.map(|(i, (track, head))| {
            let sound = track.config.kind() == TrackKind::Audio;
            (head.round + track.units[head.next].dts.0, sound, i)
        });
        due.min().map(|(due, _, i)| (due, i))
    }
}

/// What a slate can be made of when only stored media is left: how the tracks are coded, of their
/// initialisation segments, and the pictures of a segment of video.
///
/// # Errors
/// If one of them can't be read.
pub fn of_stored(inits: &[Bytes], segment: &Bytes) -> Result<Vec<Media>, InvalidFmp4> {
    let mut media = Vec::new();
    for init in inits {
        let tracks = read::tracks(init)?.into_iter();
        media.extend(tracks.map(|track| Media::Config(track.config)));
    }
    for fragment in read::fragments(segment)? {
        let mut dts = i64::try_from(fragment.base_media_decode_time).unwrap_or(i64::MAX);
        for sample in fragment.samples {
            let pts = dts.saturating_add(sample.composition_offset.into());
            media.push(Media::Unit(Unit {
                kind: TrackKind::Video,
                dts: Timestamp(dts),
                pts: Timestamp(pts),
                keyframe: sample.keyframe,
                data: sample.data,
            }));
            dts = dts.saturating_add(sample.duration.into());
        }
    }
    Ok(media)
}

/// The encoder's newest group of pictures: what a slate is made of.
#[derive(Debug, Default)]
pub(super) struct LastGroup {
    video: Option<TrackConfig>,
    audio: Option<TrackConfig>,
    units: Vec<Unit>,
    bytes: usize,
}

impl LastGroup {
    /// Takes note of what the encoder sends.
    pub(super) fn take(&mut self, media: &Media) {
        match media {
            Media::Config(config) => match config.kind() {
                TrackKind::Video if self.video.as_ref() != Some(config) => {
                    self.video = Some(config.clone());
                    self.clear();
                }
                TrackKind::Video => {}
                TrackKind::Audio => self.audio = Some(config.clone()),
            },
            Media::Unit(unit) if unit.kind == TrackKind::Video => {
                if unit.keyframe {
                    self.clear();
                }
                let fits = self.bytes + unit.data.len() <= GROUP_BYTES;
                // What follows a picture that is left out can't be decoded.
                let follows = unit.keyframe || !self.units.is_empty();
                if fits && follows {
                    self.bytes += unit.data.len();
                    self.units.push(unit.clone());
                } else {
                    self.bytes = GROUP_BYTES;
                }
            }
            Media::Unit(_) => {}
        }
    }

    /// Another encoder begins, with tracks of its own.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// What was noted: configurations, then pictures.
    pub(super) fn media(&self) -> Vec<Media> {
        let configs = self.video.iter().chain(&self.audio).cloned();
        let units = self.units.iter().cloned().map(Media::Unit);
        configs.map(Media::Config).chain(units).collect()
    }

    /// Whether a slate can be made: who was only heard has none.
    pub(super) fn is_enough(&self) -> bool {
        self.video.is_some()
    }

    fn clear(&mut self) {
        self.units.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
#[path = "slate_tests.rs"]
mod tests;
