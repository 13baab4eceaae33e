//! Modules that misbehave: the PoP answers 503 in time, goes on, and refuses what is no module.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use prometheus_client::registry::Registry;
use support::{RunningPop, client::get, config, module, origin::Origin};
use tempfile::TempDir;
use weir_pop::{InvalidModule, LoadError, Pop};

/// A module that has all exports, with `body` as the way it decides; the message's length is
/// `(local.get 0)`. The path begins 12 bytes into the message.
fn guest(body: &str) -> String {
    format!(
        r#"(module
            (memory (export "memory") 2)
            (func (export "edge_abi") (result i32) (i32.const 3))
            (func (export "edge_buf") (result i32) (i32.const 1024))
            (func (export "edge_cap") (result i32) (i32.const 65536))
            (func (export "edge_init") (param i32) (result i32) (i32.const 0))
            (func (export "edge_body") (param i32) (result i32) (i32.const 0))
            (func $bad (result i32)
                (i32.eq (i32.load8_u offset=1037 (i32.const 0)) (i32.const 98)))
            (func (export "edge_decide") (param i32) (result i32) {body}))"#
    )
}

/// Answers 200 with an empty body, unless the path begins with `/b`.
fn unless_bad(body: &str) -> String {
    guest(&format!(
        r#"(if (call $bad) (then {body}))
            (i64.store offset=1024 (i32.const 0) (i64.const 0x000000C8000703))
            (i64.store offset=1031 (i32.const 0) (i64.const 0))
            (i32.const 12)"#
    ))
}

fn file(wat: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    let module = wat::parse_str(wat).unwrap();
    fs::write(&path, module).unwrap();
    (folder, path)
}

fn check_misbehaviour(wat: &str) {
    let origin = Origin::echo();
    let (_folder, path) = file(wat);
    let pop = RunningPop::start_with(config(origin.address, &path));
    for round in 0..20 {
        assert_eq!(get(pop.address, "/good").status, 200, "round {round}");
        let began = Instant::now();
        let answer = get(pop.address, "/bad");
        assert_eq!(answer.status, 503, "round {round}");
        assert_eq!(
            answer.field("content-type"),
            Some("application/problem+json")
        );
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "took {:?}",
            began.elapsed()
        );
    }
    assert_eq!(pop.counter("weir_pop_guest_failures_total"), 20.0);
}

#[test]
fn a_trap_is_503_and_others_go_on() {
    check_misbehaviour(&unless_bad("unreachable"));
}

#[test]
fn a_loop_is_503_and_others_go_on() {
    check_misbehaviour(&unless_bad("(loop $for_ever (br $for_ever))"));
}

#[test]
fn hunger_for_memory_is_503_and_others_go_on() {
    let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))";
    check_misbehaviour(&unless_bad(&format!("{grow} unreachable")));
}

#[test]
fn nonsense_is_503_and_others_go_on() {
    check_misbehaviour(&unless_bad("(return (i32.const 3))"));
    check_misbehaviour(&unless_bad("(return (i32.const -1))"));
}

#[test]
fn loops_in_every_slot_hold_up_others_for_no_more_than_a_second() {
    let origin = Origin::echo();
    let (_folder, path) = file(&unless_bad("(loop $for_ever (br $for_ever))"));
    let pop = RunningPop::start_with(config(origin.address, &path));
    let bad: Vec<_> = (0..4)
        .map(|_| support::client::Call::new("GET", "/bad").start(pop.address))
        .collect();
    let began = Instant::now();
    assert_eq!(get(pop.address, "/good").status, 200);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "took {:?}",
        began.elapsed()
    );
    for pending in bad {
        assert_eq!(pending.finish().status, 503);
    }
}

#[test]
fn an_instance_is_replaced_before_it_grows_old() {
    // Traps at its 1,001st call.
    let aging = guest(
        r#"(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
            (if (i32.gt_u (i32.load (i32.const 0)) (i32.const 1000)) (then unreachable))
            (i64.store offset=1024 (i32.const 0) (i64.const 0x000000C8000703))
            (i64.store offset=1031 (i32.const 0) (i64.const 0))
            (i32.const 12)"#,
    );
    let origin = Origin::echo();
    let (_folder, path) = file(&aging);
    let pop = RunningPop::start_with(config(origin.address, &path));
    for _ in 0..2500 {
        assert_eq!(get(pop.address, "/good").status, 200);
    }
}

fn load(wat: &str) -> InvalidModule {
    let (_folder, path) = file(wat);
    load_file(&path)
}

fn load_file(path: &Path) -> InvalidModule {
    let config = config("127.0.0.1:1".parse().unwrap(), path);
    match Pop::load(config, &mut Registry::default()) {
        Err(LoadError::Module { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_edge_module_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    fs::write(&path, "not wasm").unwrap();
    assert!(matches!(load_file(&path), InvalidModule::Module(_)));
    assert!(matches!(load("(module)"), InvalidModule::Module(_)));
    let imports = r#"(module (import "env" "now" (func)))"#;
    assert!(matches!(load(imports), InvalidModule::Imports(name) if name == "env.now"));
    let good = guest("(i32.const 0)");
    let old = good.replace(
        r#""edge_abi") (result i32) (i32.const 3"#,
        r#""edge_abi") (result i32) (i32.const 0"#,
    );
    assert!(matches!(load(&old), InvalidModule::Version { found: 0 }));
    let outside = good.replace("(i32.const 1024)", "(i32.const 100000)");
    assert!(matches!(load(&outside), InvalidModule::Buffer { .. }));
    let small = good.replace("(i32.const 65536)", "(i32.const 100)");
    assert!(matches!(load(&small), InvalidModule::Buffer { .. }));
    let refuses = good.replace(
        r#""edge_init") (param i32) (result i32) (i32.const 0"#,
        r#""edge_init") (param i32) (result i32) (i32.const 1"#,
    );
    assert!(matches!(load(&refuses), InvalidModule::Refused));
    let greedy = good.replace(r#"(export "memory") 2"#, r#"(export "memory") 1000"#);
    assert!(matches!(load(&greedy), InvalidModule::Module(_)));
    let slow = good.replace(
        r#""edge_init") (param i32) (result i32)"#,
        r#""edge_init") (param i32) (result i32) (loop $for_ever (br $for_ever))"#,
    );
    assert!(matches!(load(&slow), InvalidModule::Module(_)));
}

#[test]
fn what_is_no_origin_is_refused() {
    for origin in ["ftp://example.org", "/path"] {
        let config = weir_pop::Config::new(origin.parse().unwrap(), module::path());
        let result = Pop::load(config, &mut Registry::default());
        assert!(matches!(result, Err(LoadError::Upstream(_))), "{origin}");
    }
    let config = weir_pop::Config::new("http://127.0.0.1:1".parse().unwrap(), "/no/such/file");
    let result = Pop::load(config, &mut Registry::default());
    assert!(matches!(result, Err(LoadError::Read { .. })));
}
