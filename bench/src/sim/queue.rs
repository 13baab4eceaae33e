//! Events in the order of virtual time: a calendar of milliseconds, in which putting and taking cost
//! the same however many wait.

/// Microseconds of virtual time.
pub(crate) type Micros = u64;

/// Microseconds of one day of the calendar.
const DAY: Micros = 1000;

/// Events with their times. Those of one time come out as they were put in.
pub(crate) struct Queue<E> {
    /// Ahead of today, by day modulo its length.
    days: Vec<Vec<Entry<E>>>,
    /// Further ahead than the calendar goes.
    later: Vec<Entry<E>>,
    /// What is left of today, the last one first.
    today: Vec<Entry<E>>,
    day: u64,
    order: u64,
    len: usize,
}

struct Entry<E> {
    at: Micros,
    order: u64,
    event: E,
}

impl<E> Entry<E> {
    fn rank(&self) -> (Micros, u64) {
        (self.at, self.order)
    }
}

impl<E> Queue<E> {
    /// An empty calendar.
    pub(crate) fn new() -> Self {
        /// 16 s: nothing is often put further ahead.
        const DAYS: usize = 1 << 14;
        Self {
            days: (0..DAYS).map(|_| Vec::new()).collect(),
            later: Vec::new(),
            today: Vec::new(),
            day: 0,
            order: 0,
            len: 0,
        }
    }

    /// Puts an event at `at`, which has not passed.
    pub(crate) fn put(&mut self, at: Micros, event: E) {
        let order = self.order;
        self.order += 1;
        self.len += 1;
        let entry = Entry { at, order, event };
        let day = at / DAY;
        if day <= self.day {
            let place = self.today.partition_point(|e| e.rank() > entry.rank());
            self.today.insert(place, entry);
        } else if day - self.day < self.days.len() as u64 {
            let slot = self.slot(day);
            self.days[slot].push(entry);
        } else {
            self.later.push(entry);
        }
    }

    /// The next event.
    pub(crate) fn take(&mut self) -> Option<(Micros, E)> {
        if self.len == 0 {
            return None;
        }
        while self.today.is_empty() {
            self.turn();
        }
        self.len -= 1;
        self.today.pop().map(|entry| (entry.at, entry.event))
    }

    fn turn(&mut self) {
        self.day += 1;
        let slot = self.slot(self.day);
        self.today.append(&mut self.days[slot]);
        if slot == 0 {
            // Once a round, whatever came within reach.
            let reach = self.day + self.days.len() as u64;
            for entry in std::mem::take(&mut self.later) {
                let day = entry.at / DAY;
                if day == self.day {
                    self.today.push(entry);
                } else if day < reach {
                    let slot = self.slot(day);
                    self.days[slot].push(entry);
                } else {
                    self.later.push(entry);
                }
            }
        }
        self.today
            .sort_unstable_by_key(|entry| std::cmp::Reverse(entry.rank()));
    }

    fn slot(&self, day: u64) -> usize {
        (day % self.days.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_their_order() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut queue = Queue::new();
        let (mut now, mut number, mut last) = (0, 0, (0, 0));
        for _ in 0..200_000 {
            if random.u8(..) < 140 {
                let ahead = match random.u8(..) {
                    0..100 => random.u64(..2 * DAY),
                    100..250 => random.u64(..3_000_000),
                    _ => random.u64(..90_000_000),
                };
                queue.put(now + ahead, (now + ahead, number));
                number += 1;
            } else if let Some((at, event)) = queue.take() {
                assert_eq!(at, event.0);
                assert!(event > last, "{event:?} after {last:?}");
                (now, last) = (at, event);
            }
        }
        let mut left = 0;
        while let Some((_, event)) = queue.take() {
            assert!(event > last);
            last = event;
            left += 1;
        }
        assert!(left > 1000);
    }
}
