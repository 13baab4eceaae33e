//! When to leave out a rung, and when to make it again. A pure core: it is told how far behind
//! the ladder is, and what time it is.
//!
//! Rungs go from the top, where a rung costs most, and come back in the reverse order. What is
//! too much cannot be known without trying, so that a rung that had to go again soon after its
//! return is tried more and more rarely.

use std::time::Duration;

/// Work that has waited longer than this is late. A rung's segment becomes a GAP at 1.5 s.
const LATE: Duration = Duration::from_secs(1);

/// As long as nothing has waited longer than this, there is room.
const CALM: Duration = Duration::from_millis(300);

/// Progress is measured over at least this long.
const STRIDE: Duration = Duration::from_millis(250);

/// A backlog that falls by this share of the time that passes is being worked off: a burst, or
/// what has piled up before a rung was left out.
const PROGRESS: f64 = 0.2;

/// How long there must be room before a rung returns, at first and at most.
const FIRST_HOLD: Duration = Duration::from_secs(10);
const LONGEST_HOLD: Duration = Duration::from_secs(160);

/// A rung that goes again within this time has come back too early.
const TRIAL: Duration = Duration::from_secs(30);

/// How far behind the ladder is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Behind {
    /// How long ago that came which has waited longest.
    pub(crate) waited: Duration,
    /// How much media waits.
    pub(crate) media: Duration,
}

/// Which rungs are left out: always the best ones.
#[derive(Debug)]
pub(crate) struct Overload {
    rungs: usize,
    shed: usize,
    /// An earlier time, and how much media waited then.
    mark: Option<(Duration, Duration)>,
    calm_since: Option<Duration>,
    returned_at: Option<Duration>,
    hold: Duration,
}

impl Overload {
    /// A ladder of so many rungs, all made.
    pub(crate) fn new(rungs: usize) -> Self {
        Self {
            rungs,
            shed: 0,
            mark: None,
            calm_since: None,
            returned_at: None,
            hold: FIRST_HOLD,
        }
    }

    /// Call whenever something comes, and at least every 100 ms while something waits. Answers
    /// which rung is to be left out from now on, counted from the best one.
    pub(crate) fn observe(&mut self, now: Duration, behind: Behind) -> Option<usize> {
        match behind.waited < CALM {
            true => self.calm_since = self.calm_since.or(Some(now)),
            false => self.calm_since = None,
        }
        let (marked_at, marked) = *self.mark.get_or_insert((now, behind.media));
        let passed = now.saturating_sub(marked_at);
        if passed < STRIDE {
            return None;
        }
        self.mark = Some((now, behind.media));
        let worked_off = marked.as_secs_f64() - behind.media.as_secs_f64();
        let catches_up = worked_off >= passed.as_secs_f64() * PROGRESS;
        if behind.waited < LATE || catches_up || self.shed == self.rungs {
            return None;
        }
        let too_early = self
            .returned_at
            .take()
            .is_some_and(|at| now.saturating_sub(at) < TRIAL);
        self.hold = match too_early {
            true => (self.hold * 2).min(LONGEST_HOLD),
            false => FIRST_HOLD,
        };
        self.calm_since = None;
        self.shed += 1;
        Some(self.shed - 1)
    }

    /// A segment begins. Answers which rung is to be made from it on.
    pub(crate) fn segment_begins(&mut self, now: Duration) -> Option<usize> {
        let calm = self.calm_since?;
        if self.shed == 0 || now.saturating_sub(calm) < self.hold {
            return None;
        }
        self.calm_since = None;
        self.returned_at = Some(now);
        self.shed -= 1;
        Some(self.shed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A machine and a source on a virtual clock: a picture of 40 ms comes every 40 ms, a segment
    /// begins every 2 s, and each rung that is made costs its share of real time.
    struct World {
        overload: Overload,
        now: Duration,
        backlog: Duration,
        /// Share of real time that each rung costs, best first.
        cost: Vec<f64>,
        made: Vec<bool>,
        /// When a rung went or came.
        changes: Vec<(u64, usize, bool)>,
    }

    impl World {
        const TICK: Duration = Duration::from_millis(40);

        fn new(cost: &[f64]) -> Self {
            Self {
                overload: Overload::new(cost.len()),
                now: Duration::ZERO,
                backlog: Duration::ZERO,
                cost: cost.to_vec(),
                made: vec![true; cost.len()],
                changes: Vec::new(),
            }
        }

        fn run(&mut self, length: Duration) {
            let end = self.now + length;
            while self.now < end {
                self.now += Self::TICK;
                self.backlog += Self::TICK;
                let load: f64 = self
                    .made
                    .iter()
                    .zip(&self.cost)
                    .map(|(&made, cost)| if made { *cost } else { 0.0 })
                    .sum();
                let speed = if load > 0.0 { 1.0 / load } else { f64::MAX };
                let can_do = Duration::try_from_secs_f64(Self::TICK.as_secs_f64() * speed);
                self.backlog = self.backlog.saturating_sub(can_do.unwrap_or(Duration::MAX));
                let behind = Behind {
                    waited: self.backlog,
                    media: self.backlog,
                };
                let gone = self.overload.observe(self.now, behind);
                let back = self
                    .now
                    .as_millis()
                    .is_multiple_of(2000)
                    .then(|| self.overload.segment_begins(self.now))
                    .flatten();
                for (rung, made) in gone
                    .map(|rung| (rung, false))
                    .into_iter()
                    .chain(back.map(|rung| (rung, true)))
                {
                    assert_ne!(self.made[rung], made);
                    self.made[rung] = made;
                    self.changes.push((self.now.as_millis() as u64, rung, made));
                }
                assert!(
                    self.backlog < 2000 * MS,
                    "{:?} behind at {:?}",
                    self.backlog,
                    self.now
                );
            }
        }
    }

    #[test]
    fn a_machine_that_keeps_up_makes_everything() {
        let mut world = World::new(&[0.5, 0.3, 0.15]);
        world.run(Duration::from_secs(600));
        assert_eq!(world.changes, []);
    }

    #[test]
    fn rungs_go_from_the_top_until_the_rest_fits() {
        let mut world = World::new(&[3.0, 0.7, 0.5, 0.1]);
        world.run(Duration::from_secs(9));
        let gone: Vec<_> = world
            .changes
            .iter()
            .map(|&(_, rung, made)| (rung, made))
            .collect();
        assert_eq!(gone, [(0, false), (1, false)]);
        assert!(world.backlog < CALM);
    }

    #[test]
    fn a_rung_returns_when_there_is_room_and_stays() {
        let mut world = World::new(&[1.5, 0.2]);
        world.run(Duration::from_secs(20));
        assert_eq!(world.made, [false, true]);
        let seen = world.changes.len();
        world.cost[0] = 0.4;
        world.run(Duration::from_secs(180));
        let (at, rung, made) = *world.changes.last().unwrap();
        assert_eq!(
            (rung, made, at % 2000),
            (0, true, 0),
            "at the start of a segment"
        );
        assert_eq!(world.changes.len(), seen + 1);
    }

    #[test]
    fn what_never_fits_is_tried_more_and_more_rarely() {
        let mut world = World::new(&[1.5, 0.2]);
        world.run(Duration::from_secs(1000));
        let returns: Vec<u64> = world
            .changes
            .iter()
            .filter(|(.., made)| *made)
            .map(|(at, ..)| *at)
            .collect();
        let waits: Vec<u64> = returns.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(waits[0] < 30_000, "{waits:?}");
        assert!(
            waits.windows(2).all(|pair| pair[0] <= pair[1] + 2000),
            "{waits:?}"
        );
        assert!(
            (160_000..175_000).contains(waits.last().unwrap()),
            "{waits:?}"
        );
    }

    #[test]
    fn rungs_return_one_at_a_time_lowest_first() {
        let mut world = World::new(&[4.0, 4.0, 4.0]);
        world.run(Duration::from_secs(8));
        assert_eq!(world.made, [false; 3], "nothing fits");
        world.cost = vec![0.2; 3];
        world.changes.clear();
        world.run(Duration::from_secs(60));
        let back: Vec<_> = world
            .changes
            .iter()
            .map(|&(_, rung, made)| (rung, made))
            .collect();
        assert_eq!(back, [(2, true), (1, true), (0, true)]);
        assert!(
            world
                .changes
                .windows(2)
                .all(|pair| pair[1].0 - pair[0].0 >= 10_000)
        );
    }

    #[test]
    fn a_burst_that_is_worked_off_sheds_nothing() {
        let mut world = World::new(&[0.5, 0.2]);
        world.backlog = 1500 * MS;
        world.run(Duration::from_secs(10));
        assert_eq!(world.changes, []);
    }
}
