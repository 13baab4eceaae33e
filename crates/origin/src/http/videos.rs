//! Videos: create, list, read, change, end, and their stream keys.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tracing::error;
use utoipa::IntoParams;
use weir_media::live;
use weir_model::{
    Access, Code, Problem, VideoId,
    api::{
        ChangeVideo, CreateVideo, CreatedVideo, Publishers, ShedRendition, Video, VideoPage,
        VideoState,
    },
};

use super::{
    App,
    problem::{ApiError, JsonBody, QueryParams, VideoPath},
};
use crate::{
    keys::{self, NoRandomness},
    origin::PushUrls,
    store::{ChangeVideoError, CreateVideoError, StoreError, VideoRecord},
};

/// Longest title, in characters.
const MAX_TITLE: usize = 200;
/// Videos on a page unless asked otherwise.
const DEFAULT_LIMIT: u32 = 20;
/// Most videos on a page.
const MAX_LIMIT: u32 = 100;
/// Draws of a random id before something must be wrong.
const DRAWS: usize = 4;

/// Which page of videos.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Videos on the page, 1 to 100, 20 unless given.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// Creates a video and shows its stream key, this once.
#[utoipa::path(
    post,
    path = "/api/v1/videos",
    tag = "operator",
    request_body = CreateVideo,
    security(("operator_token" = [])),
    responses(
        (status = 201, description = "Created", body = CreatedVideo),
        (status = 400, description = "The body is not what this call takes", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "The operator token is missing or wrong", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn create(
    State(app): State<App>,
    JsonBody(wanted): JsonBody<CreateVideo>,
) -> Result<Response, ApiError> {
    let title = checked_title(&wanted.title)?;
    let access = if wanted.protected {
        Access::Protected
    } else {
        Access::Open
    };
    for _ in 0..DRAWS {
        let id = VideoId::from_random(keys::random_bits().map_err(no_randomness)?, access);
        let stream_key = keys::new_stream_key().map_err(no_randomness)?;
        let key = keys::hash_secret(&stream_key);
        match app.meta.create_video(id, title, key, app.clock.now()).await {
            Ok(record) => {
                let location = format!("/api/v1/videos/{id}");
                let created = with_key(&app, record, stream_key);
                let headers = [(header::LOCATION, location)];
                return Ok((StatusCode::CREATED, headers, Json(created)).into_response());
            }
            Err(CreateVideoError::Taken(_)) => {}
            Err(CreateVideoError::Store(e)) => return Err(store_failed(e)),
        }
    }
    Err(ApiError::new(Code::Internal, "no free video id was drawn"))
}

/// Lists all videos, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/videos",
    tag = "videos",
    params(PageQuery),
    responses(
        (status = 200, description = "A page; viewers see open videos alone", body = VideoPage),
        (status = 400, description = "The query is malformed", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn list_all(
    State(app): State<App>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Result<Json<VideoPage>, ApiError> {
    page(&app, query, |_| true).await.map(Json)
}

/// Lists open videos, newest first: a page may hold fewer than asked for and still not be the
/// last.
pub async fn list_open(
    State(app): State<App>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Result<Response, ApiError> {
    let page = page(&app, query, |record| record.id.access() == Access::Open).await?;
    Ok(([(header::CACHE_CONTROL, "public, max-age=1")], Json(page)).into_response())
}

/// Reads a video.
#[utoipa::path(
    get,
    path = "/api/v1/videos/{id}",
    tag = "videos",
    params(("id" = VideoId, Path, description = "Which video")),
    responses(
        (status = 200, description = "The video", body = Video),
        (status = 404, description = "There is no such video", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn read(State(app): State<App>, VideoPath(id): VideoPath) -> Result<Response, ApiError> {
    let record = app.meta.find_video(id).await.map_err(store_failed)?;
    let record = record.ok_or_else(|| ApiError::no_such_video(id))?;
    let headers = [(header::CACHE_CONTROL, "public, max-age=1")];
    Ok((headers, Json(video(&app, record))).into_response())
}

/// Changes a video's title.
#[utoipa::path(
    patch,
    path = "/api/v1/videos/{id}",
    tag = "operator",
    params(("id" = VideoId, Path, description = "Which video")),
    request_body = ChangeVideo,
    security(("operator_token" = [])),
    responses(
        (status = 200, description = "Changed", body = Video),
        (status = 404, description = "There is no such video", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn change(
    State(app): State<App>,
    VideoPath(id): VideoPath,
    JsonBody(wanted): JsonBody<ChangeVideo>,
) -> Result<Json<Video>, ApiError> {
    let title = checked_title(&wanted.title)?;
    let record = app.meta.set_title(id, title).await.map_err(change_failed)?;
    Ok(Json(video(&app, record)))
}

/// Ends a video. What was broadcast plays out and becomes a recording; ending twice is no error.
#[utoipa::path(
    post,
    path = "/api/v1/videos/{id}/end",
    tag = "operator",
    params(("id" = VideoId, Path, description = "Which video")),
    security(("operator_token" = [])),
    responses(
        (status = 200, description = "Ending, or ended", body = Video),
        (status = 404, description = "There is no such video", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn end(
    State(app): State<App>,
    VideoPath(id): VideoPath,
) -> Result<Json<Video>, ApiError> {
    let record = app.registry.end(id).await.map_err(change_failed)?;
    Ok(Json(video(&app, record)))
}

/// Replaces a video's stream key and shows the new one, this once. An encoder that is connected
/// stays; the old key opens nothing any more.
#[utoipa::path(
    post,
    path = "/api/v1/videos/{id}/key",
    tag = "operator",
    params(("id" = VideoId, Path, description = "Which video")),
    security(("operator_token" = [])),
    responses(
        (status = 200, description = "Replaced", body = CreatedVideo),
        (status = 404, description = "There is no such video", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The video has ended", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn rotate_key(
    State(app): State<App>,
    VideoPath(id): VideoPath,
) -> Result<Json<CreatedVideo>, ApiError> {
    let stream_key = keys::new_stream_key().map_err(no_randomness)?;
    let record = app
        .meta
        .rotate_key(id, keys::hash_secret(&stream_key))
        .await;
    Ok(Json(with_key(
        &app,
        record.map_err(change_failed)?,
        stream_key,
    )))
}

async fn page(
    app: &App,
    query: PageQuery,
    shown: impl Fn(&VideoRecord) -> bool,
) -> Result<VideoPage, ApiError> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("limit is 1 to {MAX_LIMIT}, not {limit}");
        return Err(ApiError::new(Code::InvalidQuery, detail));
    }
    let after = query.after.map(|after| after.parse()).transpose();
    let after = after.map_err(|e| ApiError::new(Code::InvalidQuery, format!("after: {e}")))?;
    let records = app
        .meta
        .list_videos(limit, after)
        .await
        .map_err(store_failed)?;
    let shown = records.videos.into_iter().filter(shown);
    Ok(VideoPage {
        videos: shown.map(|record| video(app, record)).collect(),
        next: records.next.map(|id| id.to_string()),
    })
}

/// The record, with what only the broadcast knows: it is ahead of the metadata by a moment.
fn video(app: &App, record: VideoRecord) -> Video {
    let broadcast = app.registry.on_air(record.id);
    let status = broadcast.as_ref().map(|broadcast| broadcast.status());
    let state = match status.as_ref().map(|status| status.state) {
        _ if record.state == VideoState::Recorded => VideoState::Recorded,
        Some(live::State::Live | live::State::Ending) => VideoState::Live,
        Some(live::State::Away) => VideoState::Away,
        Some(live::State::Ended) => VideoState::Recorded,
        Some(live::State::Waiting) => VideoState::Waiting,
        None => record.state,
    };
    let publishers = broadcast.filter(|_| state != VideoState::Recorded);
    let publishers = publishers.map(|broadcast| {
        let lanes = broadcast.lanes();
        Publishers {
            on_air: lanes.on_air,
            standing_by: lanes.standing_by,
            switches: lanes.switches,
            slate: status.as_ref().is_some_and(|status| status.slate),
        }
    });
    let (warnings, shed) = status
        .map(|status| (status.warnings, status.shed))
        .unwrap_or_default();
    let shed = shed.into_iter().map(|shed| ShedRendition {
        rendition: shed.rendition,
        since: shed.since,
    });
    Video {
        id: record.id,
        title: record.title,
        state,
        created_at: record.created_at,
        started_at: record.started_at,
        ended_at: record.ended_at,
        epoch: record.epoch,
        playback_url: format!("/v/{}/index.m3u8", record.id),
        watch_url: format!("/watch/{}", record.id),
        warnings: warnings.iter().map(ToString::to_string).collect(),
        shed: shed.collect(),
        publishers,
    }
}

fn with_key(app: &App, record: VideoRecord, stream_key: String) -> CreatedVideo {
    let PushUrls { rtmp, rtmps, srt } = app.push_urls.clone();
    CreatedVideo {
        video: video(app, record),
        stream_key,
        rtmp_url: rtmp,
        rtmps_url: rtmps,
        srt_url: srt,
        whip_url: "/api/v1/whip".to_owned(),
    }
}

fn checked_title(title: &str) -> Result<&str, ApiError> {
    let title = title.trim();
    let len = title.chars().count();
    if len > MAX_TITLE {
        let detail = format!("a title has at most {MAX_TITLE} characters, not {len}");
        return Err(ApiError::new(Code::InvalidBody, detail));
    }
    if title.chars().any(char::is_control) {
        return Err(ApiError::new(
            Code::InvalidBody,
            "a title has no control characters",
        ));
    }
    Ok(title)
}

fn change_failed(e: ChangeVideoError) -> ApiError {
    match e {
        ChangeVideoError::NotFound(id) => ApiError::no_such_video(id),
        ChangeVideoError::Ended(id) => {
            ApiError::new(Code::Conflict, format!("video {id} has ended"))
        }
        ChangeVideoError::Store(e) => store_failed(e),
    }
}

fn store_failed(e: StoreError) -> ApiError {
    error!(error = %e, "metadata store failed");
    ApiError::unavailable("the metadata store failed; try again")
}

fn no_randomness(e: NoRandomness) -> ApiError {
    error!(error = %e, "no random bytes");
    ApiError::new(Code::Internal, "the system gave no random bytes")
}
