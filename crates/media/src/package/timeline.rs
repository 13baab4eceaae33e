//! An encoder's timestamps to media time.

use crate::{
    track::TrackIndex,
    unit::{TIMESCALE, Timestamp, TrackKind, Unit},
};

/// A step backwards of a track by more ticks than this is a jump of the encoder's clock.
const BACK: i64 = TIMESCALE as i64;

/// A step forwards beyond both tracks by more ticks than this is one, too.
const AHEAD: i64 = 3 * TIMESCALE as i64;

/// Longest time from decoding to showing that is believed, in ticks: 2 s.
const COMPOSITION: i64 = 2 * TIMESCALE as i64;

/// Timestamps further from 0 than this, in ticks, are no timestamps: 200,000 years.
const FARTHEST: i64 = 1 << 59;

/// Maps the timestamps of one encoder's tracks to media time that only goes forwards.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Media time less the encoder's time.
    offset: i64,
    /// The offset before the last jump: the other tracks may not have jumped yet.
    previous: Option<i64>,
    video: Tracks,
    audio: Tracks,
    /// Decode time of the newest unit of all.
    newest: Option<i64>,
    /// Jumps joined.
    pub jumps: u64,
    /// Timestamps moved because they did not advance, or because composition came before decoding.
    pub clamped: u64,
}

type Tracks = [Track; TrackIndex::COUNT];

#[derive(Clone, Copy, Debug, Default)]
struct Track {
    last: Option<i64>,
    interval: i64,
}

impl Timeline {
    /// An encoder whose time `from` is `to` in media time.
    pub fn starting(from: Timestamp, to: Timestamp) -> Self {
        Self {
            offset: to.0 - from.0.clamp(-FARTHEST, FARTHEST),
            previous: None,
            video: Tracks::default(),
            audio: Tracks::default(),
            newest: None,
            jumps: 0,
            clamped: 0,
        }
    }

    /// The unit of a track in media time.
    pub fn place(&mut self, index: TrackIndex, mut unit: Unit) -> Unit {
        let told = unit.dts.0.clamp(-FARTHEST, FARTHEST);
        let composition = unit.pts.0.saturating_sub(unit.dts.0);
        let newest = self.newest;
        let tracks = match unit.kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        let track = &mut tracks[index.get()];
        let fits = |dts: i64| {
            track.last.is_none_or(|last| dts > last - BACK)
                && newest.is_none_or(|newest| dts <= newest + AHEAD)
        };
        let mut offset = self.offset;
        if !fits(told + offset) {
            match self.previous.filter(|previous| fits(told + previous)) {
                Some(previous) => offset = previous,
                None => {
                    let joined = track.last.or(newest).unwrap_or(0) + track.interval.max(1);
                    offset = joined - told;
                    self.previous = Some(self.offset);
                    self.offset = offset;
                    self.jumps += 1;
                }
            }
        }
        // Audio time is counted in samples later, so that only video must advance here.
        let least = match (unit.kind, track.last) {
            (TrackKind::Video, Some(last)) => last + 1,
            _ => i64::MIN,
        };
        let dts = (told + offset).max(least);
        let pts = (told + offset + composition.clamp(-COMPOSITION, COMPOSITION)).max(dts);
        self.clamped += u64::from(dts - told != offset || pts - dts != composition);
        (unit.dts, unit.pts) = (Timestamp(dts), Timestamp(pts));
        if let Some(last) = track.last {
            track.interval = (unit.dts.0 - last).clamp(1, TIMESCALE.into());
        }
        track.last = Some(unit.dts.0);
        self.newest = self.newest.max(track.last);
        unit
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn unit(kind: TrackKind, dts_ms: i64, pts_ms: i64) -> Unit {
        let (dts, pts) = (Timestamp::from_ms(dts_ms), Timestamp::from_ms(pts_ms));
        Unit {
            kind,
            dts,
            pts,
            keyframe: true,
            data: Bytes::new(),
        }
    }

    /// Decode times in milliseconds that come out of those that go in.
    fn place(units: &[(TrackKind, i64)]) -> (Vec<i64>, Timeline) {
        let first = Timestamp::from_ms(units[0].1);
        let mut timeline = Timeline::starting(first, Timestamp(0));
        let out = units
            .iter()
            .map(|&(kind, ms)| timeline.place(TrackIndex::LEAD, unit(kind, ms, ms)).dts.0 / 90)
            .collect();
        (out, timeline)
    }

    use TrackKind::{Audio, Video};

    #[test]
    fn a_jump_is_joined_for_both_tracks() {
        for to in [0, 5_000_000] {
            let (out, timeline) = place(&[
                (Video, 90_000),
                (Audio, 90_010),
                (Video, 90_040),
                (Video, to),
                (Audio, 90_030), // of before the jump
                (Audio, to + 15),
                (Video, to + 40),
            ]);
            assert_eq!(out, [0, 10, 40, 80, 30, 95, 120]);
            assert_eq!(timeline.jumps, 1);
        }
    }

    #[test]
    fn a_hole_in_one_track_is_no_jump() {
        let mut units = vec![(Video, 0), (Audio, 0)];
        units.extend((1..300).map(|i| (Video, 40 * i)));
        units.push((Audio, 11_960));
        let (out, timeline) = place(&units);
        assert_eq!(*out.last().unwrap(), 11_960);
        assert_eq!(timeline.jumps, 0);
    }

    #[test]
    fn video_always_advances_and_is_shown_after_it_is_decoded() {
        let mut timeline = Timeline::starting(Timestamp(0), Timestamp(0));
        timeline.place(TrackIndex::LEAD, unit(Video, 40, 40));
        let placed = timeline.place(TrackIndex::LEAD, unit(Video, 40, 20));
        assert_eq!((placed.dts.0, placed.pts.0), (3601, 3601));
        assert_eq!(timeline.clamped, 1);
    }

    #[test]
    fn extreme_timestamps_do_not_overflow() {
        let mut timeline = Timeline::starting(Timestamp(0), Timestamp(0));
        for ticks in [i64::MAX, i64::MIN, 0, i64::MAX, i64::MIN + 1] {
            for kind in [Video, Audio] {
                let (dts, pts) = (Timestamp(ticks), Timestamp(ticks));
                let placed = timeline.place(
                    TrackIndex::LEAD,
                    Unit {
                        kind,
                        dts,
                        pts,
                        keyframe: true,
                        data: Bytes::new(),
                    },
                );
                assert!(placed.pts >= placed.dts);
            }
        }
    }
}
