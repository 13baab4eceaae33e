//! The HTTP API under `/api/v1/`. Operator calls have a listener of their own and no path here.

use std::borrow::Cow;

use weir_edge_abi::{
    Action, BodyKind, Class, Config, Forward, Join, MAX_BODY, Method, Plan, Request, Response,
    Serve,
};
use weir_model::{
    DeviceClass, VideoId,
    problem::Code,
    token::{Grace, bare},
};

use crate::{
    admission::{Admission, admit},
    answer::{Methods, OPEN, TIME, deny},
    device, encoding, limit,
    media::{ERROR_MS, STALE_MS, WAIT_MS, bounded},
    query::{Parameter, canonical, decimal, identifier, seconds},
    session, webrtc,
};

const CLASS: Class = Class::Api;

const PAGE_OF_VIDEOS: &[Parameter] = &[
    Parameter::new("after", identifier),
    Parameter::new("limit", decimal),
];
const PAGE_OF_COMMENTS: &[Parameter] = &[
    Parameter::new("after", decimal),
    Parameter::new("before", decimal),
    Parameter::new("limit", decimal),
];
const STATS: &[Parameter] = &[
    Parameter::new("end", decimal),
    Parameter::new("event", identifier),
    Parameter::new("function", identifier),
    Parameter::new("start", decimal),
    Parameter::new("step", decimal),
    Parameter::new("video", identifier),
];
const FRAMES: &[Parameter] = &[
    Parameter::new("device", identifier),
    Parameter::new("offset", seconds),
    Parameter::new("rendition", identifier),
];

const ROOM: &[Parameter] = &[Parameter::new("after", decimal)];

/// How long a page of comments, a video's state or a number is shared.
const SHARED_MS: u32 = 1000;
/// How long the lead to a span is shared: less than a part, since live it moves.
const FRAMES_MS: u32 = 300;

/// `call` is the path behind `/api/v1/`, whether that stands under a token or not.
pub(crate) fn decide<'a>(config: &Config, request: &Request<'a>, call: &str) -> Plan<'a> {
    let mut pieces = call.split('/');
    match (
        pieces.next().unwrap_or_default(),
        pieces.next(),
        pieces.next(),
        pieces.next(),
    ) {
        ("videos", None, None, None) => read(request, PAGE_OF_VIDEOS, SHARED_MS, 0),
        ("stats", None, None, None) => read(request, STATS, SHARED_MS, 0),
        ("time", None, None, None) => time(request),
        ("openapi.json", None, None, None) => read(request, &[], SHARED_MS, STALE_MS),
        ("events", None, None, None) => match Methods::Write.answer(CLASS, request.method) {
            Some(answer) => answer,
            None => Plan {
                limit: limit::events(config, request),
                ..post(request, BodyKind::Events)
            },
        },
        ("whip", session, None, None) => webrtc::publish(request, session),
        ("videos", Some(id), what, None) => {
            let Ok(video) = id.parse::<VideoId>() else {
                return deny(CLASS, Code::VideoNotFound, "no video has such an id");
            };
            of_video(config, request, video, what)
        }
        _ => not_found(),
    }
}

/// The time, for DASH players' clocks (UTCTiming): of the edge, so that no cache is on the way.
fn time<'a>(request: &Request<'a>) -> Plan<'a> {
    let response = || Response {
        status: 200,
        fields: TIME,
        body: request.now.to_string().into_bytes().into(),
    };
    let answer = Methods::Read.answer(CLASS, request.method);
    answer.unwrap_or_else(|| Plan::new(CLASS, Action::Respond(response())))
}

fn of_video<'a>(
    config: &Config,
    request: &Request<'a>,
    video: VideoId,
    what: Option<&str>,
) -> Plan<'a> {
    match what {
        Some("sessions") => return session::begin(config, request, video),
        None | Some("comments" | "reactions" | "frames" | "room") => {}
        Some(_) => return not_found(),
    }
    // A preflight request never carries what a token would be in.
    let admission = match request.method {
        Method::Options => Admission::default(),
        _ => match admit(config, request, video, Grace::None) {
            Ok(admission) => admission,
            Err(denial) => return denial.plan(class_of(what)),
        },
    };
    let plan = match what {
        Some("frames") => frames(request, &admission),
        Some("room") => room(request, video),
        Some("reactions") => match Methods::Write.answer(CLASS, request.method) {
            Some(answer) => answer,
            None => Plan {
                limit: limit::reactions(request),
                ..post(request, BodyKind::Reaction)
            },
        },
        Some(_) => match Methods::ReadWrite.answer(CLASS, request.method) {
            Some(answer) => answer,
            None if request.method == Method::Post => Plan {
                limit: limit::comments(config, request),
                ..post(request, BodyKind::Comment)
            },
            None => shared(request, PAGE_OF_COMMENTS, SHARED_MS, STALE_MS),
        },
        None => read(request, &[], SHARED_MS, STALE_MS),
    };
    Plan {
        limit: plan.limit,
        ..admission.plan(plan.class, plan.action)
    }
}

fn class_of(what: Option<&str>) -> Class {
    match what {
        Some("room") => Class::Room,
        _ => CLASS,
    }
}

/// A WebSocket; whether one was asked for is the host's to see.
fn room<'a>(request: &Request<'a>, video: VideoId) -> Plan<'a> {
    if let Some(answer) = Methods::Read.answer(Class::Room, request.method) {
        return answer;
    }
    let Ok(values) = canonical(request.query, ROOM) else {
        return deny(Class::Room, Code::InvalidQuery, INVALID_QUERY);
    };
    let join = Join {
        room: video.to_string().into(),
        after: values.get("after").and_then(|after| after.parse().ok()),
    };
    Plan::new(Class::Room, Action::Join(join))
}

/// A span is chosen for a device, so its class is spelled out where the viewer left it to us.
fn frames<'a>(request: &Request<'a>, admission: &Admission) -> Plan<'a> {
    if let Some(answer) = Methods::Read.answer(CLASS, request.method) {
        return answer;
    }
    let Ok(mut values) = canonical(request.query, FRAMES) else {
        return invalid_query();
    };
    if !values.has("offset") {
        return deny(CLASS, Code::InvalidQuery, "offset, in seconds, is missing");
    }
    if values
        .get("device")
        .is_some_and(|word| word.parse::<DeviceClass>().is_err())
    {
        let detail = "device is one of phone, tablet, desktop and tv";
        return deny(CLASS, Code::InvalidQuery, detail);
    }
    if admission.device.is_some() || !values.has("device") {
        values.set("device", device::of(request, admission.device).as_str());
    }
    // The origin chooses among the renditions, so that it has to know the bound.
    let rendition = values.get("rendition").and_then(|name| name.parse().ok());
    if let Some(Err(denial)) = rendition.map(|rendition| admission.bound_of(rendition)) {
        return denial.plan(CLASS);
    }
    let target = bounded(values.target(bare(request.path)), admission.max_height);
    serve(request, target, FRAMES_MS, 0)
}

fn read<'a>(
    request: &Request<'a>,
    parameters: &'static [Parameter],
    fresh_ms: u32,
    stale_ms: u32,
) -> Plan<'a> {
    match Methods::Read.answer(CLASS, request.method) {
        Some(answer) => answer,
        None => shared(request, parameters, fresh_ms, stale_ms),
    }
}

fn shared<'a>(
    request: &Request<'a>,
    parameters: &'static [Parameter],
    fresh_ms: u32,
    stale_ms: u32,
) -> Plan<'a> {
    match canonical(request.query, parameters) {
        Ok(values) => serve(
            request,
            values.target(bare(request.path)),
            fresh_ms,
            stale_ms,
        ),
        Err(_) => invalid_query(),
    }
}

fn serve<'a>(
    request: &Request<'_>,
    target: Cow<'a, str>,
    fresh_ms: u32,
    stale_ms: u32,
) -> Plan<'a> {
    let serve = Serve {
        target,
        cache_control: "no-cache",
        fields: OPEN,
        fresh_ms,
        error_ms: ERROR_MS.min(fresh_ms),
        stale_ms,
        wait_ms: WAIT_MS,
        held: false,
        encoding: encoding::best(request.accept_encoding),
        position: None,
    };
    Plan::new(CLASS, Action::Serve(serve))
}

fn post<'a>(request: &Request<'a>, body: BodyKind) -> Plan<'a> {
    let essence = request
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "the body is to be application/json";
        return deny(CLASS, Code::UnsupportedMediaType, detail);
    }
    let forward = Forward {
        target: Cow::Borrowed(bare(request.path)),
        fields: OPEN,
        wait_ms: WAIT_MS,
        max_body: MAX_BODY as u32,
        body,
        // Events are counted by country; what a person writes is not stamped with it.
        country: request.country.filter(|_| body == BodyKind::Events),
    };
    Plan::new(CLASS, Action::Forward(forward))
}

const INVALID_QUERY: &str = "a query parameter is malformed or given twice";

fn invalid_query() -> Plan<'static> {
    deny(CLASS, Code::InvalidQuery, INVALID_QUERY)
}

fn not_found() -> Plan<'static> {
    deny(CLASS, Code::NotFound, "the API has no such call")
}
