use std::{
    collections::BTreeSet,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use weir_edge_abi::{Action, BodyKind, Method};

use super::*;

/// A module that answers 200 with `tag` as the body, unless the path begins with `/bad`; then it
/// does what `bad` says. The path begins 12 bytes into the message.
fn module(tag: char, bad: &str) -> Vec<u8> {
    let wat = format!(
        r#"(module
            (memory (export "memory") 2)
            (data (i32.const 100000) "\03\07\00\c8\00\00\00\01\00\00\00{tag}\00")
            (func (export "edge_abi") (result i32) (i32.const 3))
            (func (export "edge_buf") (result i32) (i32.const 1024))
            (func (export "edge_cap") (result i32) (i32.const 65536))
            (func (export "edge_init") (param i32) (result i32) (i32.const 0))
            (func (export "edge_body") (param i32) (result i32)
                (i32.store8 offset=1024 (i32.const 0) (i32.const 3))
                (i32.store8 offset=1025 (i32.const 0) (i32.const 0))
                (i32.const 2))
            (func (export "edge_decide") (param i32) (result i32)
                (if (i32.eq (i32.load8_u offset=1037 (i32.const 0)) (i32.const 98)) (then {bad}))
                (memory.copy (i32.const 1024) (i32.const 100000) (i32.const 13))
                (i32.const 13)))"#
    );
    wat::parse_str(wat).unwrap()
}

fn generation(tag: char, bad: &str, namespace: &str) -> Generation {
    let config = ConfigMessage::new(&weir_edge_abi::Config::default()).unwrap();
    let module = Guests::compile(&module(tag, bad), config).unwrap();
    Generation::new(module, namespace.to_owned())
}

fn guests() -> Guests {
    Guests::new(generation('A', "", ""))
}

/// Who answers: the body, and the namespace of its cache keys.
fn ask(guests: &Guests, path: &str) -> Result<(String, String), CallError> {
    let request = Request::new(Method::Get, path, "");
    guests.decide(&request, |plan, author| match &plan.action {
        Action::Respond(response) => {
            let body = String::from_utf8(response.body.to_vec()).unwrap();
            (body, author.namespace.to_owned())
        }
        other => panic!("{other:?}"),
    })
}

fn answers(guests: &Guests, path: &str) -> String {
    ask(guests, path).unwrap().0
}

fn videos() -> impl Iterator<Item = String> {
    (0..500).map(|n| format!("/v/o{n}/index.m3u8"))
}

#[test]
fn a_candidate_decides_for_its_share_in_a_namespace_of_its_own() {
    let guests = guests();
    guests.try_out(generation('B', "", "b"), Share::percent(10));
    let decided: BTreeSet<_> = videos()
        .filter(|path| answers(&guests, path) == "B")
        .collect();
    assert!((20..90).contains(&decided.len()), "{}", decided.len());
    for path in videos() {
        let expected = match decided.contains(&path) {
            true => ("B".to_owned(), "b".to_owned()),
            false => ("A".to_owned(), String::new()),
        };
        assert_eq!(
            ask(&guests, &path).unwrap(),
            expected,
            "{path} stays with one module"
        );
    }
    assert_eq!(answers(&guests, "/"), "A", "what is of no video comes last");
    assert_eq!(guests.take_tally().calls, 2 * decided.len() as u64);

    // A larger share holds the smaller one.
    guests.give(Share::percent(50));
    assert!(decided.iter().all(|path| answers(&guests, path) == "B"));
    guests.give(Share::ALL);
    assert!(videos().all(|path| answers(&guests, &path) == "B"));
    assert_eq!(answers(&guests, "/"), "B");
}

#[test]
fn the_winner_keeps_its_namespace_and_the_loser_goes() {
    let guests = guests();
    guests.try_out(generation('B', "", "b"), Share::percent(1));
    guests.adopt();
    assert_eq!(ask(&guests, "/").unwrap(), ("B".to_owned(), "b".to_owned()));
    guests.try_out(generation('C', "", "c"), Share::ALL);
    assert_eq!(answers(&guests, "/"), "C");
    guests.dismiss();
    assert_eq!(answers(&guests, "/"), "B");
    assert_eq!(
        guests.take_tally(),
        Tally::default(),
        "nothing is left of a trial"
    );
}

#[test]
fn old_engines_are_freed_though_threads_sleep() {
    let guests = Arc::new(guests());
    let old = Arc::downgrade(&guests.line_up().stable);
    // Each thread leaves an instance in its slot.
    for _ in 0..8 {
        let guests = guests.clone();
        thread::spawn(move || answers(&guests, "/")).join().unwrap();
    }
    guests.try_out(generation('B', "", "b"), Share::ALL);
    guests.adopt();
    assert!(old.upgrade().is_none(), "nothing holds the old module");
}

/// The old module stays and answers; the candidate is found out.
fn check_misbehaviour(bad: &str) {
    let guests = guests();
    guests.try_out(generation('B', bad, "b"), Share::ALL);
    for round in 1..=3 {
        assert_eq!(answers(&guests, "/good"), "B");
        let began = Instant::now();
        let answer = ask(&guests, "/bad").unwrap();
        assert_eq!(answer, ("A".to_owned(), String::new()), "round {round}");
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
    }
    let tally = guests.take_tally();
    assert_eq!((tally.calls, tally.failures), (6, 3));
}

#[test]
fn a_candidate_that_traps_costs_no_viewer_anything() {
    check_misbehaviour("unreachable");
}

#[test]
fn one_that_loops_without_end_neither() {
    check_misbehaviour("(loop $for_ever (br $for_ever))");
}

#[test]
fn one_that_allocates_without_end_neither() {
    check_misbehaviour(
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
    );
}

#[test]
fn one_that_answers_nonsense_neither() {
    check_misbehaviour("(return (i32.const 3))");
    check_misbehaviour("(return (i32.const -1))");
}

#[test]
fn what_both_fail_at_is_not_held_against_the_candidate() {
    let guests = Guests::new(generation('A', "unreachable", ""));
    guests.try_out(generation('B', "unreachable", "b"), Share::ALL);
    assert!(matches!(ask(&guests, "/bad"), Err(CallError::Trap(_))));
    assert_eq!(guests.take_tally().failures, 0);
    assert_eq!(answers(&guests, "/good"), "B");
}

#[test]
fn errors_count_where_the_stable_module_would_have_decided_otherwise() {
    // `/bad` is refused with 403 by the candidate alone.
    let refuse = "(i32.store8 offset=100002 (i32.const 0) (i32.const 1))
        (i32.store16 offset=100003 (i32.const 0) (i32.const 403))";
    let guests = guests();
    guests.try_out(generation('B', refuse, "b"), Share::ALL);
    let mark = |path| {
        let request = Request::new(Method::Get, path, "");
        guests.decide(&request, |_, author| author.mark).unwrap()
    };
    let agreed = mark("/good");
    guests.answered(agreed, StatusCode::BAD_GATEWAY);
    assert_eq!(guests.take_tally().errors, 0, "the origin did that");
    let own = mark("/bad");
    guests.answered(own, StatusCode::OK);
    guests.answered(own, StatusCode::FORBIDDEN);
    let tally = guests.take_tally();
    assert_eq!((tally.refusals, tally.errors), (1, 1));
    guests.dismiss();
    guests.answered(own, StatusCode::FORBIDDEN);
    assert_eq!(
        guests.take_tally(),
        Tally::default(),
        "it came after the trial"
    );
}

#[test]
fn a_body_is_checked_by_whoever_made_the_plan() {
    let guests = guests();
    guests.try_out(generation('B', "", "b"), Share::ALL);
    let request = Request::new(Method::Post, "/", "");
    let mark = guests.decide(&request, |_, author| author.mark).unwrap();
    let check = BodyCheck {
        kind: BodyKind::Comment,
        body: b"{}",
    };
    let accepted = |mark| {
        let verdict = guests.check_body(mark, &check, |verdict| verdict == Verdict::Accept);
        assert!(verdict.unwrap());
        guests.take_tally().calls
    };
    assert_eq!(accepted(mark), 2);
    guests.dismiss();
    assert_eq!(accepted(mark), 0, "it is gone, so the stable one checks");
}

#[test]
fn modules_change_under_load() {
    let guests = Arc::new(guests());
    let done = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let (guests, done) = (guests.clone(), done.clone());
            thread::spawn(move || {
                let mut answered = 0;
                while !done.load(Ordering::Relaxed) {
                    for path in videos().take(20) {
                        assert!("ABC".contains(&answers(&guests, &path)));
                        answered += 1;
                    }
                }
                answered
            })
        })
        .collect();
    for round in 0..20 {
        let tag = if round % 2 == 0 { 'B' } else { 'C' };
        guests.try_out(generation(tag, "", "x"), Share::percent(10));
        guests.give(Share::ALL);
        match round % 3 {
            0 => guests.dismiss(),
            _ => guests.adopt(),
        }
    }
    done.store(true, Ordering::Relaxed);
    for thread in asking {
        assert!(thread.join().unwrap() > 0);
    }
}
