//! Answers that need nobody else, and the header fields of all others.

use weir_edge_abi::{Action, Class, Fields, Method, Plan, Response};
use weir_model::problem::Code;

/// What a cross-origin page may read of an answer, besides the fields that it always may.
macro_rules! open_to_all {
    ($($field:expr),* $(,)?) => {
        ::weir_edge_abi::constant_fields![
            $($field,)*
            ("access-control-allow-origin", "*"),
            (
                "access-control-expose-headers",
                "age, cache-status, content-length, content-range, date, etag, link, location, \
                 retry-after, server-timing, weir-next-offset, weir-span-duration, weir-span-start",
            ),
            ("cross-origin-resource-policy", "cross-origin"),
            ("timing-allow-origin", "*"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ]
    };
}
pub(crate) use open_to_all;

/// Fields of media and API answers: any page may read them, none with credentials.
pub const OPEN: Fields<'static> = open_to_all!();

/// Fields of JSON that the edge makes itself.
pub const OWN_JSON: Fields<'static> = open_to_all!(JSON, NO_STORE);

/// Fields of the time.
pub const TIME: Fields<'static> = open_to_all!(("content-type", "text/plain"), NO_STORE);

/// Fields of the web app's own pages and files.
pub const OWN: Fields<'static> = weir_edge_abi::constant_fields![
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

const JSON: (&str, &str) = ("content-type", "application/json");
const PROBLEM: (&str, &str) = ("content-type", "application/problem+json");
const NO_STORE: (&str, &str) = ("cache-control", "no-store");

/// Which methods go with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// `GET` and `HEAD`.
    Read,
    /// `POST`.
    Write,
    /// All of these.
    ReadWrite,
}

impl Methods {
    /// `None` if `method` is to be carried out; else the answer to it: to a preflight request
    /// (Fetch standard, section 4.8) what it asks for, to a wrong method 405.
    pub fn answer(self, class: Class, method: Method) -> Option<Plan<'static>> {
        let (reads, writes) = (self != Self::Write, self != Self::Read);
        match method {
            Method::Get | Method::Head if reads => None,
            Method::Post if writes => None,
            Method::Options => {
                let response = Response {
                    status: 204,
                    fields: self.preflight(),
                    body: (&[]).into(),
                };
                Some(Plan::new(class, Action::Respond(response)))
            }
            _ => {
                let detail = "this path does not take this method; see the Allow field";
                let fields = match self {
                    Self::Read => open_to_all!(PROBLEM, NO_STORE, ("allow", "GET, HEAD, OPTIONS")),
                    Self::Write => open_to_all!(PROBLEM, NO_STORE, ("allow", "POST, OPTIONS")),
                    Self::ReadWrite => {
                        open_to_all!(PROBLEM, NO_STORE, ("allow", "GET, HEAD, POST, OPTIONS"))
                    }
                };
                let response = Response {
                    fields,
                    ..problem(Code::MethodNotAllowed, detail)
                };
                Some(Plan::new(class, Action::Deny(response)))
            }
        }
    }

    fn preflight(self) -> Fields<'static> {
        macro_rules! preflight {
            ($methods:literal) => {
                open_to_all!(
                    ("access-control-allow-methods", $methods),
                    (
                        "access-control-allow-headers",
                        "authorization, content-type, range"
                    ),
                    ("access-control-max-age", "86400"),
                    ("cache-control", "public, max-age=86400"),
                )
            };
        }
        match self {
            Self::Read => preflight!("GET, HEAD"),
            Self::Write => preflight!("POST"),
            Self::ReadWrite => preflight!("GET, HEAD, POST"),
        }
    }
}

/// A refusal, counted as denied. `detail` stands in JSON as it is: no quotes, no backslashes.
pub fn deny(class: Class, code: Code, detail: &'static str) -> Plan<'static> {
    Plan::new(class, Action::Deny(problem(code, detail)))
}

/// Problem details (RFC 9457) as an answer.
pub fn problem(code: Code, detail: &'static str) -> Response<'static> {
    let (status, word) = (code.status(), code.as_str());
    let body = format!(r#"{{"status":{status},"code":"{word}","detail":"{detail}"}}"#);
    Response {
        status,
        fields: open_to_all!(PROBLEM, NO_STORE),
        body: body.into_bytes().into(),
    }
}
