//! When a publisher is asked for a picture that decoding can start at.

use std::time::{Duration, Instant};

/// An IDR picture is asked for so long after the last one, so that segments can end.
const DUE: Duration = Duration::from_secs(2);
/// Least time between two requests: an encoder takes some frames to follow, and pays for each.
const PAUSE: Duration = Duration::from_millis(500);

/// Decides when to ask.
#[derive(Debug)]
pub(super) struct Keyframes {
    /// When the last IDR picture came; none yet, or something after it is lost.
    last: Option<Instant>,
    asked: Option<Instant>,
    since: Instant,
}

impl Keyframes {
    /// None has come at `now`.
    pub(super) fn missing(now: Instant) -> Self {
        Self {
            last: None,
            asked: None,
            since: now,
        }
    }

    /// One has come.
    pub(super) fn came(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// One is wanted as soon as may be.
    pub(super) fn want(&mut self, now: Instant) {
        self.last = None;
        self.since = now;
    }

    /// One was asked for.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    /// When to ask next.
    pub(super) fn due(&self) -> Instant {
        let wanted = self.last.map_or(self.since, |last| last + DUE);
        let earliest = self.asked.map_or(wanted, |asked| asked + PAUSE);
        wanted.max(earliest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_due_after_two_seconds_or_when_wanted_but_not_too_often() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut keyframes = Keyframes::missing(start);
        assert_eq!(keyframes.due(), start);
        keyframes.asked(start);
        assert_eq!(keyframes.due(), at(500));
        keyframes.came(at(100));
        assert_eq!(keyframes.due(), at(2100));
        keyframes.want(at(200));
        assert_eq!(keyframes.due(), at(500));
        keyframes.asked(at(500));
        keyframes.came(at(550));
        keyframes.want(at(1700));
        assert_eq!(keyframes.due(), at(1700));
    }
}
