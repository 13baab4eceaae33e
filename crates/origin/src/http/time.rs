//! `/api/v1/time`: what DASH players set their clocks by (`urn:mpeg:dash:utc:http-iso:2014`). Behind
//! a point of presence it is the edge that answers, with its own time.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use super::App;

/// The origin's time in RFC 3339.
#[utoipa::path(get, path = "/api/v1/time", tag = "media",
    responses((status = 200, description = "The time in UTC, RFC 3339 with milliseconds",
        body = String, content_type = "text/plain")))]
pub async fn get(State(app): State<App>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, app.clock.now().to_string()).into_response()
}
