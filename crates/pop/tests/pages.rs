//! Bodies go to viewers as they are from the pages that they lie in, by whatever way.

#![allow(clippy::unwrap_used)]

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use support::{
    RunningPop, config, module,
    origin::{Asked, Origin, Reply},
};
use weir_pop::Config;

const TIMEOUT: Duration = Duration::from_secs(60);
/// Goes into a socket's queue whole, without a copy.
const SHORT: usize = 40 << 10;
/// Does not, and is copied.
const LONG: usize = 1 << 20;

/// No two bodies are alike, nor any two pages of one.
fn body(n: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 1000 + 31 * n) as u8).collect()
}

fn target(n: usize, len: usize) -> String {
    format!("/v/oabcdefghijk/{len}/480p/{n}.m4s")
}

fn origin() -> Origin {
    Origin::start(|asked: &Asked| {
        let mut names = asked.target.rsplit(['/', '.']).skip(1);
        let n = names.next().unwrap().parse().unwrap();
        let len = names.nth(1).unwrap().parse().unwrap();
        Reply::Whole {
            status: 200,
            fields: vec![("content-type", "video/mp4".to_owned())],
            body: body(n, len),
        }
    })
}

fn ask(pop: &RunningPop, target: &str, fields: &str) -> TcpStream {
    let mut viewer = TcpStream::connect(pop.address).unwrap();
    viewer.set_read_timeout(Some(TIMEOUT)).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n");
    viewer.write_all(request.as_bytes()).unwrap();
    viewer
}

/// Head and body.
fn read(mut viewer: TcpStream) -> (String, Vec<u8>) {
    let mut answer = Vec::new();
    viewer.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    (String::from_utf8(answer).unwrap(), body)
}

#[test]
fn a_body_and_any_part_of_it_come_as_they_are() {
    let origin = origin();
    let pop = RunningPop::start(origin.address);
    for len in [SHORT, LONG] {
        let whole = body(1, len);
        for _ in 0..2 {
            let (head, got) = read(ask(&pop, &target(1, len), ""));
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            assert!(got == whole, "{} of {len} bytes", got.len());
        }
        for (first, last) in [(0, 16_383), (4095, 20_500), (len - 20_000, len - 1), (7, 9)] {
            let range = format!("range: bytes={first}-{last}\r\n");
            let (head, got) = read(ask(&pop, &target(1, len), &range));
            assert!(head.starts_with("HTTP/1.1 206"), "{head}");
            assert!(got == whole[first..=last], "{first} to {last} of {len}");
        }
        assert_eq!(origin.asked_for(&target(1, len)), 1);
    }
}

#[test]
fn what_waits_for_a_slow_viewer_is_not_written_over() {
    let origin = origin();
    let pop = RunningPop::start_with(Config {
        cache_bytes: 8 << 20,
        ..config(origin.address, &module::path())
    });
    let slow: Vec<_> = [SHORT, LONG]
        .map(|len| (len, ask(&pop, &target(0, len), "")))
        .into();
    for len in [SHORT, LONG] {
        support::origin::wait_until("they are asked for", || {
            origin.asked_for(&target(0, len)) == 1
        });
    }
    // The cache is filled many times over.
    for n in 1..50 {
        let (_, got) = read(ask(&pop, &target(n, LONG), ""));
        assert!(got == body(n, LONG), "number {n}");
    }
    for (len, viewer) in slow {
        let (_, got) = read(viewer);
        assert!(got == body(0, len), "{} of {len} bytes", got.len());
    }
    // Nothing of them is left in the cache.
    read(ask(&pop, &target(0, SHORT), ""));
    assert_eq!(origin.asked_for(&target(0, SHORT)), 2);
}
