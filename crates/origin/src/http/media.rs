//! `/v/…`: what players fetch.
//!
//! - [`playlist`]: HLS playlists and the DASH manifest
//! - [`segment`]: initialisation segments, segments and parts
//! - [`growing`]: a segment that is sent while it grows
//! - [`query`]: what may stand behind a path
//! - [`wait`]: requests for what is to come

mod growing;
mod playlist;
mod query;
mod segment;
mod wait;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, Uri},
    response::{IntoResponse, Response},
};
use tracing::error;
use weir_model::{Code, MediaPath, Resource, VideoId, live_edge};

use self::{playlist::Lists, query::Query};
use super::{App, problem::ApiError};
use crate::{
    archive::ArchiveError,
    registry::{Playable, RegistryError},
};

/// How long an answer stays true.
#[derive(Clone, Copy, Debug)]
enum Lasting {
    /// A name that never gets other bytes.
    Forever,
    /// One rendering of a playlist position: the first one is kept.
    Position,
    /// What a live playlist is right now.
    Now,
    /// What lists a live video's segments as they come: multivariant, rewind, manifest.
    Second,
    /// A recording's playlist.
    Hour,
}

impl Lasting {
    fn cache_control(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Forever => "public, max-age=31536000, immutable",
            Self::Position => "public, max-age=24",
            Self::Now => "no-cache",
            Self::Second => "public, max-age=1",
            Self::Hour => "public, max-age=3600",
        })
    }
}

/// Answers every path of [`weir_model::path`]'s grammar.
#[utoipa::path(
    get,
    path = "/v/{path}",
    tag = "media",
    params(("path" = String, Path, description = "Playlists: `{video}/index.m3u8`, \
        `{video}/{rendition}/index.m3u8` (LL-HLS: `_HLS_msn`, `_HLS_part`, `_HLS_skip`), \
        `{video}/{rendition}/recording.m3u8`, to rewind while live `{video}/dvr.m3u8` and \
        `{video}/{rendition}/dvr.m3u8`, I-frames `{video}/{rendition}/iframes.m3u8`. DASH: \
        `{video}/manifest.mpd`. Lists of renditions hold what fits `device` (phone, tablet, desktop, tv) \
        and `max` lines. Media: `{video}/{epoch}/{rendition}/init-{n}.mp4`, \
        `…/{msn}.m4s`, `…/{msn}.{part}.m4s`, `…/dash-{msn}.m4s` (sent while it grows), \
        `{video}/{epoch}/span/{n}-{rendition}.mp4`.")),
    responses(
        (status = 200, description = "The playlist or media",
            content((String = "application/vnd.apple.mpegurl"), (String = "application/dash+xml"),
                (Vec<u8> = "video/mp4"), (Vec<u8> = "audio/mp4"))),
        (status = 400, description = "The position is malformed or too far ahead",
            body = weir_model::Problem, content_type = "application/problem+json"),
        (status = 403, description = "The rendition has more lines than `max`",
            body = weir_model::Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such video or media",
            body = weir_model::Problem, content_type = "application/problem+json"),
        (status = 503, description = "The position did not come in time",
            body = weir_model::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(State(app): State<App>, head: HeaderMap, uri: Uri) -> Result<Response, ApiError> {
    let Some(MediaPath {
        video, resource, ..
    }) = MediaPath::parse(uri.path())
    else {
        return Err(ApiError::new(
            Code::NotFound,
            format!("there is nothing at {}", uri.path()),
        ));
    };
    // What is malformed stays so whether or not there is something to play.
    let query = Query::parse(uri.query().unwrap_or_default())?;
    let playable = app.registry.playable(video).await.map_err(from_registry)?;
    let lists = Lists {
        app: &app,
        video,
        playable: &playable,
    };
    let answer = answer(lists, resource, query, &head).await;
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    if let Some(edge) = edge(&playable, resource) {
        response.headers_mut().insert(live_edge::HEADER, edge);
    }
    Ok(response)
}

async fn answer(
    lists: Lists<'_>,
    resource: Resource,
    query: Query<'_>,
    head: &HeaderMap,
) -> Result<Response, ApiError> {
    let Lists { app, playable, .. } = lists;
    if let Some(rendition) = resource.rendition() {
        query.check(playable, rendition)?;
    }
    let form = match resource {
        Resource::Multivariant => lists.multivariant(query.max_lines()).await,
        Resource::DvrMultivariant => lists.dvr_multivariant(query.max_lines()).await,
        Resource::Manifest => lists.manifest(query.max_lines()).await,
        Resource::Live { rendition } => {
            let (at, skip) = query.directives()?;
            lists.live(rendition, at, skip).await
        }
        Resource::Recording { rendition } => lists.recording(rendition).await,
        Resource::Dvr { rendition } => lists.dvr(rendition).await,
        Resource::IFrames { rendition } => lists.i_frames(rendition).await,
        Resource::Init {
            epoch,
            rendition,
            n,
        } => return segment::init(app, playable, epoch, rendition, n).await,
        Resource::Segment {
            epoch,
            rendition,
            msn,
        } => return segment::segment(app, playable, epoch, rendition, msn).await,
        Resource::GrowingSegment {
            epoch,
            rendition,
            msn,
        } => return growing::get(app, playable, epoch, rendition, msn).await,
        Resource::Part {
            epoch,
            rendition,
            msn,
            part,
        } => return segment::part(app, playable, epoch, rendition, msn, part).await,
        Resource::Span {
            epoch,
            n,
            rendition,
        } => {
            let archive = app.registry.archive();
            let span = archive.span(playable.shelf(), epoch, n, rendition).await;
            return segment::found(span.map_err(from_archive)?, playable, rendition);
        }
    };
    Ok(form?.answer(head).await)
}

/// How far the rendition has come by the time of the answer, of what an edge asks for before it is
/// there.
fn edge(playable: &Playable, resource: Resource) -> Option<HeaderValue> {
    let Playable::OnAir(broadcast) = playable else {
        return None;
    };
    let (Resource::Live { rendition }
    | Resource::Segment { rendition, .. }
    | Resource::GrowingSegment { rendition, .. }
    | Resource::Part { rendition, .. }) = resource
    else {
        return None;
    };
    HeaderValue::try_from(broadcast.edge(rendition)?.to_string()).ok()
}

fn nothing_to_play(video: VideoId) -> ApiError {
    ApiError::new(
        Code::MediaNotFound,
        format!("video {video} has nothing to play (yet)"),
    )
}

fn not_there() -> ApiError {
    ApiError::new(
        Code::MediaNotFound,
        "the video has no such media, or not any more",
    )
}

pub(super) fn from_registry(e: RegistryError) -> ApiError {
    match e {
        RegistryError::NoSuchVideo(video) => ApiError::no_such_video(video),
        RegistryError::NothingToPlay(video) => nothing_to_play(video),
        e => {
            error!(error = %e, "video not loaded");
            ApiError::unavailable("the video's metadata or index can't be read now")
        }
    }
}

fn from_archive(e: ArchiveError) -> ApiError {
    error!(error = %e, "stored media not read");
    ApiError::unavailable("stored media can't be read now")
}
