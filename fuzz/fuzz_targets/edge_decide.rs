//! The edge's decisions: any request has a plan that fits the guest's buffer, or none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_edge_abi::{BodyKind, Config, Method, Pathway, Plan, Request};
use weir_edge_worker::{check_body, decide};

fuzz_target!(|input: (&str, &str, &str, Option<u8>, &[u8])| {
    let (method, path, query, kind, body) = input;
    // What is a body for the one is, for the other, whatever else a host may hand in.
    let text = std::str::from_utf8(body).unwrap_or_default();
    let request = Request {
        accept_encoding: text,
        bearer: text,
        cmcd: text,
        device: text,
        claims: Some(body).filter(|claims| !claims.is_empty()),
        pathway_health: body,
        by_edge: kind == Some(0),
        ..Request::new(Method::from_name(method), path, query)
    };
    let pathway = Pathway {
        id: "a".to_owned(),
        base_url: "https://example.org".to_owned(),
    };
    let config = Config {
        pathways: vec![pathway.clone(), pathway],
        ..Config::default()
    };
    let plan = decide(&config, &request);
    let mut buffer = vec![0; 1 << 20];
    if let Ok(len) = plan.encode(&mut buffer) {
        assert_eq!(Plan::decode(&buffer[..len]), Ok(plan));
    }
    if let Some(kind) = kind {
        let kinds = [BodyKind::Events, BodyKind::Comment, BodyKind::Session];
        check_body(kinds[usize::from(kind) % kinds.len()], body);
    }
});
