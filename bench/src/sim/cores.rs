//! What a machine's processors make of all that it is asked.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::queue::Micros;

/// Reading a request and deciding about it. Together with [`ANSWER`] it is what `bench flat` measures
/// per answer with 1,000 real viewers (33 µs); a whole hit in `bench edge` takes about as long.
pub(crate) const ASK: Micros = 12;

/// Waking the one who waits, and writing the answer: 500 viewers who wait for one position at one
/// core have the last of their answers 10.5 ms after it is there (`bench edge`).
pub(crate) const ANSWER: Micros = 21;

/// The cores of one machine. They take what there is to do in the order in which it comes, and never
/// hinder each other.
#[derive(Debug, Default)]
pub(crate) struct Cores {
    /// When each has done what it was given. None, if work takes no time.
    free_at: BinaryHeap<Reverse<Micros>>,
}

impl Cores {
    /// So many; without a number there are always enough, and nothing takes time.
    pub(crate) fn new(cores: Option<u16>) -> Self {
        let cores = cores.unwrap_or(0);
        Self {
            free_at: (0..cores).map(|_| Reverse(0)).collect(),
        }
    }

    /// A request has come.
    pub(crate) fn ask(&mut self, now: Micros) {
        let _ = self.work(now, ASK);
    }

    /// An answer is there for somebody; when it has left.
    pub(crate) fn answer(&mut self, now: Micros) -> Micros {
        self.work(now, ANSWER)
    }

    fn work(&mut self, now: Micros, takes: Micros) -> Micros {
        let Some(mut first) = self.free_at.peek_mut() else {
            return now;
        };
        let done = first.0.max(now) + takes;
        *first = Reverse(done);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_share_what_there_is_to_do() {
        let mut cores = Cores::new(Some(2));
        cores.ask(1000);
        let left = [0; 4].map(|_| cores.answer(1000));
        let one_has_asked = 1000 + ASK;
        let expected = [
            1000 + ANSWER,
            one_has_asked + ANSWER,
            1000 + 2 * ANSWER,
            one_has_asked + 2 * ANSWER,
        ];
        assert_eq!(left, expected);
        assert_eq!(cores.answer(9000), 9000 + ANSWER);
    }

    #[test]
    fn without_a_number_nothing_takes_time() {
        let mut cores = Cores::new(None);
        cores.ask(7);
        assert_eq!(cores.answer(7), 7);
    }
}
