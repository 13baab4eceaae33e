//! `/api/v1/videos/{id}/room`: a room's frames, to points of presence; and
//! `/api/v1/videos/{id}/reactions`. The frames are [`weir_model::room`]'s.

use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, rejection::WebSocketUpgradeRejection},
    },
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use utoipa::IntoParams;
use weir_model::{
    Code, Problem, VideoId,
    api::Comment,
    room::{
        Frame, GOING_AWAY, MAX_BATCH, MAX_FROM_CLIENT, NO_FRAME, PostReaction, REPORT_EVERY,
        Report, TOO_SLOW,
    },
};

use super::problem::{ApiError, JsonBody, QueryParams, VideoPath, method_not_allowed};
use crate::{
    room::{Item, Listener, Rooms},
    store::{CommentRange, Comments, MetaStore, StoreError},
};

/// How often a listener is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(10);
/// A listener that is silent for so long is gone.
const SILENCE: Duration = REPORT_EVERY.saturating_mul(4);
/// How long a listener may take nothing.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Most comments that a listener that comes back is sent; before them, it is told of a hole.
const MAX_BACKFILL: u64 = 200;
/// Greater than every number that the store can hold.
const NEWEST: u64 = i64::MAX as u64;

/// What the handlers need.
#[derive(Clone)]
pub struct RoomState {
    /// All rooms.
    pub rooms: Rooms,
    /// What is said in them.
    pub comments: Arc<dyn Comments>,
    /// Which videos there are.
    pub meta: Arc<dyn MetaStore>,
    /// Cancelled when the origin goes down.
    pub shutdown: CancellationToken,
}

/// The routes of this module.
pub fn router(state: RoomState) -> Router {
    Router::new()
        .route("/api/v1/videos/{id}/room", get(join))
        .route("/api/v1/videos/{id}/reactions", post(react))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(state)
}

/// Parameters of `GET /api/v1/videos/{id}/room`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RoomQuery {
    /// Number of the newest comment that the client has; the ones behind it are sent first. Default:
    /// the newest are.
    pub after: Option<u64>,
}

/// Open a video's room: chat, reactions, notices and the number of viewers, over a WebSocket.
#[utoipa::path(
    get,
    path = "/api/v1/videos/{id}/room",
    tag = "comments",
    params(("id" = weir_model::VideoId, Path, description = "The video"), RoomQuery),
    responses(
        (status = 101, description = "The socket is open; docs/rooms.md has the frames"),
        (status = 403, description = "A page of another site asks", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such video", body = Problem,
            content_type = "application/problem+json"),
        (status = 426, description = "No WebSocket was asked for", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "Too many sockets are open from this address", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn join(
    State(state): State<RoomState>,
    VideoPath(video): VideoPath,
    QueryParams(RoomQuery { after }): QueryParams<RoomQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade =
        upgrade.map_err(|rejection| ApiError::new(Code::UpgradeRequired, rejection.body_text()))?;
    find(&state, video).await?;
    let upgrade = upgrade
        .read_buffer_size(4096)
        .max_message_size(MAX_FROM_CLIENT)
        .max_frame_size(MAX_FROM_CLIENT);
    Ok(upgrade.on_upgrade(move |socket| async move {
        info!(%video, after, "listener came");
        let line = Line {
            listener: state.rooms.listen(video),
            comments: state.comments,
            video,
            socket,
            sent: after,
        };
        match line.serve(&state.shutdown).await {
            Ok(()) => debug!(%video, "listener went"),
            Err(error) => debug!(%video, %error, "listener lost"),
        }
    }))
}

/// React to what is on the screen.
#[utoipa::path(
    post,
    path = "/api/v1/videos/{id}/reactions",
    tag = "comments",
    params(("id" = weir_model::VideoId, Path, description = "The video")),
    request_body = PostReaction,
    responses(
        (status = 204, description = "Taken; those who watch see it within a moment"),
        (status = 400, description = "Not a reaction", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such video", body = Problem,
            content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "Too many from this address", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn react(
    State(state): State<RoomState>,
    VideoPath(video): VideoPath,
    JsonBody(PostReaction { kind }): JsonBody<PostReaction>,
) -> Result<StatusCode, ApiError> {
    // A room that is there is one of a video that is.
    if !state.rooms.react(video, kind) {
        find(&state, video).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn find(state: &RoomState, video: VideoId) -> Result<(), ApiError> {
    let found = state.meta.find_video(video).await.map_err(|error| {
        tracing::error!(%error, %video, "video looked for in vain");
        ApiError::unavailable("the video can't be looked up at the moment")
    })?;
    found
        .map(drop)
        .ok_or_else(|| ApiError::no_such_video(video))
}

/// Why a listener was lost.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error(transparent)]
    Socket(#[from] axum::Error),
    #[error("it took nothing for {WRITE_TIMEOUT:?}")]
    Stuck,
    #[error("nothing came from it for {SILENCE:?}")]
    Silent,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a frame can't be written: {0}")]
    Frame(#[from] serde_json::Error),
}

/// One listener's socket.
struct Line {
    listener: Listener,
    comments: Arc<dyn Comments>,
    video: VideoId,
    socket: WebSocket,
    /// Number of the newest comment that was sent, or told to be missing.
    sent: Option<u64>,
}

impl Line {
    async fn serve(mut self, shutdown: &CancellationToken) -> Result<(), LineError> {
        self.greet().await?;
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                item = self.listener.next() => match item {
                    Ok(item) => self.pass_on(item).await?,
                    Err(RecvError::Lagged(_)) => {
                        let after = self.sent.unwrap_or(0);
                        self.send(&Frame::Hole { after }).await?;
                        return self.close(TOO_SLOW, "too slow").await;
                    }
                    Err(RecvError::Closed) => {
                        return self.close(GOING_AWAY, "the room closes").await;
                    }
                },
                message = self.socket.recv() => {
                    let Some(message) = message else { return Ok(()) };
                    heard = Instant::now();
                    match self.hear(message?) {
                        ControlFlow::Continue(()) => {}
                        ControlFlow::Break(None) => return Ok(()),
                        ControlFlow::Break(Some(reason)) => {
                            return self.close(NO_FRAME, reason).await;
                        }
                    }
                },
                _ = pings.tick() => {
                    if heard.elapsed() > SILENCE {
                        return Err(LineError::Silent);
                    }
                    self.write(Message::Ping(Default::default())).await?;
                }
                () = shutdown.cancelled() => {
                    return self.close(GOING_AWAY, "the origin goes down").await;
                }
            }
        }
    }

    async fn greet(&mut self) -> Result<(), LineError> {
        let newest = self.page(CommentRange::Before(NEWEST), 1).await?;
        let seq = newest.last().map_or(0, |comment| comment.seq);
        let (viewers, notice) = self.listener.standing();
        self.send(&Frame::Hello { seq, viewers }).await?;
        if let Some(notice) = notice {
            self.send(&Frame::Notice { notice }).await?;
        }
        // Numbers that were never given are of a former life of the store.
        self.sent = self.sent.map(|sent| sent.min(seq));
        self.catch_up(seq).await
    }

    /// Sends what is stored up to `newest` and was not sent.
    async fn catch_up(&mut self, newest: u64) -> Result<(), LineError> {
        let behind = self.sent.map(|sent| newest.saturating_sub(sent));
        if behind.is_none_or(|behind| behind > MAX_BACKFILL) {
            if let Some(after) = self.sent {
                self.send(&Frame::Hole { after }).await?;
            }
            self.sent = Some(newest.saturating_sub(MAX_BATCH as u64));
        }
        while let Some(after) = self.sent.filter(|sent| *sent < newest) {
            let comments = self
                .page(CommentRange::After(after), MAX_BATCH as u32)
                .await?;
            let Some(last) = comments.last() else {
                break;
            };
            self.sent = Some(last.seq);
            self.send(&Frame::Messages { messages: comments }).await?;
        }
        Ok(())
    }

    async fn pass_on(&mut self, item: Item) -> Result<(), LineError> {
        let sent = self.sent.unwrap_or(0);
        let (comments, frame) = match item {
            Item::Other(frame) => return self.write(Message::Text(frame)).await,
            Item::Newest(newest) => return self.catch_up(newest.max(sent)).await,
            Item::Messages { comments, frame } => (comments, frame),
        };
        let (Some(first), Some(last)) = (comments.first(), comments.last()) else {
            return Ok(());
        };
        if last.seq <= sent {
            return Ok(());
        }
        if first.seq != sent + 1 {
            return self.catch_up(last.seq).await;
        }
        self.sent = Some(last.seq);
        self.write(Message::Text(frame)).await
    }

    // `&mut`, since a socket cannot be shared between threads.
    async fn page(&mut self, range: CommentRange, limit: u32) -> Result<Vec<Comment>, StoreError> {
        let page = self.comments.page(self.video, range, limit).await?;
        Ok(page.map(|page| page.comments).unwrap_or_default())
    }

    /// Breaks with a reason if the listener sends what it should not.
    fn hear(&mut self, message: Message) -> ControlFlow<Option<&'static str>> {
        match message {
            Message::Text(text) => match serde_json::from_str::<Report>(&text) {
                Ok(Report { viewers }) => {
                    self.listener.report(viewers);
                    ControlFlow::Continue(())
                }
                Err(_) => ControlFlow::Break(Some("not a report")),
            },
            Message::Binary(_) => ControlFlow::Break(Some("not a report")),
            Message::Close(_) => ControlFlow::Break(None),
            Message::Ping(_) | Message::Pong(_) => ControlFlow::Continue(()),
        }
    }

    async fn send(&mut self, frame: &Frame) -> Result<(), LineError> {
        let text = Utf8Bytes::from(serde_json::to_string(frame)?);
        self.write(Message::Text(text)).await
    }

    async fn write(&mut self, message: Message) -> Result<(), LineError> {
        let written = timeout(WRITE_TIMEOUT, self.socket.send(message)).await;
        Ok(written.map_err(|_| LineError::Stuck)??)
    }

    async fn close(&mut self, code: u16, reason: &'static str) -> Result<(), LineError> {
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        self.write(Message::Close(Some(frame))).await
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
