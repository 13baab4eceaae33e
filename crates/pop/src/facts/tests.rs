//! Only what is to be believed is told.

use std::path::Path;

use http::Request;
use weir_edge_abi::{Action, Class, Fields, Plan, Response};
use weir_model::edge::Hops;

use super::*;

const NOW: WallTime = WallTime(7);

fn parts(target: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::get(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn trusting() -> Policy {
    Policy {
        country_header: Some(HeaderName::from_static("x-country")),
        device_header: Some(HeaderName::from_static("x-device")),
        ..Policy::none("fra-1")
    }
}

/// A plan that has nothing but claims to remember.
fn verified(claims: &[u8]) -> Plan<'_> {
    let response = Response {
        status: 204,
        fields: Fields::new(&[]),
        body: Cow::Borrowed(&[]),
    };
    Plan {
        remember: Some(claims.into()),
        ..Plan::new(Class::Api, Action::Respond(response))
    }
}

#[test]
fn headers_count_if_they_are_trusted() {
    let said = parts("/v/x", &[("x-country", "DE"), ("x-device", "tv")]);
    let facts = Facts::new(&Policy::none("fra-1"));
    let known = facts.of(&said, &Sender::Viewer);
    assert_eq!(
        (known.request(NOW).country, known.request(NOW).device),
        (None, "")
    );
    let facts = Facts::new(&trusting());
    let known = facts.of(&said, &Sender::Viewer);
    assert_eq!(known.request(NOW).country, "DE".parse().ok());
    assert_eq!(known.request(NOW).device, "tv");
    let nonsense = parts("/v/x", &[("x-country", "T1")]);
    let known = facts.of(&nonsense, &Sender::Viewer);
    assert_eq!(known.request(NOW).country, None);
    let edge = Sender::Edge {
        hops: Hops::default(),
        country: "IS".parse().ok(),
    };
    let known = facts.of(&said, &edge);
    assert_eq!(known.request(NOW).country, "IS".parse().ok());
    assert!(known.request(NOW).by_edge);
}

#[test]
fn claims_are_remembered_as_long_as_the_policy_stands() {
    let facts = Facts::new(&trusting());
    let by_path = parts("/t/a.b.c/v/x", &[]);
    let by_query = parts("/api/v1/videos/x?token=a.b.c", &[]);
    let by_field = parts("/api/v1/videos/x", &[("authorization", "bearer a.b.c")]);
    let other = parts("/t/a.b.d/v/x", &[]);
    let claims = |parts| facts.of(parts, &Sender::Viewer).claims;
    assert_eq!(claims(&by_path), None);
    let early = facts.of(&by_path, &Sender::Viewer);
    early.remember(&verified(b"claims"));
    for parts in [&by_path, &by_query, &by_field] {
        assert_eq!(claims(parts).as_deref(), Some(&b"claims"[..]));
    }
    assert_eq!(claims(&other), None);

    facts.follow(&trusting());
    assert_eq!(claims(&by_path), None);
    // What a request of before has verified, with the keys of before, does not come back.
    early.remember(&verified(b"claims"));
    assert_eq!(claims(&by_path), None);
}

#[test]
fn fields_are_cut_and_joined() {
    let facts = Facts::new(&trusting());
    let long = "a".repeat(600);
    let said = parts(
        "/v/x",
        &[
            ("user-agent", &long),
            ("cmcd-request", "bl=1"),
            ("cmcd-status", "bs"),
            ("authorization", &format!("Bearer {}", "a".repeat(2000))),
        ],
    );
    let known = facts.of(&said, &Sender::Viewer);
    let request = known.request(NOW);
    assert_eq!(
        (request.user_agent.len(), request.cmcd),
        (MAX_HEADER, "bl=1,bs")
    );
    assert_eq!((request.bearer, request.now), ("", NOW));
}

#[test]
fn only_a_session_needs_chance() {
    let facts = Facts::new(&trusting());
    let session = parts("/api/v1/videos/x/sessions", &[]);
    assert_ne!(
        facts.of(&session, &Sender::Viewer).nonce,
        facts.of(&session, &Sender::Viewer).nonce
    );
    assert_eq!(
        facts.of(&parts("/v/x", &[]), &Sender::Viewer).nonce,
        [0; 16]
    );
    assert!(Policy::read(Path::new("nothing.toml"), "fra-1").is_err());
}
