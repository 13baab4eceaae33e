//! Connections that wait for their next request cost next to nothing.

#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{RunningPop, origin::Origin};

/// Twice as many come. Both ends of each are in this process.
const HALF: usize = 1000;
/// Bytes of memory that each may take.
const BYTES_EACH: usize = 4096;

const REQUEST: &[u8] = b"GET /v/oabcdefghijk/3/480p/12.m4s HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn a_quiet_connection_takes_less_than_a_page() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let origin = Origin::echo();
    let pop = RunningPop::start(origin.address);
    // The first ones leave behind what the allocator keeps.
    let mut viewers: Vec<_> = (0..HALF).map(|_| viewer(&pop)).collect();
    // All of them are out of use for longer than it takes to be found quiet.
    thread::sleep(Duration::from_secs(2));
    let before = resident();
    viewers.extend((0..HALF).map(|_| viewer(&pop)));
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let each = resident().saturating_sub(before) / HALF;
        if each <= BYTES_EACH {
            println!("{each} bytes each");
            break;
        }
        assert!(Instant::now() < deadline, "{each} bytes each");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(pop.connections() as usize, 2 * HALF);
    for viewer in &mut viewers {
        ask(viewer);
    }
}

/// Someone who has had an answer and stays. They do not all come at once: what is in use at one time
/// is not what is measured here.
fn viewer(pop: &RunningPop) -> TcpStream {
    let mut viewer = TcpStream::connect(pop.address).unwrap();
    ask(&mut viewer);
    thread::sleep(Duration::from_millis(4));
    viewer
}

fn ask(viewer: &mut TcpStream) {
    viewer.write_all(REQUEST).unwrap();
    let mut answer = [0; 4096];
    let read = viewer.read(&mut answer).unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
}

/// Bytes of memory that this process has.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .unwrap();
    kib.trim().parse::<usize>().unwrap() * 1024
}
