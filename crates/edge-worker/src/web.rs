//! Pages and files of the web app, and the probes.

use std::borrow::Cow;

use weir_edge_abi::{Action, Class, Encoding, Fields, Method, Plan, Request, Response, Serve};
use weir_model::{VideoId, problem::Code};

use crate::{
    answer::{Methods, OWN, deny},
    media::{ERROR_MS, IMMUTABLE, IMMUTABLE_MS, STALE_MS, WAIT_MS},
};

const CLASS: Class = Class::Web;

/// Longest path of a file in bytes.
const MAX_FILE: usize = 256;

/// How long a page or an unversioned file is shared.
const SHARED_MS: u32 = 2000;

pub(crate) fn decide<'a>(request: &Request<'a>) -> Plan<'a> {
    let path = request.path;
    let page = Serve {
        target: Cow::Borrowed(path),
        cache_control: "no-cache",
        fields: OWN,
        fresh_ms: SHARED_MS,
        error_ms: ERROR_MS,
        stale_ms: STALE_MS,
        wait_ms: WAIT_MS,
        held: false,
        encoding: Encoding::Identity,
        position: None,
    };
    let serve = match path {
        "/healthz" => return health(request.method),
        "/readyz" => Serve {
            fresh_ms: 1000,
            stale_ms: 0,
            ..page
        },
        "/" => page,
        _ if is_video_page(path) => page,
        _ if !is_file(path) => return deny(CLASS, Code::NotFound, "there is no such page"),
        // Their names carry a hash of their bytes.
        _ if path.starts_with("/assets/") => Serve {
            cache_control: IMMUTABLE,
            fresh_ms: IMMUTABLE_MS,
            stale_ms: 0,
            ..page
        },
        _ => page,
    };
    match Methods::Read.answer(CLASS, request.method) {
        Some(answer) => answer,
        None => Plan::new(CLASS, Action::Serve(serve)),
    }
}

/// Answered without the origin: the edge itself is well if it can say so.
fn health(method: Method) -> Plan<'static> {
    if let Some(answer) = Methods::Read.answer(CLASS, method) {
        return answer;
    }
    let fields = Fields::new(&[
        ("content-type", "text/plain"),
        ("cache-control", "no-store"),
    ]);
    let response = Response {
        status: 200,
        fields,
        body: Cow::Borrowed(b"ok\n"),
    };
    Plan::new(CLASS, Action::Respond(response))
}

/// The watch page of a video, or its player alone for a frame on somebody's page.
fn is_video_page(path: &str) -> bool {
    ["/watch/", "/embed/"]
        .iter()
        .find_map(|page| path.strip_prefix(page))
        .is_some_and(|id| id.parse::<VideoId>().is_ok())
}

/// A file has an extension, so that the origin's other paths are none; its path needs no encoding
/// and does not climb.
fn is_file(path: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let piece =
        |piece: &str| !piece.is_empty() && !piece.starts_with('.') && piece.bytes().all(allowed);
    let Some(relative) = path.strip_prefix('/') else {
        return false;
    };
    let name = relative.rsplit('/').next().unwrap_or_default();
    path.len() <= MAX_FILE
        && relative.split('/').all(piece)
        && name
            .rsplit_once('.')
            .is_some_and(|(_, extension)| !extension.is_empty())
}
