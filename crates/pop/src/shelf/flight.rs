//! Who asks the origin, who waits, and what becomes of the outcome.

use std::{collections::HashMap, sync::Arc, time::Instant};

use super::{Life, State, Terms};

/// Flights to the origin under way, by key. A seat is whatever its followers wait on.
#[derive(Debug)]
pub struct Board<S>(HashMap<Arc<str>, S>);

/// What boarding came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boarding<S> {
    /// Nobody was on the way: whoever asked is to see to it that the flight takes off. It goes on
    /// to its end even if its leader goes away.
    Leads(S),
    /// Somebody is on the way; this is their seat.
    Follows(S),
}

impl<S> Default for Board<S> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<S: Clone> Board<S> {
    /// Joins the flight for `key`, or begins one with a seat that `make` makes.
    pub fn board(&mut self, key: &Arc<str>, make: impl FnOnce() -> S) -> Boarding<S> {
        if let Some(seat) = self.0.get(key) {
            return Boarding::Follows(seat.clone());
        }
        let seat = make();
        self.0.insert(key.clone(), seat.clone());
        Boarding::Leads(seat)
    }

    /// Whether a flight for `key` is under way.
    pub fn is_flying(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Takes a flight off the board. What came of it must be on the shelf by then, if it is to be
    /// kept, or the next one who asks would fly again.
    pub fn land(&mut self, key: &str) -> Option<S> {
        self.0.remove(key)
    }

    /// How many flights are under way.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a flight brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// An answer that is no error.
    Good,
    /// An error that is the answer (status 4xx).
    Refused,
    /// An error that tells of a failure (status 5xx).
    Failed,
    /// No answer: unreachable, too late, or a body cut short, again and again.
    Nothing,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer is put on the shelf and given to all who wait.
    Keep(Life),
    /// The old answer stays on the shelf with this life, and is given to all who wait.
    StandIn(Life),
    /// All who wait are told of the failure; nothing is kept.
    Tell,
}

/// What becomes of an arrival, given the life of the answer that is on the shelf.
pub fn judge(arrival: Arrival, old: Option<Life>, terms: &Terms, now: Instant) -> Verdict {
    let stand_in = || {
        old.filter(|old| old.state(now) != State::Spent)?
            .standing_in(now)
    };
    match arrival {
        Arrival::Good => Verdict::Keep(Life::of_answer(terms, now)),
        Arrival::Refused => Verdict::Keep(Life::of_error(terms, now)),
        Arrival::Failed => match stand_in() {
            Some(life) => Verdict::StandIn(life),
            None => Verdict::Keep(Life::of_error(terms, now)),
        },
        Arrival::Nothing => stand_in().map_or(Verdict::Tell, Verdict::StandIn),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_leads_and_all_others_follow_until_it_lands() {
        let mut board = Board::default();
        let key: Arc<str> = Arc::from("/a");
        assert_eq!(board.board(&key, || 1), Boarding::Leads(1));
        assert_eq!(board.board(&key, || 2), Boarding::Follows(1));
        assert_eq!(board.board(&Arc::from("/b"), || 3), Boarding::Leads(3));
        assert_eq!(board.len(), 2);
        assert_eq!(board.land("/a"), Some(1));
        assert_eq!(board.land("/a"), None);
        assert_eq!(board.board(&key, || 4), Boarding::Leads(4));
    }

    #[test]
    fn failures_are_hidden_behind_what_may_stand_in_alone() {
        let now = Instant::now();
        let terms = Terms {
            fresh: Duration::from_secs(1),
            stale: Duration::from_secs(60),
            error: Duration::from_secs(1),
        };
        let old = Life::of_answer(&terms, now);
        let later = now + Duration::from_secs(10);
        let stand_in = Verdict::StandIn(old.standing_in(later).unwrap());
        let error = Verdict::Keep(Life::of_error(&terms, later));
        let good = Verdict::Keep(Life::of_answer(&terms, later));
        for (arrival, old, expected) in [
            (Arrival::Good, Some(old), good),
            (Arrival::Refused, Some(old), error),
            (Arrival::Failed, Some(old), stand_in),
            (Arrival::Nothing, Some(old), stand_in),
            (Arrival::Failed, None, error),
            (Arrival::Nothing, None, Verdict::Tell),
        ] {
            assert_eq!(judge(arrival, old, &terms, later), expected, "{arrival:?}");
        }
        let too_late = now + Duration::from_secs(61);
        assert_eq!(
            judge(Arrival::Nothing, Some(old), &terms, too_late),
            Verdict::Tell
        );
    }
}
