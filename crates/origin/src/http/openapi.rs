//! The contract of both planes, as OpenAPI 3.1.

mod edges_own;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

use super::{
    comments, edge, events, frames, health, media, pop, room, stats, stream_health, time, videos,
    whep, whip,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Weir",
        description = "Live streaming with a WebAssembly delivery plane. Calls tagged `operator` \
            are on a listener of their own and take the operator token.",
        license(name = "MIT OR Apache-2.0"),
    ),
    paths(
        media::get,
        videos::create,
        videos::list_all,
        videos::read,
        videos::change,
        videos::end,
        videos::rotate_key,
        stream_health::get,
        edge::upload,
        edge::start,
        edge::fleet,
        pop::status,
        pop::drain,
        whip::publish,
        whip::ask,
        whip::change,
        whip::end,
        whep::play,
        whep::ask,
        whep::change,
        whep::end,
        frames::get,
        time::get,
        comments::list_comments,
        comments::post_comment,
        room::join,
        room::react,
        edges_own::begin_session,
        edges_own::steer,
        events::process_events,
        stats::get_stats,
        stats::quality,
        stats::top,
        stats::viewers,
        stats::follow,
        stats::describe,
        health::alive,
        health::ready,
        health::metrics,
        get,
    ),
    modifiers(&OperatorToken),
)]
struct Document;

struct OperatorToken;

impl Modify for OperatorToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("operator_token", bearer);
    }
}

/// The contract as pretty JSON with a newline at its end: `docs/openapi.json`, byte for byte.
pub fn document_json() -> String {
    let mut json = Document::openapi().to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

/// The contract.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "probes",
    responses((status = 200, description = "This document", body = Object)))]
pub async fn get() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=60"),
    ];
    (headers, document_json()).into_response()
}
