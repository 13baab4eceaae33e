//! From the clocks of RTP to one timeline of 1/90,000 s.
//!
//! Each track counts in its own unit from a random number (RFC 3550 section 5.1). Until sender
//! reports tell which moments of two tracks are the same (section 6.4.1), a track begins where its
//! first packet arrived; then sound is moved to where pictures are.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use weir_media::unit::{TIMESCALE, TrackKind};

/// Sound and pictures may be this far from what reports say, in ticks: 10 ms.
const TOLERANCE: i64 = TIMESCALE as i64 / 100;
/// Reports that would move sound farther are not believed, in ticks: 10 s.
const FARTHEST: i64 = 10 * TIMESCALE as i64;

/// The moment of a packet in its sender's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RtpTime {
    /// Ticks, without wraps.
    pub(super) ticks: u64,
    /// Ticks per second.
    pub(super) rate: u32,
}

/// Which RTP time it was at a moment of the sender's wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// RTP time; its upper half means nothing.
    pub(super) rtp: u64,
    /// The wall clock's.
    pub(super) ntp: SystemTime,
}

/// One publisher's tracks.
#[derive(Debug)]
pub(super) struct Timeline {
    start: Instant,
    video: Track,
    audio: Track,
}

#[derive(Debug, Default)]
struct Track {
    /// An RTP time and what it is here.
    base: Option<(RtpTime, i64)>,
    report: Option<Report>,
    last: Option<i64>,
}

impl Timeline {
    /// Begins at 0.
    pub(super) fn starting(start: Instant) -> Self {
        Self {
            start,
            video: Track::default(),
            audio: Track::default(),
        }
    }

    /// Where a frame that `arrived` belongs, given its track's last report. `None` of sound that
    /// lies before what came, as when it has been moved back.
    pub(super) fn place(
        &mut self,
        kind: TrackKind,
        time: RtpTime,
        arrived: Instant,
        report: Option<Report>,
    ) -> Option<i64> {
        let since_start = arrived.saturating_duration_since(self.start);
        let track = match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        track
            .base
            .get_or_insert_with(|| (time, to_ticks(since_start.as_micros())));
        if track.report != report {
            track.report = report;
            self.align();
        }
        let track = match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        let at = track.at(time.ticks)?;
        let again = track.last.is_some_and(|last| at <= last);
        if kind == TrackKind::Audio && again {
            return None;
        }
        track.last = track.last.max(Some(at));
        Some(at)
    }

    /// Moves sound to where pictures are, by the reports of both.
    fn align(&mut self) {
        let (Some(video), Some(audio)) = (self.video.of_wall_clock(), self.audio.of_wall_clock())
        else {
            return;
        };
        let late = audio.saturating_sub(video);
        if let Some((_, base)) = &mut self.audio.base
            && (TOLERANCE..=FARTHEST).contains(&late.saturating_abs())
        {
            *base -= late;
        }
    }
}

impl Track {
    fn at(&self, ticks: u64) -> Option<i64> {
        let (RtpTime { ticks: from, rate }, base) = self.base?;
        let passed = i128::from(ticks.wrapping_sub(from) as i64);
        let passed = passed * i128::from(TIMESCALE) / i128::from(rate.max(1));
        // A clock that jumps so far is taken for one that starts anew.
        i64::try_from(passed).ok()?.checked_add(base)
    }

    /// This timeline less the sender's wall clock.
    fn of_wall_clock(&self) -> Option<i64> {
        let (report, (base, _)) = (self.report?, self.base?);
        // Only the lower half of a report's time is the sender's.
        let step = (report.rtp as u32).wrapping_sub(base.ticks as u32) as i32;
        let here = self.at(base.ticks.wrapping_add_signed(step.into()))?;
        let wall_clock = report.ntp.duration_since(UNIX_EPOCH).ok()?;
        here.checked_sub(to_ticks(wall_clock.as_micros()))
    }
}

fn to_ticks(micros: u128) -> i64 {
    i64::try_from(micros * u128::from(TIMESCALE) / 1_000_000).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn video(ticks: u64) -> RtpTime {
        RtpTime {
            ticks,
            rate: 90_000,
        }
    }

    fn audio(ticks: u64) -> RtpTime {
        RtpTime {
            ticks,
            rate: 48_000,
        }
    }

    #[test]
    fn before_reports_tracks_begin_where_they_arrive() {
        let start = Instant::now();
        let mut timeline = Timeline::starting(start);
        let later = start + Duration::from_millis(100);
        let mut place = |kind, time, at| timeline.place(kind, time, at, None);
        assert_eq!(place(TrackKind::Video, video(7), start), Some(0));
        assert_eq!(place(TrackKind::Audio, audio(900), later), Some(9000));
        assert_eq!(place(TrackKind::Video, video(3007), later), Some(3000));
        assert_eq!(place(TrackKind::Audio, audio(1860), later), Some(10_800));
    }

    #[test]
    fn reports_bring_sound_to_its_pictures() {
        let start = Instant::now();
        let mut timeline = Timeline::starting(start);
        let ntp = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let report = |rtp, ms| {
            Some(Report {
                rtp,
                ntp: ntp + Duration::from_millis(ms),
            })
        };
        // Both were taken at the same time; sound took 50 ms longer to come.
        let late = start + Duration::from_millis(50);
        let base = u64::from(u32::MAX);
        assert_eq!(
            timeline.place(TrackKind::Video, video(base), start, report(base, 0)),
            Some(0)
        );
        assert_eq!(
            timeline.place(TrackKind::Audio, audio(480), late, None),
            Some(4500)
        );
        assert_eq!(
            timeline.place(TrackKind::Audio, audio(1440), late, report(480, 0)),
            None,
            "sound is moved back, and what overlaps is left out"
        );
        let at = timeline.place(TrackKind::Audio, audio(480 + 4800), late, report(480, 0));
        assert_eq!(at, Some(9000));
    }

    proptest! {
        #[test]
        fn no_clock_breaks_it(frames in prop::collection::vec(
            (any::<bool>(), any::<u64>(), 1..u32::MAX, any::<u32>(), any::<u64>()), 1..50)
        ) {
            let start = Instant::now();
            let mut timeline = Timeline::starting(start);
            let mut last = None;
            for (sound, ticks, rate, ms, rtp) in frames {
                let kind = if sound { TrackKind::Audio } else { TrackKind::Video };
                let elapsed = Duration::from_millis(ms.into());
                let report = Report { rtp, ntp: UNIX_EPOCH + elapsed };
                let at = timeline.place(kind, RtpTime { ticks, rate }, start + elapsed, Some(report));
                if sound && let Some(at) = at {
                    prop_assert!(last.is_none_or(|last| at > last));
                    last = Some(at);
                }
            }
        }
    }
}
