//! `/v/…`: what players fetch.
//!
//! - [`playlist`]: HLS playlists and the DASH manifest
//! - [`segment`]: initialisation segments, segments and parts
//! - [`growing`]: a segment that is sent while it grows
//! - [`wait`]: requests for what is to come

mod growing;
mod playlist;
mod segment;
mod wait;

use axum::{
    extract::State,
    http::{HeaderValue, Uri},
    response::Response,
};
use tracing::error;
use weir_model::{
    Code, DeviceClass, MediaPath, Resource, VideoId,
    device::UnknownDevice,
    path::{InvalidDirective, delivery_directives},
};

use super::{App, problem::ApiError};
use crate::{archive::ArchiveError, registry::RegistryError};

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
        `{video}/manifest.mpd`. Media: `{video}/{epoch}/{rendition}/init-{n}.mp4`, \
        `…/{msn}.m4s`, `…/{msn}.{part}.m4s`, `…/dash-{msn}.m4s` (sent while it grows), \
        `{video}/{epoch}/span/{n}-{rendition}.mp4`.")),
    responses(
        (status = 200, description = "The playlist or media",
            content((String = "application/vnd.apple.mpegurl"), (String = "application/dash+xml"),
                (Vec<u8> = "video/mp4"), (Vec<u8> = "audio/mp4"))),
        (status = 400, description = "The position is malformed or too far ahead",
            body = weir_model::Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such video or media",
            body = weir_model::Problem, content_type = "application/problem+json"),
        (status = 503, description = "The position did not come in time",
            body = weir_model::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(State(app): State<App>, uri: Uri) -> Result<Response, ApiError> {
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
    let query = uri.query().unwrap_or_default();
    let device = device(query)?;
    let directives = delivery_directives(query).map_err(malformed);
    let playable = app.registry.playable(video).await.map_err(from_registry)?;
    match resource {
        Resource::Multivariant => playlist::multivariant(&playable, video, device),
        Resource::DvrMultivariant => playlist::dvr_multivariant(&playable, video, device),
        Resource::Manifest => playlist::manifest(&playable, video, device),
        Resource::Live { rendition } => {
            let (at, skip) = directives?;
            playlist::live(&app, &playable, rendition, at, skip).await
        }
        Resource::Recording { rendition } => playlist::recording(&playable, video, rendition),
        Resource::Dvr { rendition } => playlist::dvr(&playable, rendition),
        Resource::IFrames { rendition } => playlist::i_frames(&playable, rendition),
        Resource::Init {
            epoch,
            rendition,
            n,
        } => segment::init(&app, &playable, epoch, rendition, n).await,
        Resource::Segment {
            epoch,
            rendition,
            msn,
        } => segment::segment(&app, &playable, epoch, rendition, msn).await,
        Resource::GrowingSegment {
            epoch,
            rendition,
            msn,
        } => growing::get(&app, &playable, epoch, rendition, msn).await,
        Resource::Part {
            epoch,
            rendition,
            msn,
            part,
        } => segment::part(&app, &playable, epoch, rendition, msn, part).await,
        Resource::Span {
            epoch,
            n,
            rendition,
        } => {
            let archive = app.registry.archive();
            let span = archive.span(playable.shelf(), epoch, n, rendition).await;
            segment::found(span.map_err(from_archive)?, &playable, rendition)
        }
    }
}

/// `device=`, by which the edge routes; other parameters are ignored.
fn device(query: &str) -> Result<DeviceClass, ApiError> {
    let class = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("device="));
    class.map_or(Ok(DeviceClass::default()), |class| {
        class.parse().map_err(|unknown: UnknownDevice| {
            ApiError::new(Code::InvalidQuery, unknown.to_string())
        })
    })
}

fn malformed(directive: InvalidDirective) -> ApiError {
    let detail = match directive {
        InvalidDirective::NotANumber => "_HLS_msn and _HLS_part are decimal numbers, given once",
        InvalidDirective::PartWithoutMsn => "_HLS_part needs _HLS_msn",
        InvalidDirective::UnknownSkip => "_HLS_skip is YES or v2",
    };
    ApiError::new(Code::InvalidQuery, detail)
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
