use proptest::prelude::*;

use super::*;

const PACE: Pace = Pace {
    dwell: Duration::from_secs(10),
    samples: 100,
};

/// How a module behaves, as parts of all calls.
#[derive(Clone, Copy, Debug, Default)]
struct Behaviour {
    fails: f64,
    errs: f64,
    refuses: f64,
    slower: f64,
    faster: f64,
}

/// What became of it, when, and its share at each ruling.
struct Trial {
    end: Option<Result<(), Worse>>,
    took: Duration,
    shares: Vec<Share>,
}

/// A PoP with so many calls of the module's videos a second, on virtual time.
fn run(behaviour: Behaviour, calls_per_s: f64, seed: u64) -> Trial {
    let began = Instant::now();
    let mut now = began;
    let mut judge = Judge::new(PACE, now);
    let mut share = Judge::FIRST;
    let mut shares = vec![share];
    let mut dice = Dice(seed);
    let mut due = 0.0;
    while now < began + 100 * PACE.dwell {
        due += calls_per_s * INTERVAL.as_secs_f64() * f64::from(share.ten_thousandths()) / 10_000.0;
        let mut tally = Tally::default();
        for _ in 0..due as u64 {
            tally.calls += 1;
            tally.timed += 1;
            tally.failures += dice.falls(behaviour.fails);
            tally.errors += dice.falls(behaviour.errs);
            tally.refusals += dice.falls(behaviour.refuses);
            tally.slower += dice.falls(behaviour.slower);
            tally.faster += dice.falls(behaviour.faster);
        }
        due -= due.floor();
        judge.hear(tally);
        let end = match judge.rule(now) {
            Ruling::Goes { share: next, .. } => {
                share = next;
                shares.push(share);
                None
            }
            Ruling::Wins => Some(Ok(())),
            Ruling::Loses(worse) => Some(Err(worse)),
        };
        if end.is_some() {
            let took = now - began;
            return Trial { end, took, shares };
        }
        now += INTERVAL;
    }
    let took = now - began;
    Trial {
        end: None,
        took,
        shares,
    }
}

/// SplitMix64: the same throws for the same seed.
struct Dice(u64);

impl Dice {
    fn falls(&mut self, rate: f64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        u64::from((z >> 11) as f64 / ((1u64 << 53) as f64) < rate)
    }
}

#[test]
fn one_that_is_as_good_takes_every_step_and_wins() {
    let trial = run(Behaviour::default(), 2000.0, 1);
    assert_eq!(trial.end, Some(Ok(())));
    // Three dwell times and the spread of the last step.
    assert_eq!(trial.took, 3 * PACE.dwell + PACE.dwell / 2);
    let mut steps = trial.shares.clone();
    steps.dedup();
    assert!(steps.is_sorted());
    assert_eq!(steps[..2], [Share::percent(1), Share::percent(10)]);
    assert_eq!(steps.last(), Some(&Share::ALL));
    let largest = steps
        .windows(2)
        .map(|w| w[1].ten_thousandths() - w[0].ten_thousandths())
        .max();
    assert!(
        largest <= Some(1000),
        "videos move one after the other: {steps:?}"
    );
}

#[test]
fn one_that_always_fails_is_gone_after_three_calls() {
    let mut judge = Judge::new(PACE, Instant::now());
    let now = Instant::now();
    for call in 1..=3 {
        judge.hear(Tally {
            calls: 1,
            failures: 1,
            ..Tally::default()
        });
        let lost = matches!(judge.rule(now), Ruling::Loses(Worse::Fails(3, 3)));
        assert_eq!(lost, call == 3, "call {call}");
    }
}

#[test]
fn what_shows_on_the_last_step_only_is_not_too_late() {
    let now = Instant::now();
    let mut judge = Judge::new(PACE, now);
    let good = Tally {
        calls: 100_000,
        ..Tally::default()
    };
    for step in 1..=2 {
        judge.hear(good);
        assert!(matches!(
            judge.rule(now + step * PACE.dwell),
            Ruling::Goes { .. }
        ));
    }
    judge.hear(Tally {
        calls: 20,
        failures: 10,
        ..Tally::default()
    });
    let ruling = judge.rule(now + 3 * PACE.dwell);
    assert_eq!(ruling, Ruling::Loses(Worse::Fails(10, 20)));
}

#[test]
fn where_hardly_anyone_watches_a_step_takes_its_patience() {
    let trial = run(Behaviour::default(), 0.0, 1);
    assert_eq!(trial.end, Some(Ok(())));
    assert_eq!(trial.took, 15 * PACE.dwell + PACE.dwell / 2);
}

#[test]
fn the_reason_says_what_was_seen() {
    let reason = |behaviour| match run(behaviour, 5000.0, 3).end {
        Some(Err(worse)) => worse.to_string(),
        other => panic!("{other:?}"),
    };
    let none = Behaviour::default();
    assert!(reason(Behaviour { fails: 0.5, ..none }).contains("calls failed"));
    assert!(reason(Behaviour { errs: 0.2, ..none }).contains("got an error"));
    assert!(
        reason(Behaviour {
            refuses: 0.2,
            ..none
        })
        .contains("turned away")
    );
    assert!(
        reason(Behaviour {
            slower: 0.6,
            ..none
        })
        .contains("took more than twice")
    );
}

#[test]
fn bounds_hold_the_rate_and_close_in_on_it() {
    for (hits, all) in [
        (0, 1),
        (1, 1),
        (5, 10),
        (1, 1000),
        (999, 1000),
        (0, 100_000),
    ] {
        let (low, high) = bounds(hits, all);
        let rate = hits as f64 / all as f64;
        assert!(
            (-1e-9..=rate + 1e-9).contains(&low),
            "{hits} of {all}: {low}"
        );
        assert!(
            (rate - 1e-9..=1.0 + 1e-9).contains(&high),
            "{hits} of {all}: {high}"
        );
    }
    let width = |all| {
        let (low, high) = bounds(all / 2, all);
        high - low
    };
    assert!(width(10_000) < width(100) / 5.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The same module under another name, on a machine that holds up one call or the other.
    #[test]
    fn noise_does_not_roll_back(
        noise in 0.0..0.5f64,
        calls_per_s in 0.0..3000.0f64,
        seed: u64,
    ) {
        let behaviour = Behaviour { slower: noise, faster: noise, ..Behaviour::default() };
        prop_assert_eq!(run(behaviour, calls_per_s, seed).end, Some(Ok(())));
    }

    /// A new rule may well turn away a viewer in a thousand.
    #[test]
    fn a_small_change_is_no_fault(refuses in 0.0..0.002f64, errs in 0.0..0.002f64, seed: u64) {
        let behaviour = Behaviour { refuses, errs, ..Behaviour::default() };
        prop_assert_eq!(run(behaviour, 1000.0, seed).end, Some(Ok(())));
    }

    /// One that fails now and then never gets to all videos, where there is anyone to see it.
    #[test]
    fn what_fails_never_wins(fails in 0.02..1.0f64, calls_per_s in 1000.0..5000.0f64, seed: u64) {
        let behaviour = Behaviour { fails, ..Behaviour::default() };
        let trial = run(behaviour, calls_per_s, seed);
        prop_assert!(matches!(trial.end, Some(Err(Worse::Fails(..)))), "{:?}", trial.end);
        prop_assert!(trial.shares.iter().all(|share| *share <= Share::percent(10)));
    }

    #[test]
    fn one_that_is_slow_does_not_win(slower in 0.3..1.0f64, seed: u64) {
        let behaviour = Behaviour { slower, faster: 0.02, ..Behaviour::default() };
        let trial = run(behaviour, 2000.0, seed);
        prop_assert!(matches!(trial.end, Some(Err(Worse::Slow(..)))), "{:?}", trial.end);
    }
}
