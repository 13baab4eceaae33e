//! WHIP (RFC 9725): browsers and other WebRTC clients publish.

use axum::{
    extract::{Path, RawQuery, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use weir_ingest::rtmp::{Refusal, StreamKey};
use weir_model::{Code, Lane, Problem, SessionId};

use super::{
    App,
    problem::{ApiError, read_body},
    session::{self, OFFER},
};
use crate::webrtc::{NotOpened, Role};

/// Begins to publish. The body is an SDP offer of H.264, Opus or both, the answer's body an SDP
/// answer; `Location` names the session.
#[utoipa::path(
    post,
    path = "/api/v1/whip",
    tag = "webrtc",
    request_body(content = String, content_type = "application/sdp"),
    params(
        ("Authorization" = String, Header, description = "`Bearer` and the stream key"),
        ("backup" = Option<String>, Query, description = "`1`: as the video's second publisher"),
    ),
    responses(
        (status = 201, description = "The answer. `Location` is the session's URL, `ETag` names \
            its ICE credentials, `Link` the operator's TURN servers and the watch page", body = String,
            content_type = "application/sdp"),
        (status = 400, description = "The body is no offer", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No video has this stream key", body = Problem,
            content_type = "application/problem+json"),
        (status = 406, description = "Neither H.264 nor Opus is offered", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "Another encoder publishes with this key, or the video has \
            ended", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "There are too many sessions", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn publish(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, ApiError> {
    let key = stream_key(request.headers()).ok_or_else(|| {
        let detail = "send the stream key as Authorization: Bearer <key>";
        ApiError::new(Code::Unauthorized, detail)
    })?;
    let lane = Lane::of_query(query.as_deref().unwrap_or_default());
    let offer = session::text(read_body(request, &[OFFER]).await?)?;
    let opened = app.webrtc.publish(&key, lane, &offer).await;
    let (video, opened) = opened.map_err(not_opened)?;
    let location = format!("/api/v1/whip/{}", opened.id);
    let mut response = session::opened(&app, location, opened);
    // A page that publishes can tell where viewers watch.
    let page = HeaderValue::try_from(format!("</watch/{video}>; rel=\"alternate\""));
    if let Ok(page) = page {
        response.headers_mut().append(header::LINK, page);
    }
    Ok(response)
}

/// Which TURN servers there are, for a client with a stream key.
#[utoipa::path(
    options,
    path = "/api/v1/whip",
    tag = "webrtc",
    responses((status = 204, description = "`Link` names the operator's TURN servers"))
)]
pub async fn ask(State(app): State<App>, headers: HeaderMap) -> Response {
    // Credentials are for those who may publish; a browser asking for leave sends no key.
    let servers = match stream_key(&headers) {
        Some(key) if app.webrtc.is_key(&key).await => session::ice_servers(&app),
        _ => HeaderMap::new(),
    };
    (StatusCode::NO_CONTENT, servers).into_response()
}

/// Tells a session of its client's candidates, which are not needed here.
#[utoipa::path(
    patch,
    path = "/api/v1/whip/{session}",
    tag = "webrtc",
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"),
    params(("session" = String, Path, description = "Which session")),
    responses(
        (status = 204, description = "Taken"),
        (status = 404, description = "There is no such session", body = Problem,
            content_type = "application/problem+json"),
        (status = 412, description = "`If-Match` is not the session's", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "An ICE restart, which is not done", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let id = session_id(&id)?;
    session::change(&app, id, Role::Publishing, request).await
}

/// Ends a session.
#[utoipa::path(
    delete,
    path = "/api/v1/whip/{session}",
    tag = "webrtc",
    params(("session" = String, Path, description = "Which session")),
    responses(
        (status = 200, description = "It ends"),
        (status = 404, description = "There is no such session", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn end(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    session::end(&app, session_id(&id)?, Role::Publishing)
}

/// What may be asked of a session, to a browser asking for leave.
pub async fn ask_session() -> StatusCode {
    StatusCode::NO_CONTENT
}

fn session_id(text: &str) -> Result<SessionId, ApiError> {
    let invalid = |_| ApiError::new(Code::NotFound, "there is no such session");
    text.parse().map_err(invalid)
}

fn stream_key(headers: &HeaderMap) -> Option<StreamKey> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let key = key.trim();
    let bearer = scheme.eq_ignore_ascii_case("bearer") && !key.is_empty();
    bearer.then(|| StreamKey::from(key.to_owned()))
}

fn not_opened(error: NotOpened) -> ApiError {
    match error {
        NotOpened::Refused(refusal) => {
            let code = match refusal {
                Refusal::UnknownKey => Code::Unauthorized,
                Refusal::AlreadyPublishing | Refusal::Replaced | Refusal::VideoEnded => {
                    Code::Conflict
                }
                Refusal::Unavailable => return ApiError::unavailable(refusal.description()),
            };
            ApiError::new(code, refusal.description())
        }
        other => session::not_opened(other),
    }
}
