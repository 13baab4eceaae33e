//! The list of cases, decided natively; and what no request may do.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use support::{
    cases::{self, Expected},
    policy,
};
use weir_edge_abi::{
    Action, BodyKind, Config, MAX_BODY, MIN_BUFFER, Method, Plan, Request, Response, Verdict,
};
use weir_edge_worker::{check_body, decide};
use weir_model::Problem;

fn field<'a>(response: &Response<'a>, name: &str) -> Option<&'a str> {
    response
        .fields
        .iter()
        .find(|(field, _)| *field == name)
        .map(|(_, value)| value)
}

fn problem(response: &Response<'_>) -> Problem {
    assert_eq!(
        field(response, "content-type"),
        Some("application/problem+json")
    );
    let problem: Problem = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(problem.status, response.status);
    problem
}

#[test]
fn decides_every_case() {
    let config = policy::config();
    for case in cases::all() {
        let name = &case.name;
        let request = case.request();
        let plan = decide(&config, &request);
        let class = match (&plan.action, &case.expected) {
            (Action::Serve(plan), Expected::Serve(expected)) => {
                assert_eq!(plan.target, expected.target, "{name}");
                assert_eq!(plan.fresh_ms, expected.fresh_ms, "{name}");
                assert_eq!(plan.stale_ms, expected.stale_ms, "{name}");
                assert_eq!(plan.wait_ms, expected.wait_ms, "{name}");
                assert_eq!(plan.held, expected.held, "{name}");
                assert_eq!(plan.cache_control, expected.cache_control, "{name}");
                assert_eq!(plan.encoding.as_str(), expected.encoding, "{name}");
                let position = plan.position.as_ref().map(|position| {
                    let part = position
                        .part
                        .map_or(String::new(), |part| format!(".{part}"));
                    format!("{} {}{part}", position.stream, position.msn)
                });
                assert_eq!(position, expected.position, "{name}");
                assert!(plan.error_ms <= 1000, "{name}");
                &expected.class
            }
            (Action::Deny(response), Expected::Deny(expected)) => {
                assert_eq!(problem(response).code.as_str(), expected.code, "{name}");
                assert_eq!(
                    field(response, "allow"),
                    expected.allow.as_deref(),
                    "{name}"
                );
                &expected.class
            }
            (Action::Respond(response), Expected::Respond(expected)) => {
                assert_eq!(response.status, expected.status, "{name}");
                let allowed = field(response, "access-control-allow-methods");
                assert_eq!(allowed, expected.allow_methods.as_deref(), "{name}");
                &expected.class
            }
            (Action::Forward(forward), Expected::Forward(expected)) => {
                assert_eq!(forward.target, expected.target, "{name}");
                let refused = match check_body(forward.body, case.body.as_bytes()) {
                    Verdict::Accept => None,
                    Verdict::Refuse(response) => Some(problem(&response).code.as_str()),
                };
                assert_eq!(refused, expected.refused.as_deref(), "{name}");
                &expected.class
            }
            (Action::Join(join), Expected::Join(expected)) => {
                assert_eq!(join.room, expected.room, "{name}");
                assert_eq!(join.after, expected.after, "{name}");
                "room"
            }
            (action, _) => panic!("{name}: {action:?}"),
        };
        assert_eq!(plan.class.as_str(), class, "{name}");
    }
}

#[test]
fn a_token_is_verified_once() {
    let config = policy::config();
    let target = policy::with_tokens("/t/{good}/v/pabcdefghijk/index.m3u8");
    let asked = Request {
        now: weir_model::WallTime(1_795_367_096_789),
        ..Request::new(Method::Get, &target, "")
    };
    let plan = decide(&config, &asked);
    let claims = plan.remember.expect("verified now");
    let again = Request {
        claims: Some(&claims),
        ..asked
    };
    let remembered = decide(&config, &again);
    assert_eq!(remembered.remember, None);
    assert_eq!(remembered.action, plan.action);
    // What was true then is checked again.
    let late = Request {
        now: weir_model::WallTime(5_000_000_000_000),
        ..again
    };
    assert!(matches!(decide(&config, &late).action, Action::Deny(_)));
}

#[test]
fn long_paths_are_refused() {
    let long = |len: usize| format!("/v/{}", "a".repeat(len - 3));
    let code = |path: &str| match decide(&Config::default(), &Request::new(Method::Get, path, ""))
        .action
    {
        Action::Deny(response) => problem(&response).code.as_str(),
        action => panic!("{action:?}"),
    };
    assert_eq!(code(&long(2049)), "too_large");
    assert_eq!(code(&long(2048)), "not_found");
}

#[test]
fn long_bodies_are_refused() {
    let body = format!("{{\"author\":\"a\",\"text\":\"{}\"}}", "b".repeat(MAX_BODY));
    let Verdict::Refuse(response) = check_body(BodyKind::Comment, body.as_bytes()) else {
        panic!("accepted")
    };
    assert_eq!(problem(&response).code.as_str(), "too_large");
}

#[test]
fn events_are_stamped_with_a_country_and_comments_are_not() {
    for (path, stamped) in [
        ("/api/v1/events", true),
        ("/api/v1/videos/oabcdefghijk/comments", false),
    ] {
        let request = Request {
            content_type: "application/json",
            country: weir_model::Country::new(*b"IS"),
            ..Request::new(Method::Post, path, "")
        };
        let Action::Forward(forward) = decide(&Config::default(), &request).action else {
            panic!("{path} is forwarded")
        };
        assert_eq!(forward.country.is_some(), stamped, "{path}");
    }
}

proptest! {
    // Whatever comes, the plan fits the buffer, and what it asks of the origin is a plain path.
    #[test]
    fn any_request_has_a_plan(
        path in "(/|/v/|/t/x/v/|/api/v1/|/watch/|/assets/)?(oabcdefghijk|pabcdefghijk|videos|stats)?(\\PC|[/.a-z0-9%-]){0,40}",
        query in "((_HLS_msn|_HLS_part|_HLS_skip|device|offset|limit|after)=[0-9a-zYES.]{0,6}&?){0,4}\\PC{0,20}",
        method in 0..5usize,
        user_agent in "\\PC{0,20}",
    ) {
        let methods = [
            Method::Get,
            Method::Head,
            Method::Options,
            Method::Post,
            Method::Other,
            Method::Patch,
            Method::Delete,
        ];
        let request =
            Request { user_agent: &user_agent, ..Request::new(methods[method], &path, &query) };
        let plan = decide(&Config::default(), &request);
        let mut buffer = vec![0; MIN_BUFFER];
        let len = plan.encode(&mut buffer).unwrap();
        prop_assert_eq!(Plan::decode(&buffer[..len]), Ok(plan.clone()));
        if let Action::Serve(weir_edge_abi::Serve { target, .. })
        | Action::Forward(weir_edge_abi::Forward { target, .. }) = &plan.action
        {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-?&=".contains(&b);
            prop_assert!(target.starts_with('/') && target.bytes().all(plain), "{}", target);
            prop_assert!(!target.contains("..") && !target.contains("//"), "{}", target);
            // What is served under a target is served under no other spelling of it.
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let again =
                Request { content_type: "application/json", ..Request::new(methods[method], path, query) };
            let again = decide(&Config::default(), &again);
            prop_assert_eq!(&again, &plan);
        }
    }

    #[test]
    fn any_body_has_a_verdict(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = check_body(BodyKind::Events, &body);
        let _ = check_body(BodyKind::Comment, &body);
        let _ = check_body(BodyKind::Session, &body);
    }
}
