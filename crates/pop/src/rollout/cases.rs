//! The smoke test as data.

use std::fmt;

use weir_edge_abi::BodyKind;

use self::Expected::{Denied, Deny, Forward, Respond, Serve, ServeBelow};

/// A request and what is to become of it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    /// Path and query.
    pub(super) target: &'static str,
    pub(super) content_type: &'static str,
    pub(super) expected: Expected<'static>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected<'a> {
    /// It is answered from the cache, or by the origin under this target.
    Serve(&'a str),
    /// The same under a target that begins so: what follows is the module's to choose.
    ServeBelow(&'a str),
    /// It is sent on to this target.
    Forward(&'a str),
    /// The edge answers with this status.
    Respond(u16),
    /// The edge refuses with this status.
    Deny(u16),
    /// The edge refuses, with any status.
    Denied,
    /// It joins this room.
    Join(&'a str),
}

/// A body and whether it may be sent on.
pub(super) struct Body {
    pub(super) name: &'static str,
    pub(super) kind: BodyKind,
    pub(super) text: &'static str,
    pub(super) passes: bool,
}

/// `{"alg":"none"}`, claims of a protected video for a thousand years, and no signature.
pub(super) const FORGED: &str =
    "eyJhbGciOiJub25lIn0.eyJ2aWRlbyI6InBhYmNkZWZnaGlqayIsImV4cCI6NjAwMDAwMDAwMDB9.";

const fn get(name: &'static str, target: &'static str, expected: Expected<'static>) -> Case {
    with("GET", name, target, expected)
}

const fn with(
    method: &'static str,
    name: &'static str,
    target: &'static str,
    expected: Expected<'static>,
) -> Case {
    Case {
        name,
        method,
        target,
        content_type: "application/json",
        expected,
    }
}

const fn body(name: &'static str, kind: BodyKind, text: &'static str, passes: bool) -> Body {
    Body {
        name,
        kind,
        text,
        passes,
    }
}

pub(super) const REQUESTS: &[Case] = &[
    // Open videos play, and every object has one name.
    get(
        "a multivariant playlist",
        "/v/oabcdefghijk/index.m3u8?utm_source=x",
        ServeBelow("/v/oabcdefghijk/index.m3u8"),
    ),
    get(
        "a DASH manifest",
        "/v/oabcdefghijk/manifest.mpd",
        ServeBelow("/v/oabcdefghijk/manifest.mpd"),
    ),
    get(
        "a live playlist",
        "/v/oabcdefghijk/480p/index.m3u8",
        Serve("/v/oabcdefghijk/480p/index.m3u8"),
    ),
    get(
        "a position in one spelling, without strangers",
        "/v/oabcdefghijk/480p/index.m3u8?x=1&_HLS_part=2&_HLS_skip=v2&_HLS_msn=7",
        Serve("/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7&_HLS_part=2&_HLS_skip=YES"),
    ),
    get(
        "an initialisation segment",
        "/v/oabcdefghijk/3/480p/init-0.mp4?x=1",
        Serve("/v/oabcdefghijk/3/480p/init-0.mp4"),
    ),
    get(
        "a segment",
        "/v/oabcdefghijk/3/480p/12.m4s",
        Serve("/v/oabcdefghijk/3/480p/12.m4s"),
    ),
    get(
        "a part",
        "/v/oabcdefghijk/3/480p/12.3.m4s",
        Serve("/v/oabcdefghijk/3/480p/12.3.m4s"),
    ),
    get(
        "a span",
        "/v/oabcdefghijk/3/span/7-480p.mp4",
        Serve("/v/oabcdefghijk/3/span/7-480p.mp4"),
    ),
    get(
        "a recording's playlist",
        "/v/oabcdefghijk/480p/recording.m3u8",
        Serve("/v/oabcdefghijk/480p/recording.m3u8"),
    ),
    // Protected ones don't, whatever is asked of them.
    get(
        "a protected video without a token",
        "/v/pabcdefghijk/index.m3u8",
        Denied,
    ),
    get(
        "a protected video's segment without a token",
        "/v/pabcdefghijk/3/480p/12.m4s",
        Denied,
    ),
    get(
        "a protected video with a forged token",
        "/t/eyJhbGciOiJub25lIn0.eyJ2aWRlbyI6InBhYmNkZWZnaGlqayIsImV4cCI6NjAwMDAwMDAwMDB9./v/pabcdefghijk/3/480p/12.m4s",
        Denied,
    ),
    get(
        "a protected video's state without a token",
        "/api/v1/videos/pabcdefghijk",
        Denied,
    ),
    with(
        "POST",
        "an offer to play a protected video without a token",
        "/v/pabcdefghijk/whep",
        Denied,
    ),
    // What names nothing leads nowhere.
    get(
        "a path that climbs",
        "/v/oabcdefghijk/../index.m3u8",
        Deny(404),
    ),
    get(
        "a path that climbs in disguise",
        "/v/oabcdefghijk/%2e%2e%2f%2e%2e%2fmetrics",
        Deny(404),
    ),
    get(
        "a number in another spelling",
        "/v/oabcdefghijk/3/480p/012.m4s",
        Deny(404),
    ),
    get(
        "a position that is no number",
        "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=-1",
        Deny(400),
    ),
    get(
        "a part of no position",
        "/v/oabcdefghijk/480p/index.m3u8?_HLS_part=2",
        Deny(400),
    ),
    with(
        "DELETE",
        "deleting a segment",
        "/v/oabcdefghijk/3/480p/12.m4s",
        Deny(405),
    ),
    with(
        "OPTIONS",
        "asking leave for a segment",
        "/v/oabcdefghijk/3/480p/12.m4s",
        Respond(204),
    ),
    // The operator's calls have a listener of their own.
    with("POST", "creating a video", "/api/v1/videos", Deny(405)),
    with(
        "POST",
        "ending a video",
        "/api/v1/videos/oabcdefghijk/end",
        Deny(404),
    ),
    get("metrics", "/metrics", Deny(404)),
    get("an unknown call", "/api/v1/secrets", Deny(404)),
    get("a roll-out", "/api/v1/edge/rollout", Deny(404)),
    get("a hidden file", "/.git/config.txt", Deny(404)),
    // The rest of the API, the pages and the probes.
    get(
        "a video's state",
        "/api/v1/videos/oabcdefghijk",
        Serve("/api/v1/videos/oabcdefghijk"),
    ),
    get(
        "a page of comments in one spelling",
        "/api/v1/videos/oabcdefghijk/comments?limit=020&after=5",
        Serve("/api/v1/videos/oabcdefghijk/comments?after=5&limit=20"),
    ),
    with(
        "POST",
        "events",
        "/api/v1/events",
        Forward("/api/v1/events"),
    ),
    get("the time", "/api/v1/time", Respond(200)),
    get("the front page", "/", Serve("/")),
    get("health", "/healthz", Respond(200)),
];

pub(super) const BODIES: &[Body] = &[
    body(
        "a comment",
        BodyKind::Comment,
        r#"{"author":"Ada","text":"Hello"}"#,
        true,
    ),
    body("an empty comment", BodyKind::Comment, "{}", false),
    body(
        "a comment that is no JSON",
        BodyKind::Comment,
        "Hello",
        false,
    ),
    body("events that are no JSON", BodyKind::Events, "[", false),
    body("no events", BodyKind::Events, "", false),
    body("an empty description", BodyKind::Session, "", true),
];

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serve(target) => write!(f, "to serve {target}"),
            Self::ServeBelow(target) => write!(f, "to serve {target}…"),
            Self::Forward(target) => write!(f, "to send it to {target}"),
            Self::Respond(status) => write!(f, "to answer {status}"),
            Self::Deny(status) => write!(f, "to refuse with {status}"),
            Self::Denied => f.write_str("to refuse"),
            Self::Join(room) => write!(f, "to let it join {room}"),
        }
    }
}
