//! The list of requests and what is to become of each, for every host alike.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use weir_edge_abi::{Method, Request};
use weir_model::WallTime;

use super::{
    client::{Answer, Call},
    policy,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    #[serde(default = "get")]
    pub method: String,
    /// Path and query.
    pub target: String,
    #[serde(default)]
    pub user_agent: String,
    #[serde(default)]
    pub content_type: String,
    /// Where the host is told that the viewer is.
    #[serde(default)]
    pub country: String,
    #[serde(default)]
    pub accept_encoding: String,
    /// What follows `Bearer` in `Authorization`.
    #[serde(default)]
    pub bearer: String,
    #[serde(default)]
    pub body: String,
    #[serde(flatten)]
    pub expected: Expected,
}

fn get() -> String {
    "GET".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    Serve(Serve),
    Deny(Deny),
    Respond(Respond),
    Forward(Forward),
    Join(Join),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    pub class: String,
    pub target: String,
    pub fresh_ms: u32,
    #[serde(default)]
    pub stale_ms: u32,
    #[serde(default = "default_wait")]
    pub wait_ms: u32,
    #[serde(default)]
    pub held: bool,
    #[serde(default = "identity")]
    pub encoding: String,
    /// `{video}/{rendition} {msn}`, and `.{part}` if it is one.
    pub position: Option<String>,
    pub cache_control: String,
}

fn identity() -> String {
    "identity".to_owned()
}

fn default_wait() -> u32 {
    8000
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    pub class: String,
    pub code: String,
    pub allow: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    pub class: String,
    pub status: u16,
    pub allow_methods: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    pub class: String,
    pub target: String,
    /// Code of the refusal that the body gets.
    pub refused: Option<String>,
}

/// Any host answers 426 to one who asks for no WebSocket.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    pub room: String,
    pub after: Option<u64>,
}

/// With tokens of the policy in the place of their names.
pub fn all() -> Vec<Case> {
    let mut cases: Vec<Case> = serde_json::from_str(include_str!("../cases.json")).unwrap();
    for case in &mut cases {
        for text in [&mut case.target, &mut case.bearer] {
            *text = policy::with_tokens(text);
        }
    }
    cases
}

impl Case {
    pub fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }

    /// As a host puts it to the guest.
    pub fn request(&self) -> Request<'_> {
        let (path, query) = self.path_and_query();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Request {
            now: WallTime(0).plus(now),
            user_agent: &self.user_agent,
            content_type: &self.content_type,
            country: self.country.parse().ok(),
            accept_encoding: &self.accept_encoding,
            bearer: &self.bearer,
            nonce: [7; 16],
            ..Request::new(Method::from_name(&self.method), path, query)
        }
    }

    pub fn call(&self) -> Call<'_> {
        let mut call = Call::new(&self.method, &self.target).body(self.body.as_bytes());
        for (name, value) in [
            ("user-agent", &self.user_agent),
            ("content-type", &self.content_type),
            ("accept-encoding", &self.accept_encoding),
            ("cf-ipcountry", &self.country),
        ] {
            if !value.is_empty() {
                call = call.field(name, value);
            }
        }
        if !self.bearer.is_empty() {
            call = call.field("authorization", format!("Bearer {}", self.bearer));
        }
        if !self.country.is_empty() {
            // As Cloudflare's front line tells a Worker, and a local one is told by its test.
            call = call.field("cf-blob", format!(r#"{{"country":"{}"}}"#, self.country));
        }
        call
    }

    /// Checks a host's answer, behind it an origin that answers everything with the target that it
    /// was asked for.
    pub fn check(&self, answer: &Answer) {
        let name = &self.name;
        match &self.expected {
            Expected::Serve(serve) => {
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
                assert_eq!(answer.text(), serve.target, "{name}");
                assert_eq!(
                    answer.field("cache-control"),
                    Some(&*serve.cache_control),
                    "{name}"
                );
                self.check_fields(answer, serve.class != "web");
            }
            Expected::Deny(deny) => {
                check_problem(name, answer, &deny.code);
                assert_eq!(answer.field("allow"), deny.allow.as_deref(), "{name}");
                self.check_fields(answer, true);
            }
            Expected::Respond(respond) => {
                assert_eq!(answer.status, respond.status, "{name}: {answer:?}");
                let allowed = answer.field("access-control-allow-methods");
                assert_eq!(allowed, respond.allow_methods.as_deref(), "{name}");
            }
            Expected::Forward(Forward {
                refused: Some(code),
                ..
            }) => {
                check_problem(name, answer, code);
                self.check_fields(answer, true);
            }
            Expected::Join(_) => check_problem(name, answer, "upgrade_required"),
            Expected::Forward(forward) => {
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
                assert_eq!(answer.text(), forward.target, "{name}");
                assert_eq!(answer.field("cache-control"), Some("no-store"), "{name}");
                self.check_fields(answer, true);
            }
        }
    }

    fn check_fields(&self, answer: &Answer, open: bool) {
        let name = &self.name;
        assert_eq!(
            answer.field("x-content-type-options"),
            Some("nosniff"),
            "{name}"
        );
        assert_eq!(
            answer.field("referrer-policy"),
            Some("no-referrer"),
            "{name}"
        );
        let origin = answer.field("access-control-allow-origin");
        assert_eq!(origin, open.then_some("*"), "{name}");
        if open && answer.status == 200 {
            // A player on another site sets its clock by `Date`.
            let exposed = answer
                .field("access-control-expose-headers")
                .unwrap_or_default();
            for field in ["date", "server-timing", "cache-status", "age", "etag"] {
                assert!(
                    exposed.split(", ").any(|one| one == field),
                    "{name}: {exposed}"
                );
            }
        }
    }
}

fn check_problem(name: &str, answer: &Answer, code: &str) {
    assert_eq!(
        answer.field("content-type"),
        Some("application/problem+json"),
        "{name}: {answer:?}"
    );
    let problem: weir_model::Problem = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem.code.as_str(), code, "{name}");
    assert_eq!(problem.code.status(), answer.status, "{name}");
    assert_eq!(problem.status, answer.status, "{name}");
    assert_eq!(answer.field("cache-control"), Some("no-store"), "{name}");
}
