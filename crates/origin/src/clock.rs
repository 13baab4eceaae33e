//! Wall time from a monotonic source.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use weir_model::WallTime;

/// Reads the wall clock once and lets a monotonic clock carry it on, so that a step of the system
/// clock moves no live timeline.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Instant,
    anchor_wall: WallTime,
}

impl Clock {
    /// Anchors a clock to the system's wall clock as it stands now.
    pub fn anchored() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self {
            anchor: Instant::now(),
            anchor_wall: WallTime::default().plus(since_epoch),
        }
    }

    /// The wall time now.
    pub fn now(&self) -> WallTime {
        self.anchor_wall.plus(self.anchor.elapsed())
    }

    /// The monotonic instant at which [`Clock::now`] reaches `wall`.
    pub fn instant(&self, wall: WallTime) -> Instant {
        self.anchor + wall.since(self.anchor_wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_lies_as_far_ahead_as_its_wall_time() {
        let clock = Clock::anchored();
        let later = clock.anchor_wall.plus(Duration::from_millis(1500));
        assert_eq!(
            clock.instant(later) - clock.anchor,
            Duration::from_millis(1500)
        );
        assert_eq!(clock.instant(WallTime(0)), clock.anchor, "the past is now");
    }
}
