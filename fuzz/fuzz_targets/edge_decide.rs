//! The edge's decisions: any request has a plan that fits the guest's buffer, or none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_edge_abi::{BodyKind, Config, Method, Plan, Request};
use weir_edge_worker::{check_body, decide};

fuzz_target!(|input: (&str, &str, &str, Option<u8>, &[u8])| {
    let (method, path, query, kind, body) = input;
    let request = Request::new(Method::from_name(method), path, query);
    let plan = decide(&Config::default(), &request);
    let mut buffer = vec![0; 1 << 20];
    if let Ok(len) = plan.encode(&mut buffer) {
        assert_eq!(Plan::decode(&buffer[..len]), Ok(plan));
    }
    if let Some(kind) = kind {
        let kinds = [BodyKind::Events, BodyKind::Comment, BodyKind::Session];
        check_body(kinds[usize::from(kind) % kinds.len()], body);
    }
});
