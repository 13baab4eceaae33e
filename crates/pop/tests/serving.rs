//! What viewers get: the list of cases, the cache, ranges, validators, bounds.

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use support::{
    RunningPop, cases,
    client::{Call, get},
    config, module,
    origin::{Origin, Reply, wait_until},
    policy,
};
use weir_pop::Config;

const SEGMENT: &str = "/v/oabcdefghijk/3/480p/12.m4s";

#[test]
fn every_case_is_answered_and_only_its_target_asked_for() {
    let origin = Origin::echo();
    let pop = RunningPop::start_with(Config {
        edge_policy: Some(policy::path()),
        ..config(origin.address, &module::path())
    });
    for case in cases::all() {
        let before = origin.asked().len();
        case.check(&case.call().send(pop.address));
        for asked in &origin.asked()[before..] {
            match &case.expected {
                cases::Expected::Serve(serve) => assert_eq!(asked.target, serve.target),
                cases::Expected::Forward(forward) if forward.refused.is_none() => {
                    assert_eq!(asked.target, forward.target);
                    assert_eq!(asked.body, case.body.as_bytes());
                }
                _ => panic!("{}: the origin was asked for {}", case.name, asked.target),
            }
        }
    }
}

#[test]
fn a_hit_asks_nobody_and_says_so() {
    let origin = Origin::echo();
    let pop = RunningPop::start(origin.address);
    let first = get(pop.address, SEGMENT);
    let second = get(pop.address, &format!("{SEGMENT}?CMCD=br%3D3200"));
    assert_eq!(first.field("cache-status"), Some("weir; fwd=miss; stored"));
    // Thirty days, but for the moment since.
    assert_eq!(second.field("cache-status"), Some("weir; hit; ttl=2591999"));
    assert!(second.field("age").is_some());
    assert_eq!(first.body, second.body);
    assert_eq!(second.field("content-type"), Some("text/plain"));
    assert_eq!(origin.asked_for(SEGMENT), 1);
    assert_eq!(pop.requests("segment", "miss"), 1.0);
    assert_eq!(pop.requests("segment", "hit"), 1.0);
    assert_eq!(
        pop.counter("weir_pop_origin_requests_total{class=\"segment\"}"),
        1.0
    );
}

#[test]
fn what_is_news_for_less_than_a_part_is_asked_for_again() {
    let origin = Origin::echo();
    let pop = RunningPop::start(origin.address);
    let target = "/v/oabcdefghijk/480p/index.m3u8";
    get(pop.address, target);
    wait_until("the playlist to go stale", || {
        get(pop.address, target).field("cache-status") == Some("weir; fwd=miss; stored")
    });
}

#[test]
fn nothing_of_the_viewers_head_reaches_the_origin() {
    let origin = Origin::echo();
    let pop = RunningPop::start(origin.address);
    let answer = Call::new("POST", "/api/v1/events")
        .field("content-type", "application/json")
        .field("cookie", "a=b")
        .field("authorization", "Bearer secret")
        .field("weir-country", "XX")
        .field("weir-pop", "elsewhere")
        .field("x-forwarded-for", "203.0.113.9")
        .body(br#"{"session":"0123456789abcdef","events":[{}]}"#)
        .send(pop.address);
    assert_eq!(answer.status, 200);
    let asked = &origin.asked()[0];
    assert_eq!(asked.field("host"), Some(&*origin.address.to_string()));
    assert_eq!(asked.field("weir-pop"), Some("local"));
    assert_eq!(asked.field("content-type"), Some("application/json"));
    for name in [
        "cookie",
        "authorization",
        "weir-country",
        "x-forwarded-for",
        "user-agent",
    ] {
        assert_eq!(asked.field(name), None, "{name}");
    }
}

#[test]
fn nothing_of_the_origins_connection_reaches_viewers() {
    let origin = Origin::start(|_| Reply::Whole {
        status: 200,
        fields: vec![
            ("set-cookie", "a=b".to_owned()),
            ("server", "origin".to_owned()),
            ("weir-span-start", "0.000".to_owned()),
            ("cache-control", "private".to_owned()),
        ],
        body: b"x".to_vec(),
    });
    let pop = RunningPop::start(origin.address);
    let answer = get(pop.address, SEGMENT);
    assert_eq!(answer.field("set-cookie"), None);
    assert_eq!(answer.field("server"), None);
    assert_eq!(answer.field("weir-span-start"), Some("0.000"));
    assert_eq!(
        answer.field("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
}

#[test]
fn ranges_and_heads_come_out_of_whole_bodies() {
    let origin = Origin::start(|_| Reply::Whole {
        status: 200,
        fields: vec![("etag", "\"one\"".to_owned())],
        body: b"0123456789".to_vec(),
    });
    let pop = RunningPop::start(origin.address);
    let ask = |method, name, value| {
        Call::new(method, SEGMENT)
            .field(name, value)
            .send(pop.address)
    };

    let part = ask("GET", "range", "bytes=2-4");
    assert_eq!((part.status, part.text()), (206, "234"));
    assert_eq!(part.field("content-range"), Some("bytes 2-4/10"));
    let beyond = ask("GET", "range", "bytes=10-");
    assert_eq!((beyond.status, beyond.text()), (416, ""));
    assert_eq!(beyond.field("content-range"), Some("bytes */10"));
    let several = ask("GET", "range", "bytes=0-0,2-2");
    assert_eq!((several.status, several.text()), (200, "0123456789"));
    let head = ask("HEAD", "range", "bytes=0-1");
    assert_eq!(
        (head.status, head.text(), head.field("content-length")),
        (200, "", Some("10"))
    );
    let known = ask("GET", "if-none-match", "\"zero\", W/\"one\"");
    assert_eq!((known.status, known.text()), (304, ""));
    assert_eq!(origin.asked_for(SEGMENT), 1);
}

#[test]
fn made_up_positions_never_reach_the_origin() {
    let origin = Origin::start(|asked| Reply::Whole {
        status: 200,
        fields: vec![("weir-live-edge", "8.1".to_owned())],
        body: asked.target.clone().into_bytes(),
    });
    let pop = RunningPop::start(origin.address);
    let position = |msn| format!("/v/oabcdefghijk/480p/index.m3u8?_HLS_msn={msn}");
    let first = get(pop.address, &position(7));
    assert_eq!(first.status, 200);
    assert_eq!(first.field("weir-live-edge"), None, "it is for edges alone");
    let far = get(pop.address, &position(1000));
    assert_eq!(far.status, 400, "{far:?}");
    let part = get(pop.address, "/v/oabcdefghijk/3/480p/1000.0.m4s");
    assert_eq!(part.status, 404, "{part:?}");
    assert_eq!(origin.asked().len(), 1);
    // What may be there soon is asked for.
    assert_eq!(get(pop.address, &position(9)).status, 200);
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn each_encoding_is_an_answer_of_its_own() {
    let origin = Origin::start(|asked| {
        let encoding = asked.field("accept-encoding").unwrap_or("none");
        Reply::text(encoding.to_owned())
    });
    let pop = RunningPop::start(origin.address);
    let ask = |accepted| {
        Call::new("GET", "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7")
            .field("accept-encoding", accepted)
            .send(pop.address)
    };
    for (accepted, asked_for) in [
        ("gzip, br", "br"),
        ("gzip", "gzip"),
        ("identity", "identity"),
        ("gzip;q=0.5", "gzip"),
    ] {
        let answer = ask(accepted);
        assert_eq!(answer.text(), asked_for, "{accepted}");
        assert_eq!(answer.field("vary"), Some("accept-encoding"));
    }
    assert_eq!(origin.asked().len(), 3);
}

#[test]
fn errors_are_kept_shortly_and_never_by_viewers() {
    let origin = Origin::start(|_| Reply::status(404));
    let pop = RunningPop::start(origin.address);
    let target = "/v/oabcdefghijk/3/480p/init-0.mp4";
    let missing = get(pop.address, target);
    assert_eq!(
        (missing.status, missing.field("cache-control")),
        (404, Some("no-store"))
    );
    get(pop.address, target);
    assert_eq!(origin.asked_for(target), 1);
    wait_until("the error to be forgotten", || {
        get(pop.address, target);
        origin.asked_for(target) > 1
    });
}

#[test]
fn an_old_answer_stands_in_where_the_plan_says_so() {
    let down = Arc::new(AtomicBool::new(false));
    let origin = Origin::start({
        let down = down.clone();
        move |asked| match down.load(Ordering::SeqCst) {
            true => Reply::status(500),
            false => Reply::text(asked.target.clone()),
        }
    });
    let pop = RunningPop::start(origin.address);
    let (multivariant, playlist) = (
        "/v/oabcdefghijk/index.m3u8",
        "/v/oabcdefghijk/480p/index.m3u8",
    );
    assert_eq!(get(pop.address, multivariant).status, 200);
    assert_eq!(get(pop.address, playlist).status, 200);
    down.store(true, Ordering::SeqCst);
    wait_until("the playlist to fail", || {
        get(pop.address, playlist).status == 500
    });
    wait_until("the multivariant playlist to be stale", || {
        let answer = get(pop.address, multivariant);
        assert_eq!(answer.status, 200);
        answer.field("cache-status") == Some("weir; hit; detail=stale")
    });
}

#[test]
fn bodies_that_viewers_send_are_bounded() {
    let origin = Origin::echo();
    let pop = RunningPop::start(origin.address);
    let body = vec![b' '; 20_000];
    let post = || Call::new("POST", "/api/v1/events").field("content-type", "application/json");
    assert_eq!(post().body(&body).send(pop.address).status, 413);

    // Without a length, in chunks.
    let mut stream = TcpStream::connect(pop.address).unwrap();
    let head = "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n4e20\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The PoP may answer and close before it has read all.
    let _ = stream.write_all(&body);
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert!(origin.asked().is_empty());
}

#[test]
fn targets_are_bounded() {
    let origin = Origin::echo();
    let pop = RunningPop::start(origin.address);
    assert_eq!(
        get(pop.address, &format!("/v/{}", "a".repeat(3000))).status,
        413
    );
    assert_eq!(
        get(pop.address, &format!("/?{}", "a".repeat(5000))).status,
        413
    );
    assert!(get(pop.address, &format!("/{}", "a".repeat(60_000))).status >= 400);
    assert!(origin.asked().is_empty());
}

#[test]
fn requests_under_way_are_finished_when_it_shuts_down() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let origin = Origin::start(move |asked| {
        let _ = held.lock().unwrap().recv();
        Reply::text(asked.target.clone())
    });
    let mut pop = RunningPop::start(origin.address);
    let pending = Call::new("GET", SEGMENT).start(pop.address);
    wait_until("the origin to be asked", || origin.asked_for(SEGMENT) == 1);
    pop.begin_shutdown();
    wait_until("the listener to close", || {
        TcpStream::connect(pop.address).is_err()
    });
    drop(release);
    assert_eq!(pending.finish().status, 200);
    pop.finish();
}

#[test]
fn viewers_who_take_nothing_are_let_go() {
    let origin = Origin::start(|_| Reply::text("x".repeat(32 << 20)));
    let mut config = config(origin.address, &module::path());
    config.write_timeout = Duration::from_millis(100);
    let pop = RunningPop::start_with(config);
    let _pending = Call::new("GET", SEGMENT).start(pop.address);
    let connections = || pop.connections();
    wait_until("the viewer to come", || connections() == 1.0);
    wait_until("the viewer to be let go", || connections() == 0.0);
    assert_eq!(pop.requests("segment", "miss"), 1.0);
}

#[test]
fn nobody_waits_for_an_origin_that_ends_with_the_pop() {
    let origin = Origin::start(|_| Reply::Silence);
    let mut pop = RunningPop::start(origin.address);
    let target = "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7";
    let pending = Call::new("GET", target).start(pop.address);
    wait_until("several attempts", || origin.asked_for(target) > 2);
    let began = Instant::now();
    pop.finish();
    assert_eq!(pending.finish().status, 503);
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "took {:?}",
        began.elapsed()
    );
}

#[test]
fn idle_connections_end() {
    let origin = Origin::echo();
    let mut config = config(origin.address, &module::path());
    config.head_timeout = Duration::from_millis(100);
    let pop = RunningPop::start_with(config);
    let mut stream = TcpStream::connect(pop.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
}
