//! Sessions of WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): what is said to begin, to change
//! and to end them goes to the origin. Their media does not come this way.

use std::borrow::Cow;

use weir_edge_abi::{
    Action, BodyKind, Class, Config, Fields, Forward, MAX_BODY, Method, Plan, Request, Response,
};
use weir_model::{Lane, SessionId, WhepPath, problem::Code, token::Grace};

use crate::{
    admission::admit,
    answer::{deny, open_to_all, problem},
    media::WAIT_MS,
};

const OFFER: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Where sessions are asked for, to everyone who asks for leave too.
const OFFERED: Fields<'static> = open_to_all!(
    ("access-control-allow-methods", "POST"),
    (
        "access-control-allow-headers",
        "authorization, content-type"
    ),
    ("access-control-max-age", "86400"),
    ("accept-post", OFFER),
);
/// The same of a session that stands.
const STANDING: Fields<'static> = open_to_all!(
    ("access-control-allow-methods", "PATCH, DELETE"),
    (
        "access-control-allow-headers",
        "authorization, content-type, if-match"
    ),
    ("access-control-max-age", "86400"),
    ("accept-patch", FRAGMENT),
);

/// `/api/v1/whip`, or with `session` what stands behind it.
pub(crate) fn publish<'a>(request: &Request<'a>, session: Option<&str>) -> Plan<'a> {
    if session.is_some_and(|session| session.parse::<SessionId>().is_err()) {
        return deny(Class::Api, Code::NotFound, "no session has such an id");
    }
    let target = match Lane::of_query(request.query) {
        Lane::Primary => Cow::Borrowed(request.path),
        Lane::Backup => Cow::Owned(format!("{}?backup=1", request.path)),
    };
    forward(request, session.is_some(), target)
}

/// `/v/{video}/whep`, or a session behind it.
pub(crate) fn play<'a>(config: &Config, request: &Request<'a>, path: &WhepPath<'a>) -> Plan<'a> {
    let prefix = path.token.map_or(0, |token| "/t/".len() + token.len());
    let target = Cow::Borrowed(request.path.get(prefix..).unwrap_or_default());
    let plan = forward(request, path.session.is_some(), target);
    // A preflight request never carries what a token would be in, and who knows a session that
    // stands was let in when it began.
    if request.method == Method::Options || path.session.is_some() {
        return plan;
    }
    match admit(config, request, path.video, Grace::None) {
        Ok(admission) => admission.plan(plan.class, plan.action),
        Err(denial) => denial.plan(Class::Api),
    }
}

fn forward<'a>(request: &Request<'a>, stands: bool, target: Cow<'a, str>) -> Plan<'a> {
    let (fields, expected) = match (stands, request.method) {
        (false, Method::Options) => (OFFERED, None),
        (false, Method::Post) => (OFFERED, Some(OFFER)),
        (true, Method::Options | Method::Delete) => (STANDING, None),
        (true, Method::Patch) => (STANDING, Some(FRAGMENT)),
        _ => return wrong_method(stands),
    };
    let essence = request.content_type.split(';').next().unwrap_or_default();
    if expected.is_some_and(|expected| !essence.trim().eq_ignore_ascii_case(expected)) {
        let detail = match stands {
            false => "the body is to be application/sdp",
            true => "the body is to be application/trickle-ice-sdpfrag",
        };
        return deny(Class::Api, Code::UnsupportedMediaType, detail);
    }
    let forward = Forward {
        target,
        fields,
        wait_ms: WAIT_MS,
        max_body: MAX_BODY as u32,
        body: BodyKind::Session,
        country: None,
    };
    Plan::new(Class::Api, Action::Forward(forward))
}

fn wrong_method(stands: bool) -> Plan<'static> {
    const TYPE: (&str, &str) = ("content-type", "application/problem+json");
    const NO_STORE: (&str, &str) = ("cache-control", "no-store");
    let fields = match stands {
        false => open_to_all!(TYPE, NO_STORE, ("allow", "POST, OPTIONS")),
        true => open_to_all!(TYPE, NO_STORE, ("allow", "PATCH, DELETE, OPTIONS")),
    };
    let detail = "this path does not take this method; see the Allow field";
    let response = Response {
        fields,
        ..problem(Code::MethodNotAllowed, detail)
    };
    Plan::new(Class::Api, Action::Deny(response))
}
