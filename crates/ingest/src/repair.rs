//! The door: whatever an encoder does with its timestamps, what goes on inside is continuous.
//!
//! - Times are unwrapped: RTMP has milliseconds of 32 bits, MPEG-TS 1/90,000 s of 33 bits.
//! - A step that the wall clock does not bear out, forward by more than [`MAX_STEP`] or backward by
//!   more than [`MAX_SETBACK`], is taken out: the stream goes on where it was. When the other
//!   track makes the same step, it is moved by the same amount, so that sound stays with picture.
//! - A gap that the wall clock bears out stays a gap.
//! - Decoding times within a track rise by at least one tick.
//! - Frames before their track's configuration, and video before its first IDR, are dropped.
//!
//! Each repair is counted in [`Repairs`].

use std::{
    ops::Add,
    time::{Duration, Instant},
};

use bytes::Bytes;
use weir_media::{
    track::TrackIndex,
    unit::{Media, Timestamp, TrackConfig, TrackKind, Unit},
};

use crate::flv::Frame;

/// Largest step forward, beyond the time that passed, that is believed.
pub const MAX_STEP: Duration = Duration::from_secs(3);
/// Largest step backward that is taken for jitter.
pub const MAX_SETBACK: Duration = Duration::from_millis(500);
/// Largest difference between presentation and decoding that is believed.
pub const MAX_COMPOSITION: Duration = Duration::from_secs(5);

/// Longest pause between frames that is borne out by the wall clock.
const MAX_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
/// Distance to the next frame that is assumed where none was seen.
const DEFAULT_INTERVAL: i64 = 33 * TICKS_PER_MS;
/// A distance larger than this is a pause, not a frame rate.
const MAX_INTERVAL: i64 = 200 * TICKS_PER_MS;
const TICKS_PER_MS: i64 = Timestamp::from_ms(1).0;

/// How often each repair was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// The encoder's clock wrapped.
    pub wraps: u64,
    /// A step forward was taken out.
    pub forward_jumps: u64,
    /// A step backward was taken out.
    pub backward_jumps: u64,
    /// A decoding time did not rise and was raised.
    pub raised: u64,
    /// A presentation time before its decoding time, or far after it, was set to it.
    pub composition: u64,
    /// A frame came before its track's configuration and was dropped.
    pub before_config: u64,
    /// A video frame came before the first IDR and was dropped.
    pub before_keyframe: u64,
    /// A track was refused: one too many, malformed, or coded in a way that is not taken.
    pub tracks_refused: u64,
}

impl Add for Repairs {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            wraps: self.wraps + other.wraps,
            forward_jumps: self.forward_jumps + other.forward_jumps,
            backward_jumps: self.backward_jumps + other.backward_jumps,
            raised: self.raised + other.raised,
            composition: self.composition + other.composition,
            before_config: self.before_config + other.before_config,
            before_keyframe: self.before_keyframe + other.before_keyframe,
            tracks_refused: self.tracks_refused + other.tracks_refused,
        }
    }
}

/// Repairs one stream of up to eight tracks of video and as many of audio, which share a clock.
#[derive(Debug, Default)]
pub struct Repair {
    video: Tracks,
    audio: Tracks,
    repairs: Repairs,
    clock: Clock,
    /// When the last frame came.
    last_frame: Option<Instant>,
}

type Tracks = [Track; TrackIndex::COUNT];

#[derive(Debug, Default)]
struct Track {
    config: Option<TrackConfig>,
    /// A video track's frames are of use from an IDR on.
    started: bool,
    /// Added to the encoder's time. A hostile clock may run round 64 bits, so that sums of times
    /// and offsets wrap; what comes out stays small, as every step is bounded.
    offset: i64,
    last_dts: Option<i64>,
    interval: Option<i64>,
}

/// A frame of a transport stream, its times still the encoder's: ticks of 1/90,000 s, of which
/// the clock has 33 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TsFrame {
    /// Its track.
    pub kind: TrackKind,
    /// When it is shown.
    pub pts: u64,
    /// When it is decoded.
    pub dts: u64,
    /// Whether it holds an IDR slice; true for audio.
    pub keyframe: bool,
    /// The coded bytes, as the track's configuration says.
    pub data: Bytes,
}

/// A frame with its times in ticks of 1/90,000 s, unwrapped.
struct Timed {
    kind: TrackKind,
    dts: i64,
    /// Presentation less decoding.
    composition: i64,
    keyframe: bool,
    data: Bytes,
}

/// The encoder's clock, in the encoder's own unit.
#[derive(Clone, Copy, Debug, Default)]
enum Clock {
    #[default]
    Unknown,
    At {
        /// Without wraps.
        unwrapped: i64,
        /// As the encoder wrote it.
        time: u64,
    },
}

impl Repair {
    /// What was repaired so far.
    pub fn repairs(&self) -> Repairs {
        self.repairs
    }

    /// A track was refused before it got here.
    pub fn track_refused(&mut self) {
        self.repairs.tracks_refused += 1;
    }

    /// Takes the configuration of a track that leads. `None` if it repeats the one before, as
    /// encoders do.
    pub fn config(&mut self, config: TrackConfig) -> Option<Media> {
        self.track_config(TrackIndex::LEAD, config)
    }

    /// Takes the configuration of a track. `None` if it repeats the one before.
    pub fn track_config(&mut self, index: TrackIndex, config: TrackConfig) -> Option<Media> {
        let tracks = match config.kind() {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        let track = &mut tracks[index.get()];
        if track.config.as_ref() == Some(&config) {
            return None;
        }
        track.started = config.kind() == TrackKind::Audio;
        track.config = Some(config.clone());
        Some(Media::Config(config))
    }

    /// Takes a track's frame of an FLV tag that is to be decoded at `timestamp_ms` of the encoder's
    /// clock and came at `now`. `None` if it is of no use.
    pub fn frame(
        &mut self,
        now: Instant,
        index: TrackIndex,
        timestamp_ms: u32,
        frame: Frame,
    ) -> Option<Media> {
        const BITS: u32 = 32;
        let ms = self.unwrap(timestamp_ms.into(), BITS);
        let timed = Timed {
            kind: frame.kind,
            dts: ms.wrapping_mul(TICKS_PER_MS),
            composition: i64::from(frame.composition_ms) * TICKS_PER_MS
                + i64::from(frame.composition_ns) * TICKS_PER_MS / 1_000_000,
            keyframe: frame.keyframe,
            data: frame.data,
        };
        self.place(now, index, timed)
    }

    /// Takes a frame of a transport stream that came at `now`. `None` if it is of no use.
    pub fn ts_frame(&mut self, now: Instant, frame: TsFrame) -> Option<Media> {
        const BITS: u32 = 33;
        let timed = Timed {
            kind: frame.kind,
            dts: self.unwrap(frame.dts, BITS),
            composition: step(frame.dts, frame.pts, BITS),
            keyframe: frame.keyframe,
            data: frame.data,
        };
        self.place(now, TrackIndex::LEAD, timed)
    }

    fn place(&mut self, now: Instant, index: TrackIndex, frame: Timed) -> Option<Media> {
        let passed = self
            .last_frame
            .map_or(Duration::ZERO, |last| now.saturating_duration_since(last))
            .min(MAX_PAUSE);
        self.last_frame = Some(now);
        let others = self.others(frame.kind, index);
        let tracks = match frame.kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        let track = &mut tracks[index.get()];
        if track.config.is_none() {
            self.repairs.before_config += 1;
            return None;
        }
        if !track.started && !frame.keyframe {
            self.repairs.before_keyframe += 1;
            return None;
        }
        track.started = true;
        let dts = track.place(&others, frame.dts, passed, &mut self.repairs);
        let pts = if (0..=ticks(MAX_COMPOSITION)).contains(&frame.composition) {
            // A raised decoding time does not move the presentation, if it can be helped.
            frame
                .dts
                .wrapping_add(track.offset.wrapping_add(frame.composition))
                .max(dts)
        } else {
            self.repairs.composition += 1;
            dts
        };
        Some(Media::Unit(Unit {
            kind: frame.kind,
            dts: Timestamp(dts),
            pts: Timestamp(pts),
            keyframe: frame.keyframe,
            data: frame.data,
        }))
    }

    /// Where all tracks but one are.
    fn others(&self, kind: TrackKind, index: TrackIndex) -> Others {
        let own = match kind {
            TrackKind::Video => &self.video,
            TrackKind::Audio => &self.audio,
        };
        let own = &own[index.get()];
        let mut others = Others::default();
        let tracks = self.video.iter().chain(&self.audio);
        for track in tracks.filter(|track| !std::ptr::eq(*track, own)) {
            let Some(last_dts) = track.last_dts else {
                continue;
            };
            others.newest = others.newest.max(Some(last_dts));
            let offset = track.offset;
            if !others.offsets().contains(&offset) {
                others.known[others.count] = offset;
                others.count += 1;
            }
        }
        others
    }

    fn unwrap(&mut self, time: u64, bits: u32) -> i64 {
        let unwrapped = match self.clock {
            Clock::Unknown => time as i64,
            Clock::At {
                unwrapped,
                time: last,
            } => {
                let step = step(last, time, bits);
                if step > 0 && time < last {
                    self.repairs.wraps += 1;
                }
                unwrapped.wrapping_add(step)
            }
        };
        self.clock = Clock::At { unwrapped, time };
        unwrapped
    }
}

/// What other tracks say of the clock they share.
#[derive(Debug, Default)]
struct Others {
    /// Decode time of their newest frame.
    newest: Option<i64>,
    /// What is added to the encoder's time, each value once; `count` of them.
    known: [i64; 2 * TrackIndex::COUNT],
    count: usize,
}

impl Others {
    fn offsets(&self) -> &[i64] {
        &self.known[..self.count]
    }
}

/// The way from one time to another on a clock of so many bits: the shorter of the two.
fn step(from: u64, to: u64, bits: u32) -> i64 {
    let unused = u64::BITS - bits;
    (to.wrapping_sub(from) << unused) as i64 >> unused
}

impl Track {
    /// The decoding time at which a frame of the encoder's `time` goes on.
    fn place(
        &mut self,
        others: &Others,
        time: i64,
        passed: Duration,
        repairs: &mut Repairs,
    ) -> i64 {
        let Some(newest) = self.last_dts.max(others.newest) else {
            self.last_dts = Some(time);
            return time;
        };
        let earliest = self.last_dts.unwrap_or(newest - ticks(MAX_STEP)) - ticks(MAX_SETBACK);
        let latest = newest + ticks(MAX_STEP) + ticks(passed);
        let fits = |offset: i64| (earliest..=latest).contains(&time.wrapping_add(offset));
        if self.last_dts.is_none() {
            self.offset = others.offsets().first().copied().unwrap_or(self.offset);
        }
        if !fits(self.offset) {
            let mut shared = others.offsets().iter().copied();
            if let Some(offset) = shared.find(|&offset| fits(offset)) {
                self.offset = offset;
            } else {
                let next = self.last_dts.map_or(newest, |last| last + self.interval());
                if time.wrapping_add(self.offset) > latest {
                    repairs.forward_jumps += 1;
                } else {
                    repairs.backward_jumps += 1;
                }
                self.offset = next.wrapping_sub(time);
            }
        }
        let mut dts = time.wrapping_add(self.offset);
        if let Some(last) = self.last_dts {
            if dts <= last {
                repairs.raised += 1;
                dts = last + 1;
            } else if dts - last <= MAX_INTERVAL {
                self.interval = Some(dts - last);
            }
        }
        self.last_dts = Some(dts);
        dts
    }

    fn interval(&self) -> i64 {
        self.interval.unwrap_or(DEFAULT_INTERVAL)
    }
}

fn ticks(duration: Duration) -> i64 {
    duration.as_millis() as i64 * TICKS_PER_MS
}

#[cfg(test)]
#[path = "repair_tests.rs"]
mod tests;
