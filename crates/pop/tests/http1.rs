//! HTTP/1.1: the requests that are answered on the spot and those that are left to hyper get the same
//! answers, in any order on one connection.

#![allow(clippy::unwrap_used)]

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use support::{
    RunningPop, config,
    gate::Gate,
    module,
    origin::{Origin, Reply},
};

const PART: &str = "/v/oabcdefghijk/3/480p/12.3.m4s";
const HELD: &str = "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7";
const BODY: &str = "0123456789";
const TIMEOUT: Duration = Duration::from_secs(60);

/// One connection, kept.
struct Viewer {
    stream: BufReader<TcpStream>,
}

/// Head, without what differs from one moment to the next, in order of names; and body.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: String,
    fields: Vec<String>,
    body: Vec<u8>,
}

impl Viewer {
    fn come(pop: &RunningPop) -> Self {
        let stream = TcpStream::connect(pop.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    fn send(&mut self, bytes: &str) {
        self.stream.get_mut().write_all(bytes.as_bytes()).unwrap();
    }

    /// Sends it so that no read finds all of it.
    fn send_in_pieces(&mut self, bytes: &str) {
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        self.send(first);
        thread::sleep(Duration::from_millis(100));
        self.send(rest);
    }

    /// Reads an answer to a `GET`, or to a `HEAD`.
    fn read(&mut self, is_head: bool) -> Answer {
        let mut lines = (&mut self.stream).lines().map(Result::unwrap);
        let status = lines.next().expect("an answer");
        let mut fields: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        let of = |name: &str| fields.iter().find_map(|field| field.strip_prefix(name));
        let len: usize = of("content-length: ").map_or(0, |len| len.parse().unwrap());
        let mut body = vec![0; if is_head { 0 } else { len }];
        self.stream.read_exact(&mut body).unwrap();
        let moments = ["age: ", "cache-status: ", "date: ", "server-timing: "];
        for moment in moments {
            let times = fields
                .iter()
                .filter(|field| field.starts_with(moment))
                .count();
            assert!(times == 1 || moment == "age: ", "{fields:?}");
        }
        fields.retain(|field| !moments.iter().any(|moment| field.starts_with(moment)));
        fields.sort();
        Answer {
            status,
            fields,
            body,
        }
    }

    fn ends(mut self) -> bool {
        self.stream.read(&mut [0]).is_ok_and(|read| read == 0)
    }
}

fn ask(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nhost: edge\r\n{fields}\r\n")
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !holds() {
        assert!(Instant::now() < deadline, "no {what} within {TIMEOUT:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn origin() -> Origin {
    Origin::start(|asked| match asked.target.contains("404") {
        true => Reply::status(404),
        false => Reply::Whole {
            status: 200,
            fields: vec![
                ("content-type", "video/mp4".to_owned()),
                ("etag", "\"a\"".to_owned()),
                ("weir-live-edge", "7:2".to_owned()),
            ],
            body: BODY.into(),
        },
    })
}

#[test]
fn both_ways_lead_to_the_same_answers() {
    let origin = origin();
    let pop = RunningPop::start(origin.address);
    let mut warm = Viewer::come(&pop);
    warm.send(&ask("GET", PART, ""));
    assert_eq!(warm.read(false).body, BODY.as_bytes());
    for (method, fields, status) in [
        ("GET", "", "HTTP/1.1 200 OK"),
        ("HEAD", "", "HTTP/1.1 200 OK"),
        (
            "GET",
            "range: bytes=2-4\r\n",
            "HTTP/1.1 206 Partial Content",
        ),
        (
            "GET",
            "range: bytes=70-\r\n",
            "HTTP/1.1 416 Range Not Satisfiable",
        ),
        (
            "GET",
            "if-none-match: \"a\"\r\n",
            "HTTP/1.1 304 Not Modified",
        ),
    ] {
        let request = ask(method, PART, fields);
        let is_head = method == "HEAD";
        let (mut one, mut other) = (Viewer::come(&pop), Viewer::come(&pop));
        one.send(&request);
        other.send_in_pieces(&request);
        let (ours, the_librarys) = (one.read(is_head), other.read(is_head));
        assert_eq!(ours.status, status, "{request}");
        assert_eq!(ours, the_librarys, "{request}");
        // Both go on.
        one.send(&ask("GET", PART, ""));
        other.send(&ask("GET", PART, ""));
        assert_eq!(one.read(false), other.read(false), "{request}");
    }
    assert_eq!(origin.asked_for(PART), 1);
}

#[test]
fn requests_in_one_write_are_answered_in_their_order() {
    let origin = origin();
    let pop = RunningPop::start(origin.address);
    let mut viewer = Viewer::come(&pop);
    let range = |first| ask("GET", PART, &format!("range: bytes={first}-{first}\r\n"));
    let post = "POST /api/v1/events HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                content-length: 2\r\n\r\n{}";
    let all = [
        range(1),
        ask("HEAD", PART, ""),
        range(2),
        post.to_owned(),
        range(3),
        ask("GET", PART, "connection: close\r\n"),
        range(4),
    ];
    viewer.send(&all.concat());
    assert_eq!(viewer.read(false).body, b"1");
    assert_eq!(viewer.read(true).body, b"");
    assert_eq!(viewer.read(false).body, b"2");
    // The module refuses the batch itself, so that no cache has a say in it.
    let mut refused = String::new();
    viewer.stream.read_line(&mut refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 4"), "{refused}");
    let mut rest = String::new();
    viewer.stream.read_to_string(&mut rest).unwrap_or_default();
    assert_eq!(rest.matches("HTTP/1.1 206").count(), 1, "{rest}");
    assert_eq!(rest.matches("HTTP/1.1 200").count(), 1, "{rest}");
    assert_eq!(rest.matches("connection: close").count(), 1, "{rest}");
}

#[test]
fn who_waits_keeps_the_place_of_the_next_request() {
    let gate = Gate::default();
    let open = gate.clone();
    let origin = Origin::start(move |asked| {
        if asked.target.contains("_HLS_msn") {
            gate.pass();
        }
        Reply::text(asked.target.clone())
    });
    let pop = RunningPop::start(origin.address);
    let mut viewer = Viewer::come(&pop);
    viewer.send(&ask("GET", HELD, ""));
    thread::sleep(Duration::from_millis(100));
    viewer.send(&ask("GET", PART, ""));
    thread::sleep(Duration::from_millis(100));
    open.open();
    let mut text = String::new();
    while !text.ends_with(PART) {
        let mut byte = [0];
        viewer.stream.read_exact(&mut byte).unwrap();
        text.push(byte[0].into());
    }
    let held = text.find(HELD).expect("the first answer");
    assert!(held < text.rfind("HTTP/1.1 200").unwrap(), "{text}");
}

#[test]
fn who_is_gone_is_not_waited_for() {
    let gate = Gate::default();
    let open = gate.clone();
    let origin = Origin::start(move |asked| {
        gate.pass();
        Reply::text(asked.target.clone())
    });
    let pop = RunningPop::start(origin.address);
    let mut viewer = Viewer::come(&pop);
    viewer.send(&ask("GET", HELD, ""));
    until("the request is there", || origin.asked_for(HELD) == 1);
    viewer.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    until("the place is free", || pop.connections() == 0.0);
    open.open();
}

#[test]
fn old_and_odd_requests_are_answered_too() {
    let origin = origin();
    let pop = RunningPop::start(origin.address);
    for (request, status) in [
        (format!("GET {PART} HTTP/1.0\r\n\r\n"), "HTTP/1.0 200 OK"),
        (
            format!("GET http://edge{PART} HTTP/1.1\r\nconnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK",
        ),
        (
            "GET /\0 HTTP/1.1\r\n\r\n".to_owned(),
            "HTTP/1.1 400 Bad Request",
        ),
    ] {
        let mut viewer = Viewer::come(&pop);
        viewer.send(&request);
        let mut line = String::new();
        viewer.stream.read_line(&mut line).unwrap();
        assert!(line.starts_with(status), "{line} to {request}");
    }
    // A head longer than what is read at once is an honest one.
    let mut viewer = Viewer::come(&pop);
    viewer.send(&ask(
        "GET",
        PART,
        &format!("cookie: {}\r\n", "a".repeat(10_000)),
    ));
    assert_eq!(viewer.read(false).body, BODY.as_bytes());
    viewer.send(&ask("GET", PART, "connection: close\r\n"));
    assert_eq!(viewer.read(false).body, BODY.as_bytes());
    assert!(viewer.ends());
}

#[test]
fn half_a_request_is_not_waited_for_without_end() {
    let origin = origin();
    let pop = RunningPop::start_with(weir_pop::Config {
        head_timeout: Duration::from_millis(300),
        ..config(origin.address, &module::path())
    });
    let mut slow = Viewer::come(&pop);
    slow.send("GET / HTTP/1.1\r\nhost: ");
    let mut idle = Viewer::come(&pop);
    idle.send(&ask("GET", PART, ""));
    assert_eq!(idle.read(false).body, BODY.as_bytes());
    assert!(idle.ends());
    let mut rest = Vec::new();
    slow.stream.read_to_end(&mut rest).unwrap();
}
