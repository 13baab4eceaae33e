use std::path::PathBuf;

use weir_edge_abi::{Config, Overflow};

use super::*;
use crate::guest::{ConfigMessage, Guests};

fn test_wat(wat: &str) -> Result<(), Unfit> {
    let config = ConfigMessage::new(&Config::default()).unwrap();
    test(&Guests::compile(&wat::parse_str(wat).unwrap(), config).unwrap())
}

/// A module with `decide` as the way it decides.
fn guest(decide: &str) -> String {
    format!(
        r#"(module
            (memory (export "memory") 2)
            (data (i32.const 100000) "\03\07\00\c8\00\00\00\00\00\00\00\00")
            (global $calls (mut i32) (i32.const 0))
            (func (export "edge_abi") (result i32) (i32.const 3))
            (func (export "edge_buf") (result i32) (i32.const 1024))
            (func (export "edge_cap") (result i32) (i32.const 65536))
            (func (export "edge_init") (param i32) (result i32) (i32.const 0))
            (func (export "edge_body") (param i32) (result i32) (i32.const 0))
            (func (export "edge_decide") (param i32) (result i32) {decide}))"#
    )
}

#[test]
fn the_module_that_is_shipped_passes() {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/wasm/edge.wasm");
    let path = std::env::var_os("WEIR_EDGE_MODULE").map_or_else(|| built.into(), PathBuf::from);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; run `cargo xtask build-wasm`", path.display())
    });
    let abi = crate::rollout::examine(&bytes).unwrap();
    assert_eq!(abi, weir_edge_abi::ABI_VERSION);
}

/// The list is right about the decisions themselves, whatever was built from them.
#[test]
fn the_list_is_what_is_decided() {
    let config = Config::default();
    for case in REQUESTS {
        let (path, query) = case.target.split_once('?').unwrap_or((case.target, ""));
        let request = Request {
            now: NOW,
            content_type: case.content_type,
            ..Request::new(Method::from_name(case.method), path, query)
        };
        let plan = weir_edge_worker::decide(&config, &request);
        assert!(
            fits(&case.expected, &found(&plan)),
            "{}: {plan:?}",
            case.name
        );
        assert!(
            target(&plan).is_none_or(is_target),
            "{}: {plan:?}",
            case.name
        );
    }
    for body in BODIES {
        let verdict = weir_edge_worker::check_body(body.kind, body.text.as_bytes());
        assert_eq!(verdict == Verdict::Accept, body.passes, "{}", body.name);
    }
}

#[test]
fn a_module_that_lets_everyone_in_is_unfit() {
    let open =
        guest("(memory.copy (i32.const 1024) (i32.const 100000) (i32.const 12)) (i32.const 12)");
    let refused = test_wat(&open).unwrap_err();
    assert!(matches!(refused, Unfit::Wrong { .. }), "{refused}");
}

#[test]
fn a_module_that_does_not_answer_is_unfit() {
    for decide in [
        "unreachable",
        "(loop $for_ever (br $for_ever)) (i32.const 0)",
        "(i32.const 0)",
        "(i32.const -1)",
    ] {
        let refused = test_wat(&guest(decide)).unwrap_err();
        assert!(
            matches!(refused, Unfit::NoAnswer { .. }),
            "{decide}: {refused}"
        );
    }
}

#[test]
fn targets_are_paths_without_tricks_and_tokens() {
    for target in ["/", "/v/oabc/index.m3u8?device=tv", "/a?b=/../c"] {
        assert!(is_target(target), "{target}");
    }
    let tokened = format!("/t/{FORGED}/v/oabc/index.m3u8");
    for target in [
        "",
        "v/",
        "http://example.org/",
        "/a b",
        "/v/../x",
        "/v/..",
        &tokened,
    ] {
        assert!(!is_target(target), "{target}");
    }
}

#[test]
fn what_is_too_long_for_a_buffer_is_no_answer() {
    let unfit = no_answer("a plan")(Overflow.into());
    assert!(unfit.to_string().contains("a plan"), "{unfit}");
}
