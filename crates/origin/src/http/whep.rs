//! WHEP (draft-ietf-wish-whep): viewers play with the delay of a video call.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, StatusCode, request::Parts},
    response::Response,
};
use weir_model::{Code, Problem, SessionId, VideoId, WhepPath};

use super::{
    App,
    problem::{ApiError, read_body},
    session::{self, OFFER},
};
use crate::webrtc::{NotOpened, Role};

/// Begins to play a live video. The body is an SDP offer to receive H.264, Opus or both, the
/// answer's body an SDP answer; `Location` names the session.
#[utoipa::path(
    post,
    path = "/v/{video}/whep",
    tag = "webrtc",
    request_body(content = String, content_type = "application/sdp"),
    params(("video" = VideoId, Path, description = "Which video")),
    responses(
        (status = 201, description = "The answer. `Location` is the session's URL, `ETag` names \
            its ICE credentials, `Link` the operator's TURN servers", body = String,
            content_type = "application/sdp"),
        (status = 400, description = "The body is no offer", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "There is no such video", body = Problem,
            content_type = "application/problem+json"),
        (status = 406, description = "Neither H.264 nor Opus is offered", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The video is not live, or has nothing that WebRTC can play; \
            `detail` says what the streamer can do", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "There are too many sessions", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn play(
    State(app): State<App>,
    at: Place,
    request: Request,
) -> Result<Response, ApiError> {
    let video = at.of_video()?;
    let offer = session::text(read_body(request, &[OFFER]).await?)?;
    let opened = match app.webrtc.play(video, &offer).await {
        Ok(opened) => opened,
        Err(NotOpened::NotLive) => return Err(not_live(&app, video).await),
        Err(error) => return Err(session::not_opened(error)),
    };
    let location = format!("/v/{video}/whep/{}", opened.id);
    Ok(session::opened(&app, location, opened))
}

/// Which TURN servers there are.
#[utoipa::path(
    options,
    path = "/v/{video}/whep",
    tag = "webrtc",
    params(("video" = VideoId, Path, description = "Which video")),
    responses((status = 204, description = "`Link` names the operator's TURN servers"))
)]
pub async fn ask(State(app): State<App>, at: Place) -> (StatusCode, HeaderMap) {
    // Credentials are for those who could play something.
    let live = at.session.is_none() && app.registry.on_air(at.video).is_some();
    let servers = match live {
        true => session::ice_servers(&app),
        false => HeaderMap::new(),
    };
    (StatusCode::NO_CONTENT, servers)
}

/// Tells a session of its client's candidates, which are not needed here.
#[utoipa::path(
    patch,
    path = "/v/{video}/whep/{session}",
    tag = "webrtc",
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"),
    params(
        ("video" = VideoId, Path, description = "Which video"),
        ("session" = String, Path, description = "Which session"),
    ),
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
    at: Place,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let id = at.of_session()?;
    session::change(&app, id, Role::Playing(at.video), request).await
}

/// Ends a session.
#[utoipa::path(
    delete,
    path = "/v/{video}/whep/{session}",
    tag = "webrtc",
    params(
        ("video" = VideoId, Path, description = "Which video"),
        ("session" = String, Path, description = "Which session"),
    ),
    responses(
        (status = 200, description = "It ends"),
        (status = 404, description = "There is no such session", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn end(State(app): State<App>, at: Place) -> Result<StatusCode, ApiError> {
    session::end(&app, at.of_session()?, Role::Playing(at.video))
}

/// What a path under `/v/` names of WHEP.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    video: VideoId,
    session: Option<SessionId>,
}

impl Place {
    /// Where sessions begin.
    fn of_video(self) -> Result<VideoId, ApiError> {
        match self.session {
            None => Ok(self.video),
            Some(_) => Err(wrong_method()),
        }
    }

    /// A session that stands.
    fn of_session(self) -> Result<SessionId, ApiError> {
        self.session.ok_or_else(wrong_method)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // What else there is under /v/ is only read.
        let path = WhepPath::parse(parts.uri.path()).ok_or_else(wrong_method)?;
        Ok(Self {
            video: path.video,
            session: path.session,
        })
    }
}

fn wrong_method() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "the method does not go with the path",
    )
}

/// A video that is not live, or none at all.
async fn not_live(app: &App, video: VideoId) -> ApiError {
    match app.meta.find_video(video).await {
        Ok(None) => ApiError::no_such_video(video),
        Ok(Some(_)) => ApiError::new(Code::Conflict, NotOpened::NotLive.to_string()),
        Err(_) => ApiError::unavailable("the metadata store failed; try again"),
    }
}
