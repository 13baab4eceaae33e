//! Whether a peer is well: from what requests to it come to, and from asking it now and then.

use std::time::{Duration, Instant};

/// When a peer counts as gone, and as back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    /// Failures in a row until it is down.
    pub fall: u32,
    /// Successes in a row until it is up again.
    pub rise: u32,
    /// Between probes while it is up.
    pub probe_up: Duration,
    /// Between probes while it is down.
    pub probe_down: Duration,
    /// Between probes while it seems to come back.
    pub probe_again: Duration,
    /// For how long one request that tries a peer holds back others.
    pub trial: Duration,
}

impl Default for HealthPolicy {
    /// A peer that is back is found within 0.6 s and the time of two answers.
    fn default() -> Self {
        Self {
            fall: 5,
            rise: 2,
            probe_up: Duration::from_secs(3),
            probe_down: Duration::from_millis(500),
            probe_again: Duration::from_millis(100),
            trial: Duration::from_secs(1),
        }
    }
}

/// How a peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is asked.
    Up,
    /// It was down and has answered: it is asked by one request at a time.
    Returning,
    /// It is not asked.
    Down,
}

/// A change that those who wait for a peer should hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is as it was.
    None,
    /// It went down.
    Fell,
    /// It is worth a try again, or fully back.
    Rose,
}

/// One peer's health. A circuit breaker: closed while [`Condition::Up`], open while
/// [`Condition::Down`], half open in between.
#[derive(Clone, Debug)]
pub struct Health {
    policy: HealthPolicy,
    condition: Condition,
    /// Failures in a row while up, successes in a row while not.
    streak: u32,
    probe_at: Instant,
    /// Until when a request that tries the peer is waited for.
    trial_until: Option<Instant>,
}

impl Health {
    /// A peer that nothing bad is known of.
    pub fn new(policy: HealthPolicy, now: Instant) -> Self {
        Self {
            policy,
            condition: Condition::Up,
            streak: 0,
            probe_at: now + policy.probe_up,
            trial_until: None,
        }
    }

    /// How it does.
    pub fn condition(&self) -> Condition {
        self.condition
    }

    /// Whether a request may go to it. One that is admitted to a peer that returns is its trial:
    /// say what it came to, or others wait for [`HealthPolicy::trial`].
    pub fn admit(&mut self, now: Instant) -> bool {
        match self.condition {
            Condition::Up => true,
            Condition::Down => false,
            Condition::Returning if self.trial_until.is_some_and(|until| now < until) => false,
            Condition::Returning => {
                self.trial_until = Some(now + self.policy.trial);
                true
            }
        }
    }

    /// It answered a request or a probe.
    pub fn succeeded(&mut self, now: Instant) -> Change {
        self.trial_until = None;
        if self.condition == Condition::Up {
            self.streak = 0;
            return Change::None;
        }
        self.streak += 1;
        let (condition, next) = if self.streak >= self.policy.rise {
            (Condition::Up, self.policy.probe_up)
        } else {
            (Condition::Returning, self.policy.probe_again)
        };
        if condition == Condition::Up {
            self.streak = 0;
        }
        self.condition = condition;
        self.probe_at = now + next;
        Change::Rose
    }

    /// It could not be reached, or left a request or a probe without an answer.
    pub fn failed(&mut self, now: Instant) -> Change {
        self.trial_until = None;
        match self.condition {
            Condition::Down => Change::None,
            Condition::Returning => {
                self.fall(now + self.policy.probe_down);
                Change::Fell
            }
            Condition::Up => {
                self.streak += 1;
                if self.streak < self.policy.fall {
                    return Change::None;
                }
                // Perhaps it was only its connections that broke: look at once.
                self.fall(now);
                Change::Fell
            }
        }
    }

    fn fall(&mut self, probe_at: Instant) {
        self.condition = Condition::Down;
        self.streak = 0;
        self.probe_at = probe_at;
    }

    /// When it is to be probed next.
    pub fn probe_at(&self) -> Instant {
        self.probe_at
    }

    /// A probe was sent; the next one is due later.
    pub fn probed(&mut self, now: Instant) {
        let next = match self.condition {
            Condition::Up => self.policy.probe_up,
            Condition::Returning => self.policy.probe_again,
            Condition::Down => self.policy.probe_down,
        };
        self.probe_at = now + next;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn health() -> (Health, Instant) {
        let now = Instant::now();
        (Health::new(HealthPolicy::default(), now), now)
    }

    #[test]
    fn a_few_failures_among_successes_change_nothing() {
        let (mut health, now) = health();
        for _ in 0..100 {
            for _ in 0..4 {
                assert_eq!(health.failed(now), Change::None);
            }
            assert_eq!(health.succeeded(now), Change::None);
            assert!(health.admit(now));
        }
    }

    #[test]
    fn it_falls_returns_and_rises() {
        let (mut health, now) = health();
        let fell = (0..5).map(|_| health.failed(now)).last();
        assert_eq!(fell, Some(Change::Fell));
        assert!(!health.admit(now));
        assert_eq!(health.probe_at(), now);
        health.probed(now);
        assert_eq!(health.failed(now), Change::None);
        assert_eq!(health.probe_at(), now + Duration::from_millis(500));

        assert_eq!(health.succeeded(now), Change::Rose);
        assert_eq!(health.condition(), Condition::Returning);
        assert_eq!(health.probe_at(), now + Duration::from_millis(100));
        assert_eq!(health.succeeded(now), Change::Rose);
        assert_eq!(health.condition(), Condition::Up);
        assert!(health.admit(now) && health.admit(now));
    }

    #[test]
    fn one_request_at_a_time_tries_a_peer_that_returns() {
        let (mut health, now) = health();
        while health.failed(now) != Change::Fell {}
        health.succeeded(now);
        assert!(health.admit(now) && !health.admit(now));
        // Whoever tried it never said how it went.
        let later = now + Duration::from_secs(1);
        assert!(health.admit(later) && !health.admit(later));
        assert_eq!(health.failed(later), Change::Fell);
        assert!(!health.admit(later));
    }

    proptest! {
        #[test]
        fn it_never_rises_on_fewer_successes_than_it_takes(answers in prop::collection::vec(any::<bool>(), 1..200)) {
            let (mut health, mut now) = health();
            let (mut good, mut bad) = (0, 0);
            for answered in answers {
                now += Duration::from_millis(50);
                let before = health.condition();
                let change = if answered { health.succeeded(now) } else { health.failed(now) };
                (good, bad) = if answered { (good + 1, 0) } else { (0, bad + 1) };
                let after = health.condition();
                if before != Condition::Up && after == Condition::Up {
                    prop_assert!(good >= 2);
                }
                if before == Condition::Up && after != Condition::Up {
                    prop_assert!(bad >= 5 && change == Change::Fell);
                }
                prop_assert!(health.probe_at() >= now - Duration::from_secs(10));
                prop_assert!(health.probe_at() <= now + Duration::from_secs(3));
            }
        }
    }
}
