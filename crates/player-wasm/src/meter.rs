//! Quality of experience: startup, stalls, time watched.

/// What the meter looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Glance {
    /// Position in seconds.
    pub current_time_s: f64,
    /// Whether time is supposed to pass: not paused, not seeking, not at the end.
    pub wants_to_play: bool,
    /// Whether the element has data to go on with.
    pub has_data: bool,
}

/// What a glance revealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing to tell.
    Nothing,
    /// Playback has run dry.
    StallBegan,
    /// It goes on after this many ms.
    StallEnded(u64),
}

/// Measures one playback. Counters only rise.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    began_at: u64,
    startup_ms: Option<u64>,
    last: Option<(u64, Glance)>,
    last_advance_at: u64,
    stalled_since: Option<u64>,
    watched_ms: f64,
    stalls: u32,
    stall_ms: u64,
}

impl Meter {
    /// A position that stands still this long is a stall even if the element claims to have data.
    const FROZEN_MS: u64 = 700;
    /// Longest time between two glances at a page that is awake, in ms.
    const SLEEP_MS: u64 = 5000;

    /// Begins to measure a start.
    pub fn new(now: u64) -> Self {
        Self {
            began_at: now,
            startup_ms: None,
            last: None,
            last_advance_at: now,
            stalled_since: None,
            watched_ms: 0.0,
            stalls: 0,
            stall_ms: 0,
        }
    }

    /// Notes that a frame has been rendered; answers the startup time if it is the first.
    pub fn rendered(&mut self, now: u64) -> Option<u64> {
        if self.startup_ms.is_some() {
            return None;
        }
        self.last_advance_at = now;
        self.startup_ms = Some(now.saturating_sub(self.began_at));
        self.startup_ms
    }

    /// Looks at the element.
    pub fn observe(&mut self, now: u64, glance: Glance) -> Finding {
        let last = self.last.replace((now, glance));
        if self.startup_ms.is_none() {
            return Finding::Nothing;
        }
        let advanced_ms = last.map_or(0.0, |(at, last)| {
            let moved_ms = (glance.current_time_s - last.current_time_s) * 1000.0;
            let passed_ms = now.saturating_sub(at) as f64;
            // A jump is a seek; what plays goes at up to four times real time, and a little more.
            let plays = last.wants_to_play && moved_ms > 0.0 && moved_ms < 4.5 * passed_ms + 100.0;
            if plays { moved_ms.min(passed_ms) } else { 0.0 }
        });
        self.watched_ms += advanced_ms;
        let wanted_to_play = last.is_some_and(|(_, last)| last.wants_to_play);
        // A page that was not woken for so long slept, and nobody waited for a picture.
        let slept = last.is_some_and(|(at, _)| now.saturating_sub(at) > Self::SLEEP_MS);
        if slept && let Some(since) = &mut self.stalled_since {
            *since = now;
        }
        if advanced_ms > 0.0 || !glance.wants_to_play || !wanted_to_play || slept {
            self.last_advance_at = now;
        }
        let frozen = now.saturating_sub(self.last_advance_at) >= Self::FROZEN_MS;
        let dry = glance.wants_to_play && (!glance.has_data || frozen);
        match self.stalled_since {
            None if dry => {
                self.stalled_since = Some(if frozen { self.last_advance_at } else { now });
                self.stalls += 1;
                Finding::StallBegan
            }
            // It lasts until time passes again: a seek across a hole is part of it, and so is the
            // viewer's patience, but not a pause.
            Some(since) if advanced_ms > 0.0 || !glance.wants_to_play && glance.has_data => {
                self.stalled_since = None;
                let ms = now.saturating_sub(since);
                self.stall_ms += ms;
                Finding::StallEnded(ms)
            }
            _ => Finding::Nothing,
        }
    }

    /// From the beginning to the first frame, in ms.
    pub fn startup_ms(&self) -> Option<u64> {
        self.startup_ms
    }

    /// Time played in ms: never more than passed on the wall clock.
    pub fn watched_ms(&self) -> u64 {
        self.watched_ms as u64
    }

    /// Stalls, the present one included.
    pub fn stalls(&self) -> u32 {
        self.stalls
    }

    /// Time spent in stalls, in ms, the present one included.
    pub fn stall_ms(&self, now: u64) -> u64 {
        self.stall_ms
            + self
                .stalled_since
                .map_or(0, |since| now.saturating_sub(since))
    }

    /// Whether playback is dry now.
    pub fn is_stalled(&self) -> bool {
        self.stalled_since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn playing(current_time_s: f64) -> Glance {
        Glance {
            current_time_s,
            wants_to_play: true,
            has_data: true,
        }
    }

    fn started() -> Meter {
        let mut meter = Meter::new(1000);
        assert_eq!(meter.rendered(1400), Some(400));
        assert_eq!(meter.rendered(1500), None);
        meter.observe(1400, playing(0.0));
        meter
    }

    #[test]
    fn nothing_counts_before_the_first_frame() {
        let mut meter = Meter::new(0);
        let dry = Glance {
            has_data: false,
            ..playing(0.0)
        };
        assert_eq!(meter.observe(5000, dry), Finding::Nothing);
        assert_eq!((meter.stalls(), meter.watched_ms()), (0, 0));
    }

    #[test]
    fn a_stall_lasts_until_time_passes_again() {
        let mut meter = started();
        meter.observe(2400, playing(1.0));
        let dry = Glance {
            has_data: false,
            ..playing(1.0)
        };
        assert_eq!(meter.observe(2500, dry), Finding::StallBegan);
        assert_eq!(meter.observe(2700, dry), Finding::Nothing);
        // A jump over a hole.
        assert_eq!(meter.observe(3000, playing(7.0)), Finding::Nothing);
        assert_eq!(meter.stall_ms(3000), 500);
        assert_eq!(
            meter.observe(3125, playing(7.125)),
            Finding::StallEnded(625)
        );
        assert_eq!((meter.stalls(), meter.stall_ms(9999)), (1, 625));
        assert_eq!(meter.watched_ms(), 1125);
    }

    #[test]
    fn a_frozen_picture_is_a_stall() {
        let mut meter = started();
        meter.observe(2400, playing(1.0));
        assert_eq!(meter.observe(3000, playing(1.0)), Finding::Nothing);
        assert_eq!(meter.observe(3100, playing(1.0)), Finding::StallBegan);
        assert_eq!(meter.stall_ms(3100), 700);
    }

    #[test]
    fn pausing_is_no_stall() {
        let mut meter = started();
        let paused = Glance {
            wants_to_play: false,
            ..playing(0.0)
        };
        assert_eq!(meter.observe(20_000, paused), Finding::Nothing);
        assert_eq!(meter.observe(90_000, playing(0.0)), Finding::Nothing);
        assert_eq!(meter.observe(90_200, playing(0.1)), Finding::Nothing);
        assert_eq!(meter.stalls(), 0);
    }

    proptest! {
        #[test]
        fn time_watched_never_exceeds_the_wall(steps in prop::collection::vec(
            (0_u64..2000, -5.0_f64..5.0, any::<bool>(), any::<bool>()), 0..60,
        )) {
            let mut meter = started();
            let (mut now, mut position) = (1400, 0.0);
            for (passed, moved, wants_to_play, has_data) in steps {
                now += passed;
                position += moved;
                let glance = Glance { current_time_s: position, wants_to_play, has_data };
                meter.observe(now, glance);
                prop_assert!(meter.watched_ms() <= now - 1400);
                prop_assert!(meter.stall_ms(now) <= now - 1000);
            }
        }
    }
}
