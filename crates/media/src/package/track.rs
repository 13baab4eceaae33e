//! One track's units to its parts.

use bytes::Bytes;

use super::part_target::{PartRule, PartTarget};
use crate::{
    fmp4::{self, Sample},
    unit::{TIMESCALE, TrackConfig, TrackKind, Unit},
};

/// Audio time is counted in samples; it is set anew when it is further than this from the
/// encoder's clock, in milliseconds.
const AUDIO_TOLERANCE_MS: u64 = 50;

/// Audio missing for longer than this, in milliseconds, leaves a hole; less lengthens a frame.
const AUDIO_STRETCH_MS: u64 = 200;

/// Duration of a picture that nothing is known of, in ticks: 1/30 s.
const PICTURE: u64 = TIMESCALE as u64 / 30;

/// One part: a CMAF chunk. Times are in ticks of the track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The chunk.
    pub bytes: Bytes,
    /// Decode time of its first unit.
    pub start: u64,
    /// Composition offset of its first unit.
    pub composition_offset: u32,
    /// Sum of its units' durations.
    pub duration: u32,
    /// How many units it holds.
    pub units: u32,
    /// From the chunk's first byte to the end of its first unit, in bytes.
    pub first_unit_end: u32,
    /// Decoding can start within it.
    pub independent: bool,
    /// Decoding can start with its first unit.
    pub starts_independent: bool,
    /// The source's timing did not let it keep the part rules.
    pub irregular: bool,
}

/// Makes the parts of one track. A part is given out when the unit after it has come: only then is
/// its last unit's duration known, and only then is the part after it sure to come.
#[derive(Clone, Debug)]
pub struct TrackPackager {
    config: TrackConfig,
    kind: TrackKind,
    track_id: u32,
    timescale: u32,
    sequence: u32,
    rule: Option<PartRule>,
    /// The newest unit, whose duration is not known.
    pending: Option<Pending>,
    last_duration: u64,
    /// Decode times of video start here: after the newest.
    least: u64,
    open: Open,
    audio: AudioClock,
}

#[derive(Clone, Debug)]
struct Pending {
    decode: u64,
    composition_offset: u32,
    keyframe: bool,
    /// How long it lasts if nothing else is known, in ticks.
    length: u64,
    data: Bytes,
}

/// The part that grows.
#[derive(Clone, Debug, Default)]
struct Open {
    start: u64,
    length: u64,
    samples: Vec<Sample>,
}

impl TrackPackager {
    /// A packager for a track coded as `config`. Until `target` is known nothing is given out.
    pub fn new(config: &TrackConfig, target: Option<PartTarget>) -> Self {
        let kind = config.kind();
        let timescale = fmp4::timescale(config).max(1);
        Self {
            config: config.clone(),
            kind,
            track_id: match kind {
                TrackKind::Video => fmp4::VIDEO_TRACK,
                TrackKind::Audio => fmp4::AUDIO_TRACK,
            },
            timescale,
            sequence: 0,
            rule: target.map(|target| target.rule(timescale)),
            pending: None,
            last_duration: PICTURE,
            least: 0,
            open: Open::default(),
            audio: AudioClock {
                timescale: timescale.into(),
                ..AudioClock::default()
            },
        }
    }

    /// Ticks per second.
    pub fn timescale(&self) -> u32 {
        self.timescale
    }

    /// How often the audio clock was set anew.
    pub fn resyncs(&self) -> u64 {
        self.audio.resyncs
    }

    /// The part target is known: what has gathered is given out.
    pub fn set_target(&mut self, target: PartTarget) -> Vec<Part> {
        self.rule = Some(target.rule(self.timescale));
        let mut parts = Vec::new();
        let gathered = std::mem::take(&mut self.open);
        let mut decode = gathered.start;
        for sample in gathered.samples {
            let duration = u64::from(sample.duration);
            self.settle(decode, sample, &mut parts);
            decode += duration;
        }
        parts
    }

    /// Takes the next unit of the segment, in media time and decode order. Answers the parts that
    /// it completes, rarely more than one, or `None` if there is no time left for it: audio that is
    /// one frame too many, video that goes back.
    pub fn push(&mut self, unit: Unit) -> Option<Vec<Part>> {
        let samples = self.config.audio_samples(&unit.data).map(u64::from);
        let decode = self.decode_time(&unit, samples.unwrap_or_default())?;
        let mut parts = Vec::new();
        if let Some(pending) = self.pending.take() {
            let duration = decode.saturating_sub(pending.decode);
            let longest = AUDIO_STRETCH_MS * u64::from(self.timescale) / 1000;
            if self.kind == TrackKind::Audio && duration > longest {
                let length = pending.length;
                self.settle_pending(pending, length, &mut parts);
                self.flush(false, &mut parts);
            } else {
                self.settle_pending(pending, duration, &mut parts);
            }
        }
        self.pending = Some(Pending {
            decode,
            composition_offset: composition_offset(&unit),
            keyframe: unit.keyframe,
            length: samples.unwrap_or(self.last_duration),
            data: unit.data,
        });
        Some(parts)
    }

    /// The segment ends. Its last unit lasts until `next`, the decode time in ticks of the unit
    /// that follows, or as long as the one before it; but not past `limit`.
    pub fn finish(&mut self, next: Option<u64>, limit: u64) -> Vec<Part> {
        let mut parts = Vec::new();
        if let Some(pending) = self.pending.take() {
            let decode = pending.decode;
            let duration = match (self.kind, next) {
                (TrackKind::Video, Some(next)) => next.saturating_sub(decode),
                _ => pending.length,
            };
            let duration = match self.kind {
                TrackKind::Video => duration.min(limit.saturating_sub(decode)).max(1),
                // Frames of audio have their length, whatever the pictures do.
                TrackKind::Audio => duration,
            };
            self.settle_pending(pending, duration, &mut parts);
        }
        self.flush(true, &mut parts);
        parts
    }

    /// Forgets the units that are in no part yet, and answers how many.
    pub fn abandon(&mut self) -> u64 {
        let gathered = std::mem::take(&mut self.open).samples.len();
        gathered as u64 + u64::from(self.pending.take().is_some())
    }

    /// The units that follow belong to another run of the encoder: their distance is no error.
    pub fn rejoin(&mut self) {
        self.audio.rejoin = true;
    }

    /// `samples` are those in a unit of audio.
    fn decode_time(&mut self, unit: &Unit, samples: u64) -> Option<u64> {
        match self.kind {
            TrackKind::Video => {
                let decode = u64::try_from(unit.dts.0)
                    .ok()
                    .filter(|&at| at >= self.least)?;
                self.least = decode + 1;
                Some(decode)
            }
            TrackKind::Audio => {
                let pts = u64::try_from(unit.pts.0).unwrap_or(0);
                self.audio.place(pts, samples)
            }
        }
    }

    fn settle_pending(&mut self, pending: Pending, duration: u64, parts: &mut Vec<Part>) {
        let Pending {
            decode,
            composition_offset,
            keyframe,
            data,
            ..
        } = pending;
        let sample = Sample {
            duration: u32::try_from(duration).unwrap_or(u32::MAX),
            composition_offset: i32::try_from(composition_offset).unwrap_or(i32::MAX),
            keyframe,
            data,
        };
        self.last_duration = duration;
        self.settle(decode, sample, parts);
    }

    fn settle(&mut self, decode: u64, sample: Sample, parts: &mut Vec<Part>) {
        let duration = u64::from(sample.duration);
        if self
            .rule
            .is_some_and(|rule| rule.overflows(self.open.length, duration))
        {
            self.flush(false, parts);
        }
        if self.open.samples.is_empty() {
            self.open.start = decode;
        }
        self.open.samples.push(sample);
        self.open.length += duration;
        if self
            .rule
            .is_some_and(|rule| rule.is_full(self.open.length, duration))
        {
            self.flush(false, parts);
        }
    }

    fn flush(&mut self, last_of_segment: bool, parts: &mut Vec<Part>) {
        let Open {
            start,
            length,
            samples,
        } = std::mem::take(&mut self.open);
        let Some(first) = samples.first() else { return };
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = fmp4::chunk(self.sequence, self.track_id, start, &samples);
        let later: usize = samples[1..].iter().map(|sample| sample.data.len()).sum();
        parts.push(Part {
            first_unit_end: (bytes.len() - later) as u32,
            bytes,
            start,
            composition_offset: u32::try_from(first.composition_offset).unwrap_or(0),
            duration: u32::try_from(length).unwrap_or(u32::MAX),
            units: samples.len() as u32,
            independent: samples.iter().any(|sample| sample.keyframe),
            starts_independent: first.keyframe,
            irregular: self
                .rule
                .is_some_and(|rule| !rule.allows(length, last_of_segment)),
        });
    }
}

fn composition_offset(unit: &Unit) -> u32 {
    u32::try_from(unit.pts.0.saturating_sub(unit.dts.0)).unwrap_or(0)
}

/// Counts audio time in samples, so that the encoder's millisecond clock stays out of it.
#[derive(Clone, Debug, Default)]
struct AudioClock {
    timescale: u64,
    next: Option<u64>,
    /// Frames are being left out until the clocks meet.
    ahead: bool,
    rejoin: bool,
    resyncs: u64,
}

impl AudioClock {
    /// Decode time in samples of a frame of `frame` samples shown at `pts` (1/90,000 s); `None` if
    /// the frame is one too many.
    fn place(&mut self, pts: u64, frame: u64) -> Option<u64> {
        let told = (u128::from(pts) * u128::from(self.timescale) / u128::from(TIMESCALE)) as u64;
        let counted = self.next.unwrap_or(told);
        let tolerance = self.timescale * AUDIO_TOLERANCE_MS / 1000;
        let rejoined = std::mem::take(&mut self.rejoin);
        let decode = if told > counted + tolerance {
            self.resyncs += u64::from(!rejoined);
            told
        } else if told + tolerance < counted || self.ahead && told + frame / 2 < counted {
            self.resyncs += u64::from(!self.ahead && !rejoined);
            self.ahead = true;
            return None;
        } else {
            counted
        };
        self.ahead = false;
        self.next = Some(decode + frame);
        Some(decode)
    }
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
