//! Any number of viewers cost one origin request, whatever becomes of them or of the origin.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{
    Arc, Condvar, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use support::{
    RunningPop,
    client::{Call, get},
    origin::{Origin, Reply, wait_until},
};

const POSITION: &str = "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7&_HLS_part=2";

/// Holds whoever passes until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let open = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(open, |open| !*open).unwrap());
    }
}

fn held_origin() -> (Origin, Gate) {
    let gate = Gate::default();
    let origin = Origin::start({
        let gate = gate.clone();
        move |asked| {
            gate.pass();
            Reply::text(asked.target.clone())
        }
    });
    (origin, gate)
}

#[test]
fn five_hundred_waiters_cost_one_request() {
    const WAITERS: usize = 500;
    let (origin, gate) = held_origin();
    let pop = RunningPop::start(origin.address);
    let waiters: Vec<_> = (0..WAITERS)
        .map(|i| {
            // Every one of them says something of its own.
            let target = format!("{POSITION}&CMCD=sid%3D{i}");
            Call::new("GET", &target).start(pop.address)
        })
        .collect();
    wait_until("all to be connected", || {
        pop.connections() as usize == WAITERS
            && pop.counter("weir_pop_guest_calls_total") as usize == WAITERS
    });
    gate.open();
    for waiter in waiters {
        let answer = waiter.finish();
        assert_eq!((answer.status, answer.text()), (200, POSITION));
    }
    assert_eq!(origin.asked_for(POSITION), 1);
    assert_eq!(origin.asked().len(), 1);
    assert_eq!(pop.requests("playlist", "miss"), 1.0);
    assert_eq!(pop.requests("playlist", "collapsed"), WAITERS as f64 - 1.0);
    let hit = get(pop.address, POSITION);
    let status = hit.field("cache-status").unwrap_or_default();
    assert!(status.starts_with("weir; hit; ttl="), "{status}");
}

#[test]
fn the_fetch_outlives_whoever_caused_it() {
    let (origin, gate) = held_origin();
    let pop = RunningPop::start(origin.address);
    let leader = Call::new("GET", POSITION).start(pop.address);
    wait_until("the origin to be asked", || origin.asked_for(POSITION) == 1);
    let follower = Call::new("GET", POSITION).start(pop.address);
    wait_until("the follower", || {
        pop.counter("weir_pop_guest_calls_total") as usize == 2
    });
    drop(leader);
    wait_until("the leader to be gone", || pop.connections() as usize == 1);
    gate.open();
    let answer = follower.finish();
    assert_eq!((answer.status, answer.text()), (200, POSITION));
    assert_eq!(
        answer.field("cache-status"),
        Some("weir; fwd=miss; collapsed; stored")
    );
    assert_eq!(origin.asked_for(POSITION), 1);
}

#[test]
fn a_fetch_that_nobody_waits_for_any_more_is_kept() {
    let (origin, gate) = held_origin();
    let pop = RunningPop::start(origin.address);
    let viewer = Call::new("GET", POSITION).start(pop.address);
    wait_until("the origin to be asked", || origin.asked_for(POSITION) == 1);
    drop(viewer);
    wait_until("the viewer to be gone", || pop.connections() as usize == 0);
    gate.open();
    let answer = get(pop.address, POSITION);
    assert_eq!((answer.status, answer.text()), (200, POSITION));
    assert_eq!(origin.asked_for(POSITION), 1);
}

#[test]
fn a_body_cut_short_is_asked_for_again_and_never_kept() {
    let segment = "/v/oabcdefghijk/3/480p/12.m4s";
    let failures = Arc::new(AtomicUsize::new(1));
    let origin = Origin::start({
        let failures = failures.clone();
        move |asked| {
            let left =
                failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            match left {
                Ok(_) => Reply::Cut {
                    announced: 1000,
                    body: b"half".to_vec(),
                },
                Err(_) => Reply::text(asked.target.clone()),
            }
        }
    });
    let pop = RunningPop::start(origin.address);
    let answer = get(pop.address, segment);
    assert_eq!((answer.status, answer.text()), (200, segment));
    assert_eq!(origin.asked_for(segment), 2);

    failures.store(2, Ordering::SeqCst);
    let segment = "/v/oabcdefghijk/3/480p/13.m4s";
    let answer = get(pop.address, segment);
    assert_eq!(answer.status, 502);
    assert_eq!(
        answer.field("content-type"),
        Some("application/problem+json")
    );
    let answer = get(pop.address, segment);
    assert_eq!(
        (answer.status, answer.text()),
        (200, segment),
        "nothing was kept"
    );
}

#[test]
fn viewers_go_on_when_the_origin_comes_back() {
    let back = Arc::new(AtomicBool::new(false));
    let origin = Origin::start({
        let back = back.clone();
        move |asked| match back.load(Ordering::SeqCst) {
            true => Reply::text(asked.target.clone()),
            false => Reply::Silence,
        }
    });
    let pop = RunningPop::start(origin.address);
    let waiter = Call::new("GET", POSITION).start(pop.address);
    wait_until("several attempts", || origin.asked_for(POSITION) > 3);
    back.store(true, Ordering::SeqCst);
    let answer = waiter.finish();
    assert_eq!((answer.status, answer.text()), (200, POSITION));
    assert_eq!(pop.requests("playlist", "miss"), 1.0);
}

#[test]
fn what_is_not_held_fails_at_once_when_nobody_listens() {
    // No port that a test is given.
    let pop = RunningPop::start("127.0.0.1:1".parse().unwrap());
    let answer = get(pop.address, "/api/v1/videos");
    assert_eq!(
        (answer.status, answer.field("retry-after")),
        (502, Some("1"))
    );
    assert_eq!(pop.requests("api", "error"), 1.0);
}
