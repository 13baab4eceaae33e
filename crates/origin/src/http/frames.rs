//! `getVideoData(id, device, offset)`: the span that holds a moment, in the rendition that fits a
//! device.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;
use weir_media::{record::InitRecord, unit::TrackKind};
use weir_model::{Code, DeviceClass, MediaPath, Problem, RenditionId, Resource, VideoId};

use super::{
    App,
    media::from_registry,
    problem::{ApiError, QueryParams, VideoPath},
};

/// Which moment, for which screen.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FramesQuery {
    /// What the viewer holds; `desktop` unless given.
    #[serde(default)]
    pub device: DeviceClass,
    /// Seconds from the beginning of the video.
    pub offset: f64,
    /// This rendition instead of the best one for the device.
    #[param(value_type = Option<String>)]
    pub rendition: Option<RenditionId>,
    /// Most lines, by which the edge bounds what a token is good for.
    pub max: Option<u32>,
}

const SPAN_START: HeaderName = HeaderName::from_static("weir-span-start");
const SPAN_DURATION: HeaderName = HeaderName::from_static("weir-span-duration");
const NEXT_OFFSET: HeaderName = HeaderName::from_static("weir-next-offset");

/// Leads to the immutable span of about 10 s that holds `offset`, playable alone, with sound.
#[utoipa::path(
    get,
    path = "/api/v1/videos/{id}/frames",
    tag = "videos",
    params(("id" = VideoId, Path, description = "Which video"), FramesQuery),
    responses(
        (status = 307, description = "`Location` is the span. An offset where nothing was \
            broadcast leads to the next span.", headers(
            ("Location" = String, description = "Path of the span"),
            ("Weir-Span-Start" = f64, description = "Offset at which the span begins, in seconds"),
            ("Weir-Span-Duration" = f64, description = "How long it lasts, in seconds"),
            ("Weir-Next-Offset" = f64, description = "Offset to ask for next; absent when \
                nothing follows"),
        )),
        (status = 400, description = "The query is malformed", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "There is no such video, or nothing stored there (yet)",
            body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(
    State(app): State<App>,
    VideoPath(video): VideoPath,
    QueryParams(query): QueryParams<FramesQuery>,
) -> Result<Response, ApiError> {
    if !(query.offset.is_finite() && query.offset >= 0.0) {
        let detail = format!("offset is in seconds, 0 or more, not {}", query.offset);
        return Err(ApiError::new(Code::InvalidQuery, detail));
    }
    let playable = app.registry.playable(video).await.map_err(from_registry)?;
    let shelf = playable.shelf();
    let rendition = match query.rendition {
        Some(rendition) => Some(rendition),
        None => {
            let bounds = query.device.max_lines().into_iter().chain(query.max);
            fitting(&shelf.inits(), bounds.min())
        }
    };
    let rendition = rendition.ok_or_else(|| nothing_there(query.offset))?;
    if query.max.is_some_and(|max| shelf.exceeds(rendition, max)) {
        let detail = format!("rendition {rendition} has more lines than max");
        return Err(ApiError::new(Code::AboveCeiling, detail));
    }
    let found = shelf.locate(rendition, query.offset);
    let (span, next_s) = found.ok_or_else(|| nothing_there(query.offset))?;

    let resource = Resource::Span {
        epoch: span.epoch,
        n: span.n,
        rendition,
    };
    let location = MediaPath {
        token: None,
        video,
        resource,
    }
    .to_string();
    // While the video is on air something follows, though it may not be there yet.
    let end_s = span.start_s + span.duration_s;
    let next_s = next_s.or((!shelf.is_complete()).then_some(end_s));
    let lasting = match shelf.is_complete() {
        true => "public, max-age=3600",
        false => "public, max-age=1",
    };

    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lasting));
    let values = [
        (header::LOCATION, Some(location)),
        (SPAN_START, Some(format!("{:.3}", span.start_s))),
        (SPAN_DURATION, Some(format!("{:.3}", span.duration_s))),
        // Rounded up, so that it never leads back into this span.
        (
            NEXT_OFFSET,
            next_s.map(|next_s| format!("{:.3}", (next_s * 1000.0).ceil() / 1000.0)),
        ),
    ];
    for (name, value) in values {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// The tallest video of at most `max` lines, or the lowest if all are taller; sound if there is no
/// video.
fn fitting(inits: &[InitRecord], max: Option<u32>) -> Option<RenditionId> {
    let lines = |init: &&InitRecord| init.lines();
    let videos = || inits.iter().filter(|init| init.kind() == TrackKind::Video);
    let fits = |init: &&InitRecord| max.is_none_or(|max| lines(init) <= max);
    videos()
        .filter(fits)
        .max_by_key(lines)
        .or_else(|| videos().min_by_key(lines))
        .or_else(|| inits.first())
        .map(|init| init.rendition)
}

fn nothing_there(offset: f64) -> ApiError {
    let detail = format!("nothing is stored at {offset} s; on air, a span comes 10 s late");
    ApiError::new(Code::MediaNotFound, detail)
}
