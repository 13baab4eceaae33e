//! HLS playlists and the DASH manifest.

use std::time::Duration;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use weir_media::{
    hls::{TARGET_DURATION_S, multivariant::Phase},
    live::PlaylistAnswer,
};
use weir_model::{Code, DeviceClass, PlaylistPosition, RenditionId, Skip, VideoId};

use super::{Lasting, not_there, nothing_to_play, wait::wait};
use crate::{
    http::{App, problem::ApiError},
    registry::Playable,
};

/// Longest wait for a playlist position: three target durations (draft-rfc8216bis section
/// 6.2.5.2).
const POSITION_WAIT: Duration = Duration::from_secs(3 * TARGET_DURATION_S);

const HLS: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");
const DASH: HeaderValue = HeaderValue::from_static("application/dash+xml");

/// `index.m3u8`: of the live video, or of its recording.
pub(super) fn multivariant(
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
        _ => (
            playable.shelf().multivariant(Phase::Recorded, max_height),
            Lasting::Hour,
        ),
    };
    text.map(|text| list(text, HLS, lasting))
        .ok_or_else(|| nothing_to_play(video))
}

/// `dvr.m3u8`: everything stored so far, and of a video that has ended everything.
pub(super) fn dvr_multivariant(
    playable: &Playable,
    video: VideoId,
    device: DeviceClass,
) -> Result<Response, ApiError> {
    let text = playable
        .shelf()
        .multivariant(Phase::Dvr, device.max_height());
    text.map(|text| list(text, HLS, lasting(playable)))
        .ok_or_else(|| nothing_to_play(video))
}

/// `manifest.mpd`.
pub(super) fn manifest(
    playable: &Playable,
    video: VideoId,
    device: DeviceClass,
) -> Result<Response, ApiError> {
    let part_target = match playable {
        Playable::OnAir(broadcast) => Some(broadcast.part_target_s()),
        Playable::Recorded(_) => None,
    };
    let text = playable.shelf().manifest(part_target, device.max_height());
    text.map(|text| list(text, DASH, lasting(playable)))
        .ok_or_else(|| nothing_to_play(video))
}

/// `{rendition}/index.m3u8`.
pub(super) async fn live(
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
        Some(PlaylistAnswer::Ready(text)) => Ok(list(text, HLS, lasting)),
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

/// `{rendition}/recording.m3u8`.
pub(super) fn recording(
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
    text.map(|text| list(text, HLS, Lasting::Hour))
        .ok_or_else(not_there)
}

/// `{rendition}/dvr.m3u8`.
pub(super) fn dvr(playable: &Playable, rendition: RenditionId) -> Result<Response, ApiError> {
    let text = playable.shelf().dvr(rendition);
    text.map(|text| list(text, HLS, lasting(playable)))
        .ok_or_else(not_there)
}

/// `{rendition}/iframes.m3u8`.
pub(super) fn i_frames(playable: &Playable, rendition: RenditionId) -> Result<Response, ApiError> {
    let text = playable.shelf().i_frames(rendition);
    text.map(|text| list(text, HLS, lasting(playable)))
        .ok_or_else(not_there)
}

/// How long a list of what is stored stays true.
fn lasting(playable: &Playable) -> Lasting {
    if playable.shelf().has_ended() {
        Lasting::Hour
    } else {
        Lasting::Second
    }
}

fn list(text: String, content_type: HeaderValue, lasting: Lasting) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, lasting.cache_control()),
    ];
    (headers, text).into_response()
}
