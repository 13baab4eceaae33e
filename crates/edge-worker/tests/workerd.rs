//! The same module file under Cloudflare's runtime: the shell in front of an origin that counts. The
//! list of cases is the PoP's, and passes with both ways in which the shell shares answers.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;
#[path = "support/workerd.rs"]
mod workerd;

use std::sync::atomic::{AtomicUsize, Ordering};

use support::{
    cases,
    client::{Call, get},
    gate::Gate,
    origin::{Origin, Reply, wait_until},
};
use weir_model::{WallTime, edge::EdgeSecrets, ticket::Ticket};
use workerd::Setup;

const SEGMENT: &str = "/v/oabcdefghijk/3/480p/12.m4s";
const GROWING: &str = "/v/oabcdefghijk/3/480p/dash-12.m4s";
const POSITION: &str = "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7&_HLS_part=2";
const SPAN: &str = "/v/oabcdefghijk/3/span/7-480p.mp4";

#[test]
fn every_case_is_answered() {
    for setup in [Setup::coalescing(), Setup::cached()] {
        let origin = Origin::echo();
        let edge = setup.start(origin.address);
        for case in cases::all() {
            case.check(&case.call().send(edge.address));
        }
        for asked in origin.asked() {
            assert_eq!(asked.field("weir-pop"), Some("workerd"));
            assert_eq!(asked.field("user-agent"), None, "{asked:?}");
        }
    }
}

#[test]
fn tickets_are_signed_with_what_comes_of_the_edge_secret() {
    let origin = Origin::echo();
    let edge = Setup::coalescing().without_policy().start(origin.address);
    let answer = Call::new("POST", "/api/v1/videos/oabcdefghijk/sessions").send(edge.address);
    assert_eq!(answer.status, 201);
    let session: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
    let keys = EdgeSecrets::parse("an edge secret of 32 characters, or more")
        .unwrap()
        .ticket_keys();
    let now = WallTime(session["expires_at"].as_u64().unwrap() - 1000);
    let ticket = Ticket::verify(session["ticket"].as_str().unwrap(), &keys, now).unwrap();
    assert_eq!(
        (ticket.video.as_str(), &*ticket.pop),
        ("oabcdefghijk", "workerd")
    );
}

#[test]
fn a_cached_segment_asks_nobody() {
    let origin = Origin::echo();
    let edge = Setup::coalescing().start(origin.address);
    let first = get(edge.address, SEGMENT);
    assert_eq!(first.field("cache-status"), Some("weir; fwd=miss"));
    let hit = get(edge.address, &format!("{SEGMENT}?CMCD=1"));
    assert_eq!(hit.field("cache-status"), Some("weir; hit"));
    assert_eq!(
        hit.field("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    assert_eq!(hit.text(), SEGMENT);
    let head = Call::new("HEAD", SEGMENT).send(edge.address);
    assert_eq!((head.status, head.text()), (200, ""));
    assert_eq!(origin.asked_for(SEGMENT), 1);
    assert!(origin.asked()[0].field("weir-edge").is_some(), "is signed");
}

#[test]
fn ranges_are_cut_from_the_whole() {
    for setup in [Setup::coalescing(), Setup::cached()] {
        let origin = Origin::echo();
        let edge = setup.start(origin.address);
        let ask = |range| {
            Call::new("GET", SEGMENT)
                .field("range", range)
                .send(edge.address)
        };
        let len = SEGMENT.len();
        for (range, part) in [
            ("bytes=1-2", &SEGMENT[1..3]),
            ("bytes=5-", &SEGMENT[5..]),
            ("bytes=-4", &SEGMENT[len - 4..]),
        ] {
            let answer = ask(range);
            assert_eq!((answer.status, answer.text()), (206, part), "{range}");
            let from = len - SEGMENT.len() + SEGMENT.find(part).unwrap();
            let expected = format!("bytes {from}-{}/{len}", from + part.len() - 1);
            assert_eq!(answer.field("content-range"), Some(&*expected));
        }
        assert_eq!(ask("bytes=900-").status, 416);
        assert_eq!(ask("bytes=1-2,4-5").text(), SEGMENT);
        assert!(
            origin
                .asked()
                .iter()
                .all(|asked| asked.field("range").is_none())
        );
    }
}

#[test]
fn what_a_player_has_is_not_sent_again() {
    let origin = Origin::start(|asked| Reply::Whole {
        status: 200,
        fields: vec![("etag", "\"a\"".to_owned())],
        body: asked.target.clone().into_bytes(),
    });
    let edge = Setup::coalescing().start(origin.address);
    let again = |tag| {
        Call::new("GET", SEGMENT)
            .field("if-none-match", tag)
            .send(edge.address)
    };
    assert_eq!(again("W/\"a\"").status, 304);
    assert_eq!(again("\"b\"").text(), SEGMENT);
}

#[test]
fn fifty_waiters_cost_one_request() {
    const WAITERS: usize = 50;
    let gate = Gate::default();
    let origin = Origin::start({
        let gate = gate.clone();
        move |asked| {
            gate.pass();
            Reply::text(asked.target.clone())
        }
    });
    let edge = Setup::coalescing().start(origin.address);
    let mut waiters: Vec<_> = (0..WAITERS)
        .map(|i| {
            // Every one of them says something of its own.
            let target = format!("{POSITION}&CMCD=sid%3D{i}");
            Call::new("GET", &target).start(edge.address)
        })
        .collect();
    wait_until("the origin to be asked", || origin.asked().len() == 1);
    // Whoever came first goes away; the others are to get the answer all the same.
    drop(waiters.remove(0));
    gate.open();
    for waiter in waiters {
        let answer = waiter.finish();
        assert_eq!((answer.status, answer.text()), (200, POSITION));
    }
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn a_growing_segment_is_passed_on_as_it_comes() {
    let gate = Gate::default();
    let origin = Origin::start({
        let gate = gate.clone();
        move |_| Reply::Chunked {
            first: b"the beginning, ".to_vec(),
            gate: gate.clone(),
            rest: Some(b"and the end".to_vec()),
        }
    });
    let edge = Setup::coalescing().start(origin.address);
    let mut early = Call::new("GET", GROWING).start(edge.address);
    let head = early.read_until(b"the beginning, ");
    assert!(head.starts_with(b"HTTP/1.1 200"), "{head:?}");
    let late = Call::new("GET", GROWING).start(edge.address);
    gate.open();
    assert!(early.rest().ends_with(b"0\r\n\r\n"), "it ends properly");
    assert_eq!(late.finish().text(), "the beginning, and the end");
    assert_eq!(
        get(edge.address, GROWING).text(),
        "the beginning, and the end"
    );
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn a_body_cut_short_is_kept_by_nobody() {
    let asked = AtomicUsize::new(0);
    let origin = Origin::start(move |request| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Cut {
            announced: 100,
            body: b"a torn".to_vec(),
        },
        _ => Reply::text(request.target.clone()),
    });
    let edge = Setup::coalescing().start(origin.address);
    for _ in 0..2 {
        assert_eq!(get(edge.address, SEGMENT).text(), SEGMENT);
    }
    assert_eq!(origin.asked().len(), 2, "asked once more, and kept");
}

#[test]
fn an_old_answer_stands_in_where_it_may() {
    const STATE: &str = "/api/v1/videos/oabcdefghijk";
    let asked = AtomicUsize::new(0);
    let origin = Origin::start(move |request| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::text(request.target.clone()),
        _ => Reply::status(503),
    });
    let edge = Setup::coalescing().start(origin.address);
    assert_eq!(get(edge.address, STATE).text(), STATE);
    wait_until("the answer to be old", || {
        let answer = get(edge.address, STATE);
        assert_eq!((answer.status, answer.text()), (200, STATE));
        answer.field("cache-status") == Some("weir; hit; detail=stale")
    });
}

#[test]
fn positions_that_nobody_can_have_cost_nothing() {
    let origin = Origin::start(|asked| Reply::Whole {
        status: 200,
        fields: vec![("weir-live-edge", "7.2".to_owned())],
        body: asked.target.clone().into_bytes(),
    });
    let edge = Setup::coalescing().start(origin.address);
    let first = get(edge.address, POSITION);
    assert_eq!(first.field("weir-live-edge"), None, "viewers need not know");
    let far = "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=70000";
    assert_eq!(get(edge.address, far).status, 400);
    let far = "/v/oabcdefghijk/3/480p/70000.1.m4s";
    assert_eq!(get(edge.address, far).status, 404);
    assert_eq!(origin.asked().len(), 1);
    let next = "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=8";
    assert_eq!(get(edge.address, next).text(), next);
}

#[test]
fn coded_answers_are_kept_apart_and_passed_on_as_they_are() {
    // Two bytes that are no gzip: whoever decoded them would notice.
    let origin = Origin::start(|asked| Reply::Whole {
        status: 200,
        fields: match asked.field("accept-encoding") {
            Some("identity") => vec![],
            Some(coding) => vec![("content-encoding", coding.to_owned())],
            None => vec![],
        },
        body: b"\x1f\x8b".to_vec(),
    });
    for setup in [Setup::coalescing(), Setup::cached()] {
        let edge = setup.start(origin.address);
        for (accepted, coding) in [("gzip", Some("gzip")), ("br, gzip", Some("br")), ("", None)] {
            for _ in 0..2 {
                let answer = Call::new("GET", "/v/oabcdefghijk/480p/dvr.m3u8")
                    .field("accept-encoding", accepted)
                    .send(edge.address);
                assert_eq!(answer.field("content-encoding"), coding, "{accepted}");
                assert_eq!(answer.body, b"\x1f\x8b");
            }
        }
    }
}

#[test]
fn spans_are_read_from_the_bucket_first() {
    let origin = Origin::start(|asked| Reply::Whole {
        status: 200,
        fields: vec![("etag", "\"a\"".to_owned())],
        body: asked.target.clone().into_bytes(),
    });
    // Without a cache in front of it.
    let edge = Setup::cached().start(origin.address);
    wait_until("the span to be stored", || {
        let before = origin.asked().len();
        let answer = get(edge.address, SPAN);
        assert_eq!((answer.status, answer.text()), (200, SPAN));
        assert_eq!(answer.field("etag"), Some("\"a\""));
        origin.asked().len() == before
    });
}

#[test]
fn events_go_to_the_origin_and_are_limited_by_address() {
    const BATCH: &str = r#"{"session":"0123456789abcdef","events":[{"seq":1,"video":"oabcdefghijk","type":"view","time":1}]}"#;
    let origin = Origin::echo();
    let edge = Setup::coalescing().start(origin.address);
    let post = |target: &str, address: &str, body: &str| {
        Call::new("POST", target)
            .field("content-type", "application/json")
            .field("cf-connecting-ip", address)
            .body(body.as_bytes())
            .send(edge.address)
    };
    let answer = post("/api/v1/events", "192.0.2.1", BATCH);
    assert_eq!((answer.status, answer.text()), (200, "/api/v1/events"));
    let asked = &origin.asked()[0];
    assert_eq!(asked.body, BATCH.as_bytes());
    assert_eq!(asked.field("weir-pop"), Some("workerd"));

    let comments = "/api/v1/videos/oabcdefghijk/comments";
    let comment = r#"{"author":"Ann","text":"hello"}"#;
    // The local stand-in lets three through, and an IPv6 address counts as its network.
    let statuses =
        |addresses: [&str; 4]| addresses.map(|address| post(comments, address, comment).status);
    assert_eq!(statuses(["192.0.2.1"; 4]), [200, 200, 200, 429]);
    let one_network = [
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8:0:0:1::",
        "2001:db8::ffff",
    ];
    assert_eq!(statuses(one_network), [200, 200, 200, 429]);
}

#[test]
fn bodies_and_targets_are_bounded() {
    let origin = Origin::echo();
    let edge = Setup::coalescing().start(origin.address);
    let answer = Call::new("POST", "/api/v1/events")
        .field("content-type", "application/json")
        .body(&[b' '; 20_000])
        .send(edge.address);
    assert_eq!(answer.status, 413);
    let long = "a".repeat(5000);
    assert_eq!(get(edge.address, &format!("/v/{long}")).status, 413);
    assert_eq!(get(edge.address, &format!("/?{long}")).status, 413);
    assert!(origin.asked().is_empty());
}

#[test]
fn an_origin_that_is_away_is_told() {
    for setup in [Setup::coalescing(), Setup::cached()] {
        // No port that a test is given.
        let edge = setup.start("127.0.0.1:1".parse().unwrap());
        assert_eq!(get(edge.address, "/api/v1/videos").status, 502);
    }
}
