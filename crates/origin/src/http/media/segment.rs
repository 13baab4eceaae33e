//! Initialisation segments, segments, parts and spans: from memory while they are there, then from
//! where they are stored.

use std::time::Duration;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use weir_media::{hls::TARGET_DURATION_S, live::MediaAnswer, unit::TrackKind};
use weir_model::{Epoch, Msn, PartIndex, RenditionId};

use super::{Lasting, from_archive, not_there, wait::wait};
use crate::{
    http::{App, problem::ApiError},
    registry::Playable,
};

/// Longest wait for a hinted part.
pub(super) const PART_WAIT: Duration = Duration::from_secs(TARGET_DURATION_S);

/// An initialisation segment.
pub(super) async fn init(
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

/// A whole segment.
pub(super) async fn segment(
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

/// A part of a segment, perhaps a hinted one.
pub(super) async fn part(
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

/// One after the other.
pub(super) fn join(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() == 1 {
        return pieces.remove(0);
    }
    let mut joined = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces
        .iter()
        .for_each(|piece| joined.extend_from_slice(piece));
    joined.freeze()
}

/// Media, which never gets other bytes; 404 without any.
pub(super) fn found(
    bytes: Option<Bytes>,
    playable: &Playable,
    rendition: RenditionId,
) -> Result<Response, ApiError> {
    let bytes = bytes.ok_or_else(not_there)?;
    Ok((head(playable, rendition), bytes).into_response())
}

/// The header fields of media.
pub(super) fn head(
    playable: &Playable,
    rendition: RenditionId,
) -> [(header::HeaderName, HeaderValue); 2] {
    let content_type = match playable.shelf().kind(rendition) {
        Some(TrackKind::Audio) => "audio/mp4",
        Some(TrackKind::Video) | None => "video/mp4",
    };
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, Lasting::Forever.cache_control()),
    ]
}
