//! A module that traps under Cloudflare's runtime: a trap costs the request that it was asked for.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;
#[path = "support/workerd.rs"]
mod workerd;

use std::fs;

use support::{
    client::{Call, get},
    gate::Gate,
    origin::{Origin, Reply},
};
use weir_edge_abi::{
    ABI_VERSION, Action, Class, Encoding, Fields, MIN_BUFFER, Plan, Response, Serve,
};
use workerd::Setup;

/// Where the path begins in a request: behind the version, the time, the method and its length.
const PATH: usize = 1 + 8 + 1 + 2;

#[test]
fn a_trap_costs_one_request_and_no_stream() {
    let gate = Gate::default();
    let origin = Origin::start({
        let gate = gate.clone();
        move |_| Reply::Chunked {
            first: b"the beginning, ".to_vec(),
            gate: gate.clone(),
            rest: Some(b"and the end".to_vec()),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("trap.wasm");
    fs::write(&module, trapping_module()).unwrap();
    let edge = Setup::coalescing()
        .with_module(&module)
        .start(origin.address);

    let mut stream = Call::new("GET", "/stream").start(edge.address);
    stream.read_until(b"the beginning, ");
    for _ in 0..2 {
        assert_eq!(get(edge.address, "/fine").status, 204);
        assert_eq!(get(edge.address, "/trap").status, 503);
        assert_eq!(
            get(edge.address, "/fine").status,
            204,
            "the instance is another"
        );
    }
    gate.open();
    assert!(
        stream.rest().ends_with(b"0\r\n\r\n"),
        "the stream ends properly"
    );
}

/// Answers `/stream` with a plan to serve it, traps at `/trap`, and answers all else with 204, or
/// with 500 if this very instance has trapped before.
fn trapping_module() -> Vec<u8> {
    let serve = plan(Action::Serve(Serve {
        target: "/stream".into(),
        cache_control: "no-store",
        fields: Fields::new(&[]),
        fresh_ms: 1000,
        error_ms: 0,
        stale_ms: 0,
        wait_ms: 5000,
        held: true,
        encoding: Encoding::Identity,
        position: None,
    }));
    let respond = |status| {
        plan(Action::Respond(Response {
            status,
            fields: Fields::new(&[]),
            body: (&[]).into(),
        }))
    };
    let (fine, spoilt) = (respond(204), respond(500));
    let (at_serve, at_fine, at_spoilt) = (MIN_BUFFER, MIN_BUFFER + 1024, MIN_BUFFER + 2048);
    let text = format!(
        r#"(module
          (memory (export "memory") 2)
          (global $spoilt (mut i32) (i32.const 0))
          (data (i32.const {at_serve}) "{}")
          (data (i32.const {at_fine}) "{}")
          (data (i32.const {at_spoilt}) "{}")
          (func (export "edge_abi") (result i32) (i32.const {ABI_VERSION}))
          (func (export "edge_buf") (result i32) (i32.const 0))
          (func (export "edge_cap") (result i32) (i32.const {MIN_BUFFER}))
          (func (export "edge_init") (param i32) (result i32) (i32.const 0))
          (func (export "edge_body") (param i32) (result i32) (i32.const 0))
          (func $answer (param $from i32) (param $len i32) (result i32)
            (memory.copy (i32.const 0) (local.get $from) (local.get $len))
            (local.get $len))
          (func (export "edge_decide") (param i32) (result i32)
            (local $letter i32)
            (local.set $letter (i32.load8_u (i32.const {letter})))
            (if (i32.eq (local.get $letter) (i32.const {t})) (then
              (global.set $spoilt (i32.const 1))
              unreachable))
            (if (i32.eq (local.get $letter) (i32.const {s})) (then
              (return (call $answer (i32.const {at_serve}) (i32.const {}))))) 
            (if (global.get $spoilt) (then
              (return (call $answer (i32.const {at_spoilt}) (i32.const {})))))
            (call $answer (i32.const {at_fine}) (i32.const {}))))"#,
        data(&serve),
        data(&fine),
        data(&spoilt),
        serve.len(),
        spoilt.len(),
        fine.len(),
        letter = PATH + 1,
        t = b't',
        s = b's',
    );
    wat::parse_str(text).unwrap()
}

fn plan(action: Action<'_>) -> Vec<u8> {
    let mut buffer = vec![0; MIN_BUFFER];
    let len = Plan::new(Class::Web, action).encode(&mut buffer).unwrap();
    buffer.truncate(len);
    buffer
}

/// Bytes as the text format has them in a string.
fn data(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}
