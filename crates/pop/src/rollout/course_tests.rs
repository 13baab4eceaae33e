use std::time::Duration;

use weir_model::WallTime;

use super::*;

const PACE: Pace = Pace {
    dwell: Duration::from_secs(10),
    samples: 100,
};

fn hash(n: u8) -> ModuleHash {
    ModuleHash([n; 32])
}

fn course() -> Course {
    let stable = ModuleRef {
        sha256: hash(0),
        name: None,
    };
    Course::new(stable, Memory::default())
}

fn orders(number: u64, n: u8, again: bool) -> Orders {
    let manifest = Manifest {
        name: format!("edge-{n}"),
        sha256: hash(n),
        bytes: 1,
        abi: 3,
        created_at: WallTime(0),
        key: "0123456789abcdef".to_owned(),
        signature: String::new(),
    };
    Orders {
        rollout: Some(Rollout {
            number,
            started_at: WallTime(0),
            manifest,
            again,
        }),
    }
}

fn state(course: &Course) -> (u64, State) {
    let progress = course.status().rollout.unwrap();
    (progress.number, progress.state)
}

fn good(calls: u64) -> Tally {
    Tally {
        calls,
        ..Tally::default()
    }
}

fn bad(calls: u64) -> Tally {
    Tally {
        failures: calls,
        ..good(calls)
    }
}

/// Begins what `orders` say; gives the time of it.
fn begin(course: &mut Course, orders: &Orders) -> Instant {
    let now = Instant::now();
    let rollout = course.order(orders).expect("there is something to do");
    assert_eq!(course.begin(rollout, PACE, now), Share::percent(1));
    now
}

/// Lets a candidate go all its way.
fn win(course: &mut Course, mut now: Instant) {
    for _ in 0..100 {
        match course.proceed(good(1000), now) {
            Step::Give(_, next) => now = next,
            Step::Adopt => return,
            other => panic!("{other:?}"),
        }
    }
    panic!("it takes too long");
}

#[test]
fn without_orders_nothing_happens() {
    let mut course = course();
    assert_eq!(course.order(&Orders::default()), None);
    assert_eq!(course.proceed(good(5), Instant::now()), Step::Nothing);
    assert_eq!(course.status().rollout, None);
}

#[test]
fn a_module_is_fetched_tried_and_adopted() {
    let mut course = course();
    let first = orders(1, 1, false);
    assert!(!course.supersede(&first));
    let now = begin(&mut course, &first);
    assert_eq!(state(&course), (1, State::OnTrial));
    assert_eq!(course.order(&first), None, "it is under way");
    course.proceed(good(7), now);
    let candidate = course.status().candidate.unwrap();
    assert_eq!((candidate.share, candidate.calls), (100, 7));
    win(&mut course, now);
    let status = course.status();
    assert_eq!((status.stable.sha256, status.candidate), (hash(1), None));
    assert_eq!(course.memory().adopted.as_ref().unwrap().sha256, hash(1));
    assert_eq!(course.order(&first), None);
    assert_eq!(state(&course), (1, State::Adopted));
    // Telling a second time that this one is wanted finds it done.
    assert_eq!(course.order(&orders(2, 1, false)), None);
    assert_eq!(state(&course), (2, State::Adopted));
}

#[test]
fn what_was_rolled_back_is_not_tried_again_unasked() {
    let mut course = course();
    let now = begin(&mut course, &orders(1, 1, false));
    assert_eq!(course.proceed(bad(3), now), Step::Dismiss);
    assert_eq!(state(&course), (1, State::RolledBack));
    assert_eq!(
        (course.status().rolled_back, course.status().stable.sha256),
        (1, hash(0))
    );

    assert_eq!(course.order(&orders(1, 1, false)), None);
    assert_eq!(
        course.order(&orders(2, 1, false)),
        None,
        "a new roll-out of the same"
    );
    assert_eq!(state(&course), (2, State::RolledBack));
    let reason = course.status().rollout.unwrap().reason.unwrap();
    assert!(
        reason.starts_with("rolled back before: 3 of 3 calls failed"),
        "{reason}"
    );

    // In the next life too, unless somebody insists.
    let mut course = Course::new(course.status().stable, course.memory().clone());
    assert_eq!(course.order(&orders(2, 1, false)), None);
    let again = orders(3, 1, true);
    let now = begin(&mut course, &again);
    assert_eq!(course.proceed(bad(3), now), Step::Dismiss);
    assert_eq!(
        course.order(&again),
        None,
        "once for each time that somebody does"
    );
    let mut course = Course::new(course.status().stable, course.memory().clone());
    assert_eq!(course.order(&again), None);
}

#[test]
fn what_was_refused_is_refused_once_for_each_rollout() {
    let mut course = course();
    let first = orders(1, 1, false);
    assert!(course.order(&first).is_some());
    course.refuse(1, "the signature is wrong");
    assert_eq!(course.order(&first), None);
    assert_eq!(
        (state(&course), course.status().refused),
        ((1, State::Refused), 1)
    );
    assert!(
        course.order(&orders(2, 1, false)).is_some(),
        "keys may have been pinned since"
    );
}

#[test]
fn what_cannot_be_had_is_asked_for_again() {
    let mut course = course();
    let first = orders(1, 1, false);
    assert!(course.order(&first).is_some());
    course.wait(1, &"x".repeat(1000));
    assert_eq!(
        course.status().rollout.unwrap().reason.unwrap().len(),
        MAX_REASON
    );
    assert!(course.status().is_bounded());
    assert!(course.order(&first).is_some());
}

#[test]
fn a_newer_rollout_overtakes_one_under_way() {
    let mut course = course();
    begin(&mut course, &orders(1, 1, false));
    let second = orders(2, 2, false);
    assert!(
        !course.supersede(&Orders::default()),
        "an origin that forgot ends no trial"
    );
    assert!(course.supersede(&second));
    let now = begin(&mut course, &second);
    win(&mut course, now);
    // Back to the one before: it was overtaken, not rolled back.
    begin(&mut course, &orders(3, 1, false));
    // And back to the one that is stable, in the midst of that.
    let back = orders(4, 2, false);
    assert!(course.supersede(&back));
    assert_eq!(course.order(&back), None);
    assert_eq!(
        (state(&course), course.status().candidate),
        ((4, State::Adopted), None)
    );
}

#[test]
fn namespaces_are_of_modules() {
    assert_eq!(namespace(hash(0xab)), "ab".repeat(8));
    assert!(!namespace(hash(0)).starts_with('/'));
}
