//! Which unit starts a segment.

use crate::unit::{TIMESCALE, TrackKind, Unit};

/// A segment ends at the first IDR picture at or after this many ticks.
pub const SEGMENT: i64 = 2 * TIMESCALE as i64;

/// How much earlier than [`SEGMENT`] an IDR picture may come, in ticks: a keyframe interval of 2 s
/// comes a little short through a millisecond clock.
const EARLY: i64 = TIMESCALE as i64 / 20;

/// A segment never passes this many ticks. It is 4 s and as much as `EXT-X-TARGETDURATION:4`
/// forgives without rounding up, so that a keyframe interval of 4 s is not cut apart.
pub const LONGEST_SEGMENT: i64 = 4 * TIMESCALE as i64 + EARLY;

/// A segment starts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Decoding can start here. If not, no IDR picture came in time.
    pub independent: bool,
}

/// Decides on the units of the track that leads, in decode order: video, or audio without video.
#[derive(Clone, Debug, Default)]
pub struct Segmenter {
    current: Option<Current>,
    /// Cut at the next keyframe, however early: the coding has changed.
    renew: bool,
}

#[derive(Clone, Debug)]
struct Current {
    start: i64,
    last: i64,
    interval: i64,
}

impl Segmenter {
    /// Whether a segment starts with `unit`. Asking changes nothing: if so, and if it can be
    /// done, call [`begin`](Self::begin), else [`extend`](Self::extend).
    pub fn verdict(&self, unit: &Unit) -> Option<Cut> {
        let starts = Cut { independent: true };
        let Some(current) = &self.current else {
            return unit.keyframe.then_some(starts);
        };
        let elapsed = unit.dts.0 - current.start;
        let early = match unit.kind {
            TrackKind::Video => EARLY,
            TrackKind::Audio => 0,
        };
        if unit.keyframe && (self.renew || elapsed >= SEGMENT - early) {
            Some(starts)
        } else if elapsed + current.interval > LONGEST_SEGMENT {
            Some(Cut {
                independent: unit.keyframe,
            })
        } else {
            None
        }
    }

    /// A segment starts with `unit`.
    pub fn begin(&mut self, unit: &Unit) {
        let interval = self.current.as_ref().map_or(0, |current| current.interval);
        self.current = Some(Current {
            start: unit.dts.0,
            last: unit.dts.0,
            interval,
        });
        self.renew = false;
    }

    /// The segment goes on with `unit`.
    pub fn extend(&mut self, unit: &Unit) {
        if let Some(current) = &mut self.current {
            current.interval = unit.dts.0 - current.last;
            current.last = unit.dts.0;
        }
    }

    /// The next keyframe starts a segment.
    pub fn renew(&mut self) {
        self.renew = true;
    }

    /// Decode time before which no segment can start, short of [`renew`](Self::renew).
    pub fn no_cut_before(&self) -> i64 {
        match &self.current {
            Some(current) if !self.renew => current.start + SEGMENT - EARLY,
            _ => i64::MIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::unit::Timestamp;

    /// Decode times in milliseconds at which segments start, of units at `times`; those in
    /// `keyframes` are IDR pictures.
    fn cuts(times: impl Iterator<Item = i64>, keyframes: impl Fn(i64) -> bool) -> Vec<(i64, bool)> {
        let mut segmenter = Segmenter::default();
        let mut cuts = Vec::new();
        for ms in times {
            let at = Timestamp::from_ms(ms);
            let unit = Unit {
                kind: TrackKind::Video,
                dts: at,
                pts: at,
                keyframe: keyframes(ms),
                data: Bytes::new(),
            };
            match segmenter.verdict(&unit) {
                Some(cut) => {
                    cuts.push((ms, cut.independent));
                    segmenter.begin(&unit);
                }
                None => segmenter.extend(&unit),
            }
        }
        cuts
    }

    #[test]
    fn cuts_at_the_first_keyframe_from_two_seconds() {
        let every = |gop: i64| cuts((0..9000).step_by(40), move |ms| ms % gop == 0);
        assert_eq!(
            every(2000),
            [
                (0, true),
                (2000, true),
                (4000, true),
                (6000, true),
                (8000, true)
            ]
        );
        assert_eq!(every(1000), every(2000));
        assert_eq!(
            every(1200),
            [(0, true), (2400, true), (4800, true), (7200, true)]
        );
        assert_eq!(every(4000), [(0, true), (4000, true), (8000, true)]);
    }

    #[test]
    fn takes_a_keyframe_that_the_clock_brings_early() {
        assert_eq!(
            cuts((0..4000).map(|ms| ms / 37 * 37), |ms| ms == 0 || ms == 1961).len(),
            2
        );
    }

    #[test]
    fn cuts_without_a_keyframe_at_four_seconds() {
        let cuts = cuts((0..14_000).step_by(40), |ms| {
            ms == 0 || ms == 10_000 || ms == 11_000
        });
        // The first of the two keyframes comes too early after the forced cut.
        assert_eq!(
            cuts,
            [(0, true), (4040, false), (8080, false), (11_000, true)]
        );
    }
}
