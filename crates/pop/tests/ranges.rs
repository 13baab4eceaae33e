//! Parts of answers, and answers that the viewer has already: out of the cache, and out of what
//! still grows.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use support::{
    RunningPop,
    client::{Answer, Call},
    gate::Gate,
    origin::{Origin, Reply, wait_until},
};

const SEGMENT: &str = "/v/oabcdefghijk/3/480p/12.m4s";
const GROWING: &str = "/v/oabcdefghijk/3/480p/dash-12.m4s";
const MODIFIED: &str = "Tue, 03 Mar 2026 10:00:00 GMT";

fn ask(pop: &RunningPop, target: &str, fields: &[(&str, &str)]) -> Answer {
    let call = Call::new("GET", target);
    let call = fields
        .iter()
        .fold(call, |call, (name, value)| call.field(name, *value));
    call.send(pop.address)
}

#[test]
fn a_range_is_of_the_answer_that_the_viewer_has_a_part_of() {
    let origin = Origin::start(|_| Reply::Whole {
        status: 200,
        fields: vec![
            ("etag", "\"one\"".to_owned()),
            ("last-modified", MODIFIED.to_owned()),
        ],
        body: b"0123456789".to_vec(),
    });
    let pop = RunningPop::start(origin.address);
    let range = ("range", "bytes=2-4");
    for (if_range, status, text) in [
        ("\"one\"", 206, "234"),
        (MODIFIED, 206, "234"),
        ("\"two\"", 200, "0123456789"),
        ("W/\"one\"", 200, "0123456789"),
        ("Tue, 03 Mar 2026 10:00:01 GMT", 200, "0123456789"),
    ] {
        let answer = ask(&pop, SEGMENT, &[range, ("if-range", if_range)]);
        assert_eq!((answer.status, answer.text()), (status, text), "{if_range}");
    }
    let suffix = ask(&pop, SEGMENT, &[("range", "bytes=-2")]);
    assert_eq!((suffix.status, suffix.text()), (206, "89"));
    assert_eq!(suffix.field("content-range"), Some("bytes 8-9/10"));
    // What the viewer has goes before what part of it is wanted.
    let known = ask(&pop, SEGMENT, &[range, ("if-none-match", "\"one\"")]);
    assert_eq!((known.status, known.text()), (304, ""));
    let known = ask(&pop, SEGMENT, &[("if-modified-since", MODIFIED)]);
    assert_eq!((known.status, known.text()), (304, ""));
    assert_eq!(known.field("etag"), Some("\"one\""));
    assert_eq!(origin.asked_for(SEGMENT), 1);
}

#[test]
fn a_range_of_what_grows_comes_as_soon_as_it_is_there() {
    let gate = Gate::default();
    let origin = Origin::start({
        let gate = gate.clone();
        move |_| Reply::Chunked {
            first: b"01234".to_vec(),
            gate: gate.clone(),
            rest: Some(b"56789".to_vec()),
        }
    });
    let pop = RunningPop::start(origin.address);
    let whole = Call::new("GET", GROWING).start(pop.address);
    wait_until("the origin to be asked", || origin.asked_for(GROWING) == 1);

    let there = ask(&pop, GROWING, &[("range", "bytes=1-3")]);
    assert_eq!((there.status, there.text()), (206, "123"));
    assert_eq!(there.field("content-range"), Some("bytes 1-3/*"));
    let to_come = Call::new("GET", GROWING)
        .field("range", "bytes=4-20")
        .start(pop.address);
    // Without an end it is the whole that is sent, as it grows.
    let open = Call::new("GET", GROWING)
        .field("range", "bytes=2-")
        .start(pop.address);
    wait_until("all to be seen", || {
        pop.counter("weir_pop_guest_calls_total") as usize == 4
    });
    gate.open();
    let to_come = to_come.finish();
    assert_eq!((to_come.status, to_come.text()), (206, "456789"));
    assert_eq!(to_come.field("content-range"), Some("bytes 4-9/10"));
    let open = open.finish();
    assert_eq!((open.status, open.text()), (200, "0123456789"));
    assert_eq!(whole.finish().text(), "0123456789");

    // By now it is in the cache.
    let kept = ask(&pop, GROWING, &[("range", "bytes=2-")]);
    assert_eq!((kept.status, kept.text()), (206, "23456789"));
    assert_eq!(origin.asked_for(GROWING), 1);
}

#[test]
fn what_does_not_grow_to_its_end_is_never_kept() {
    let gate = Gate::default();
    let origin = Origin::start({
        let gate = gate.clone();
        move |_| Reply::Chunked {
            first: b"01234".to_vec(),
            gate: gate.clone(),
            rest: None,
        }
    });
    let pop = RunningPop::start(origin.address);
    let beyond = Call::new("GET", GROWING)
        .field("range", "bytes=4-20")
        .start(pop.address);
    wait_until("the origin to be asked", || origin.asked_for(GROWING) == 1);
    gate.open();
    assert_eq!(beyond.finish().status, 502);
    wait_until("the next one to cause a fetch of its own", || {
        // What breaks off at once may come without a head.
        Call::new("HEAD", GROWING).send(pop.address);
        origin.asked_for(GROWING) > 1
    });
}
