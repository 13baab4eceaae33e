//! `/v/…`: playlists, initialisation segments, segments, parts and spans.

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;
use tracing::error;
use weir_media::{
    hls::TARGET_DURATION_S,
    live::{MediaAnswer, PlaylistAnswer},
    unit::TrackKind,
};
use weir_model::{
    Code, DeviceClass, Epoch, MediaPath, Msn, PartIndex, PlaylistPosition, RenditionId, Resource,
    Skip, VideoId,
    device::UnknownDevice,
    path::{InvalidDirective, delivery_directives},
};

use super::{App, problem::ApiError};
use crate::{
    archive::ArchiveError,
    broadcast::Broadcast,
    registry::{Playable, RegistryError},
};

/// Longest wait for a playlist position: three target durations (draft-rfc8216bis section
/// 6.2.5.2).
const POSITION_WAIT: Duration = Duration::from_secs(3 * TARGET_DURATION_S);
/// Longest wait for a hinted part.
const PART_WAIT: Duration = Duration::from_secs(TARGET_DURATION_S);

/// How long an answer stays true.
#[derive(Clone, Copy, Debug)]
enum Lasting {
    /// A name that never gets other bytes.
    Forever,
    /// One rendering of a playlist position: the first one is kept.
    Position,
    /// What a live playlist is right now.
    Now,
    /// A live multivariant playlist.
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
        `{video}/{rendition}/recording.m3u8`. Media: `{video}/{epoch}/{rendition}/init-{n}.mp4`, \
        `…/{msn}.m4s`, `…/{msn}.{part}.m4s`, `{video}/{epoch}/span/{n}-{rendition}.mp4`.")),
    responses(
        (status = 200, description = "The playlist or media",
            content((String = "application/vnd.apple.mpegurl"), (Vec<u8> = "video/mp4"),
                (Vec<u8> = "audio/mp4"))),
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
        Resource::Multivariant => multivariant(&playable, video, device),
        Resource::Live { rendition } => {
            let (at, skip) = directives?;
            live_playlist(&app, &playable, rendition, at, skip).await
        }
        Resource::Recording { rendition } => recording(&playable, video, rendition),
        Resource::Init {
            epoch,
            rendition,
            n,
        } => init(&app, &playable, epoch, rendition, n).await,
        Resource::Segment {
            epoch,
            rendition,
            msn,
        } => segment(&app, &playable, epoch, rendition, msn).await,
        Resource::Part {
            epoch,
            rendition,
            msn,
            part,
        } => self::part(&app, &playable, epoch, rendition, msn, part).await,
        Resource::Span {
            epoch,
            n,
            rendition,
        } => {
            let archive = app.registry.archive();
            let span = archive.span(playable.shelf(), epoch, n, rendition).await;
            found(span.map_err(from_archive)?, &playable, rendition)
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

fn multivariant(
    playable: &Playable,
    video: VideoId,
    device: DeviceClass,
) -> Result<Response, ApiError> {
    let max_height = device.max_height();
    let recorded = playable.shelf().is_complete();
    let (text, lasting) = match playable {
        Playable::OnAir(broadcast) if !recorded => {
            (broadcast.multivariant(max_height), Lasting::Second)
        }
        _ => (playable.shelf().multivariant(max_height), Lasting::Hour),
    };
    text.map(|text| playlist(text, lasting))
        .ok_or_else(|| nothing_to_play(video))
}

async fn live_playlist(
    app: &App,
    playable: &Playable,
    rendition: RenditionId,
    at: Option<PlaylistPosition>,
    skip: Skip,
) -> Result<Response, ApiError> {
    let Playable::OnAir(broadcast) = playable else {
        let detail = "the broadcast is over; the multivariant playlist leads to its recording";
        return Err(ApiError::new(Code::MediaNotFound, detail));
    };
    let lasting = if at.is_some() {
        Lasting::Position
    } else {
        Lasting::Now
    };
    let answer = wait(app, broadcast, POSITION_WAIT, || {
        match broadcast.playlist(rendition, at, skip) {
            PlaylistAnswer::Wait => None,
            answer => Some(answer),
        }
    });
    match answer.await {
        Some(PlaylistAnswer::Ready(text)) => Ok(playlist(text, lasting)),
        Some(PlaylistAnswer::TooFarAhead) => Err(ApiError::new(
            Code::PositionTooFarAhead,
            "the position is more than two segments ahead of the playlist",
        )),
        Some(PlaylistAnswer::Unknown) => Err(ApiError::new(
            Code::MediaNotFound,
            format!("there is no rendition {rendition}"),
        )),
        Some(PlaylistAnswer::Wait) | None => Err(ApiError::new(
            Code::PositionTimeout,
            "the position did not come in time; the broadcast may have stopped",
        )),
    }
}

fn recording(
    playable: &Playable,
    video: VideoId,
    rendition: RenditionId,
) -> Result<Response, ApiError> {
    let shelf = playable.shelf();
    if !shelf.is_complete() {
        let detail = format!("video {video} is not a recording yet");
        return Err(ApiError::new(Code::MediaNotFound, detail));
    }
    let text = shelf.recording(rendition);
    text.map(|text| playlist(text, Lasting::Hour))
        .ok_or_else(not_there)
}

async fn init(
    app: &App,
    playable: &Playable,
    epoch: Epoch,
    rendition: RenditionId,
    n: u32,
) -> Result<Response, ApiError> {
    if let Playable::OnAir(broadcast) = playable
        && let MediaAnswer::Ready(pieces) = broadcast.init(epoch, rendition, n)
    {
        return found(Some(join(pieces)), playable, rendition);
    }
    let stored = app
        .registry
        .archive()
        .init(playable.shelf(), epoch, rendition, n)
        .await;
    found(stored.map_err(from_archive)?, playable, rendition)
}

async fn segment(
    app: &App,
    playable: &Playable,
    epoch: Epoch,
    rendition: RenditionId,
    msn: Msn,
) -> Result<Response, ApiError> {
    if let Playable::OnAir(broadcast) = playable {
        let ready = || pieces(broadcast.segment(epoch, rendition, msn));
        if let Some(pieces) = wait(app, broadcast, PART_WAIT, ready).await.flatten() {
            return found(Some(join(pieces)), playable, rendition);
        }
    }
    let stored = app
        .registry
        .archive()
        .segment(playable.shelf(), epoch, rendition, msn)
        .await;
    found(stored.map_err(from_archive)?, playable, rendition)
}

async fn part(
    app: &App,
    playable: &Playable,
    epoch: Epoch,
    rendition: RenditionId,
    msn: Msn,
    part: PartIndex,
) -> Result<Response, ApiError> {
    if let Playable::OnAir(broadcast) = playable {
        let ready = || pieces(broadcast.part(epoch, rendition, msn, part));
        if let Some(pieces) = wait(app, broadcast, PART_WAIT, ready).await.flatten() {
            return found(Some(join(pieces)), playable, rendition);
        }
    }
    let archive = app.registry.archive();
    let stored = archive
        .part(playable.shelf(), epoch, rendition, msn, part)
        .await;
    found(stored.map_err(from_archive)?, playable, rendition)
}

/// `None` is to be waited for; `Some(None)` is not in memory.
fn pieces(answer: MediaAnswer) -> Option<Option<Vec<Bytes>>> {
    match answer {
        MediaAnswer::Ready(pieces) => Some(Some(pieces)),
        MediaAnswer::Gone => Some(None),
        MediaAnswer::Wait => None,
    }
}

/// Asks at every change until there is an answer; `None` after `longest`, or when the origin goes
/// down.
async fn wait<T>(
    app: &App,
    broadcast: &Broadcast,
    longest: Duration,
    mut ask: impl FnMut() -> Option<T>,
) -> Option<T> {
    let mut changes = broadcast.changes();
    let deadline = Instant::now() + longest;
    let mut waiting = None;
    loop {
        changes.mark_unchanged();
        if let Some(answer) = ask() {
            return Some(answer);
        }
        waiting.get_or_insert_with(|| Waiting::new(app.metrics.requests_waiting.clone()));
        tokio::select! {
            changed = changes.changed() => changed.ok()?,
            () = tokio::time::sleep_until(deadline) => return None,
            () = app.shutdown.cancelled() => return None,
        }
    }
}

/// A request that waits, counted while it does.
struct Waiting(Gauge);

impl Waiting {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn join(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() == 1 {
        return pieces.remove(0);
    }
    let mut joined = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces
        .iter()
        .for_each(|piece| joined.extend_from_slice(piece));
    joined.freeze()
}

fn playlist(text: String, lasting: Lasting) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/vnd.apple.mpegurl"),
        ),
        (header::CACHE_CONTROL, lasting.cache_control()),
    ];
    (headers, text).into_response()
}

fn found(
    bytes: Option<Bytes>,
    playable: &Playable,
    rendition: RenditionId,
) -> Result<Response, ApiError> {
    let bytes = bytes.ok_or_else(not_there)?;
    let content_type = match playable.shelf().kind(rendition) {
        Some(TrackKind::Audio) => "audio/mp4",
        Some(TrackKind::Video) | None => "video/mp4",
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, Lasting::Forever.cache_control()),
    ];
    Ok((headers, bytes).into_response())
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
