//! What WHIP and WHEP have in common: how a session is told of, changed and ended.

use axum::{
    body::Bytes,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use weir_model::{Code, SessionId};

use super::{
    App,
    problem::{ApiError, read_body},
};
use crate::webrtc::{NotChanged, NotOpened, Opened, Role, Unanswerable};

/// Media type of offers and answers (RFC 8866).
pub(super) const OFFER: &str = "application/sdp";
/// Media type of their parts (RFC 8840).
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

pub(super) fn text(body: Bytes) -> Result<String, ApiError> {
    let text = String::from_utf8(body.into());
    text.map_err(|_| ApiError::new(Code::InvalidBody, "the body is not UTF-8"))
}

/// The answer to an offer.
pub(super) fn opened(app: &App, location: String, opened: Opened) -> Response {
    let headers = [
        (header::LOCATION, location),
        (header::ETAG, opened.etag),
        (header::CONTENT_TYPE, OFFER.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let servers = ice_servers(app);
    (StatusCode::CREATED, headers, servers, opened.answer).into_response()
}

/// `Link` fields, one for each of the operator's TURN servers.
pub(super) fn ice_servers(app: &App) -> HeaderMap {
    let links = app.webrtc.ice_servers(app.clock.now());
    let mut headers = HeaderMap::new();
    for link in links {
        if let Ok(value) = HeaderValue::try_from(link) {
            headers.append(header::LINK, value);
        }
    }
    headers
}

pub(super) async fn change(
    app: &App,
    id: SessionId,
    role: Role,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let if_match = request.headers().get(header::IF_MATCH).cloned();
    let fragment = text(read_body(request, &[FRAGMENT]).await?)?;
    let if_match = if_match.as_ref().and_then(|value| value.to_str().ok());
    let changed = app.webrtc.change(id, role, if_match, &fragment);
    changed.map_err(|error| {
        let code = match error {
            NotChanged::NoSuchSession => Code::NotFound,
            NotChanged::OtherTag => Code::PreconditionFailed,
            NotChanged::IceRestart => Code::Unprocessable,
        };
        ApiError::new(code, error.to_string())
    })?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn end(app: &App, id: SessionId, role: Role) -> Result<StatusCode, ApiError> {
    match app.webrtc.end(id, role) {
        true => Ok(StatusCode::OK),
        false => Err(ApiError::new(
            Code::NotFound,
            NotChanged::NoSuchSession.to_string(),
        )),
    }
}

pub(super) fn not_opened(error: NotOpened) -> ApiError {
    let code = match &error {
        NotOpened::Unanswerable(Unanswerable::NoCodec(_)) => Code::NotAcceptable,
        NotOpened::Unanswerable(Unanswerable::Fault | Unanswerable::Candidate(_))
        | NotOpened::NoRandomness(_) => Code::Internal,
        NotOpened::Unanswerable(_) => Code::InvalidBody,
        NotOpened::Refused(_) | NotOpened::NotLive | NotOpened::Unplayable(_) => Code::Conflict,
        NotOpened::Full => return ApiError::unavailable(error.to_string()),
    };
    ApiError::new(code, error.to_string())
}
