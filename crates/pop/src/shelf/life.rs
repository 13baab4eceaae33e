//! How long an answer may be served.

use std::time::{Duration, Instant};

/// How long a stale answer stands in before the origin is asked again.
const STAND_IN: Duration = Duration::from_secs(1);

/// What a plan says about the life of its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How long an answer that is no error is fresh.
    pub fresh: Duration,
    /// How long after that it may stand in when the origin fails.
    pub stale: Duration,
    /// How long an error (status 400 and above) is kept.
    pub error: Duration,
}

/// The life of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it was put here, and how old it was then.
    at: Instant,
    age: Duration,
    fresh_until: Instant,
    stale_until: Instant,
    stands_in: bool,
}

/// What an answer may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is served.
    Fresh,
    /// It is served if the origin fails.
    Stale,
    /// It is of no use any more.
    Spent,
}

impl Life {
    /// The life of a good answer that has just come from the origin.
    pub fn of_answer(terms: &Terms, now: Instant) -> Self {
        Self::restored(terms.fresh, terms.stale, Duration::ZERO, now)
    }

    /// The life of an error that has just come from the origin.
    pub fn of_error(terms: &Terms, now: Instant) -> Self {
        Self::restored(terms.error, Duration::ZERO, Duration::ZERO, now)
    }

    /// The life of an answer that was fetched `age` ago, to be fresh for `fresh` and to stand in for
    /// `stale` after that, both counted from then.
    pub fn restored(fresh: Duration, stale: Duration, age: Duration, now: Instant) -> Self {
        let fresh_until = now + fresh.saturating_sub(age);
        Self {
            at: now,
            age,
            fresh_until,
            stale_until: now + (fresh + stale).saturating_sub(age),
            stands_in: false,
        }
    }

    /// What the answer may be used for.
    pub fn state(&self, now: Instant) -> State {
        if now < self.fresh_until {
            State::Fresh
        } else if now < self.stale_until {
            State::Stale
        } else {
            State::Spent
        }
    }

    /// How long ago the origin made the answer, as `Age` says it (RFC 9111 section 5.1).
    pub fn age(&self, now: Instant) -> Duration {
        self.age + now.saturating_duration_since(self.at)
    }

    /// How long it is still fresh.
    pub fn ttl(&self, now: Instant) -> Duration {
        self.fresh_until.saturating_duration_since(now)
    }

    /// How long it may still be of any use.
    pub fn use_left(&self, now: Instant) -> Duration {
        self.stale_until.saturating_duration_since(now)
    }

    /// Whether it stands in for a newer answer that could not be had.
    pub fn stands_in(&self) -> bool {
        self.stands_in
    }

    /// The life of this answer in place of a newer one, for a second at most, so that the origin is
    /// asked again soon and not by everyone; `None` if it is too old for that.
    pub fn standing_in(&self, now: Instant) -> Option<Self> {
        (now < self.stale_until).then(|| Self {
            fresh_until: (now + STAND_IN).min(self.stale_until),
            stands_in: true,
            ..*self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn terms() -> Terms {
        Terms {
            fresh: 2 * SECOND,
            stale: 10 * SECOND,
            error: SECOND,
        }
    }

    #[test]
    fn answers_are_fresh_then_stale_then_spent() {
        let now = Instant::now();
        let life = Life::of_answer(&terms(), now);
        for (after, state) in [
            (0, State::Fresh),
            (1, State::Fresh),
            (2, State::Stale),
            (11, State::Stale),
            (12, State::Spent),
        ] {
            assert_eq!(life.state(now + after * SECOND), state, "after {after} s");
        }
        assert_eq!(life.age(now + 3 * SECOND), 3 * SECOND);
        assert_eq!(life.ttl(now + SECOND), SECOND);
        assert_eq!(life.ttl(now + 3 * SECOND), Duration::ZERO);
    }

    #[test]
    fn errors_never_stand_in() {
        let now = Instant::now();
        let life = Life::of_error(&terms(), now);
        assert_eq!(life.state(now), State::Fresh);
        assert_eq!(life.state(now + SECOND), State::Spent);
        assert_eq!(life.standing_in(now + SECOND), None);
    }

    #[test]
    fn a_stand_in_is_for_a_second_and_keeps_its_end() {
        let now = Instant::now();
        let life = Life::of_answer(&terms(), now);
        let later = now + 5 * SECOND;
        let stand_in = life.standing_in(later).unwrap();
        assert!(stand_in.stands_in());
        assert_eq!(stand_in.state(later), State::Fresh);
        assert_eq!(stand_in.state(later + SECOND), State::Stale);
        assert_eq!(stand_in.age(later), 5 * SECOND);
        let last = now + 12 * SECOND - SECOND / 2;
        let stand_in = stand_in.standing_in(last).unwrap();
        assert_eq!(stand_in.state(last + SECOND / 2), State::Spent);
    }

    #[test]
    fn what_was_kept_elsewhere_goes_on_from_its_age() {
        let now = Instant::now();
        let life = Life::restored(2 * SECOND, 10 * SECOND, 5 * SECOND, now);
        assert_eq!(life.state(now), State::Stale);
        assert_eq!(life.age(now + SECOND), 6 * SECOND);
        assert_eq!(life.state(now + 7 * SECOND), State::Spent);
    }
}
