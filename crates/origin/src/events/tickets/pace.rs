//! How many events a session may send: a token bucket for each, as the time at which it would be full
//! again (the generic cell rate algorithm).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use weir_stats::batch::Session;

use super::TooFast;

/// In the long run, five events a second: a player sends three in ten seconds, and one more for each
/// time that something goes wrong.
const INTERVAL: Duration = Duration::from_millis(200);
/// At once, what a player keeps while nobody answers, and some more.
const BURST: u32 = 1200;

/// Most sessions whose bucket is not full. Beyond, all are: a session costs a ticket, and edges limit
/// those.
const MAX_SESSIONS: usize = 65_536;

/// The buckets of all sessions.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<HashMap<Session, Instant>>);

impl Pace {
    /// Takes `events` out of the bucket of `session`, or nothing if there are fewer in it.
    pub(super) fn take(
        &self,
        session: &Session,
        events: usize,
        now: Instant,
    ) -> Result<(), TooFast> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_SESSIONS {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= MAX_SESSIONS {
                buckets.clear();
            }
        }
        let full_at = buckets.get(session).copied().unwrap_or(now).max(now);
        // A batch has hundreds at most.
        let next = full_at + INTERVAL * events as u32;
        match (next - now).checked_sub(INTERVAL * BURST) {
            None | Some(Duration::ZERO) => {
                if events > 0 {
                    buckets.insert(session.clone(), next);
                }
                Ok(())
            }
            Some(wait) => Err(TooFast { wait }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(n: usize) -> Session {
        format!("session-number-{n:010}").parse().unwrap()
    }

    #[test]
    fn what_was_kept_may_come_at_once_and_then_a_players_pace() {
        let (pace, begin) = (Pace::default(), Instant::now());
        let take = |events, after_ms| {
            pace.take(&session(1), events, begin + Duration::from_millis(after_ms))
        };
        for _ in 0..12 {
            assert_eq!(take(100, 0), Ok(()));
        }
        let wait = Duration::from_millis(200);
        assert_eq!(take(1, 0), Err(TooFast { wait }));
        assert_eq!(take(0, 0), Ok(()));
        assert_eq!(take(2, 200), Err(TooFast { wait }), "nothing was taken");
        assert_eq!(take(1, 200), Ok(()));
        assert_eq!(
            pace.take(&session(2), 500, begin),
            Ok(()),
            "of another session"
        );
        assert_eq!(take(500, 600_000), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let (pace, now) = (Pace::default(), Instant::now());
        for n in 0..MAX_SESSIONS + 10 {
            assert_eq!(pace.take(&session(n), 1, now), Ok(()));
        }
        assert_eq!(pace.0.lock().unwrap().len(), 10);
    }
}
