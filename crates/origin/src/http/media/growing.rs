//! A segment that is sent while it grows, chunk by chunk as they are complete, for LL-DASH. It has a
//! name of its own, so that the name of a whole segment is never answered with less.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use thiserror::Error;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use weir_media::{hls::TARGET_DURATION_S, live::GrowthAnswer};
use weir_model::{Epoch, Msn, RenditionId};

use super::{
    segment::{self, PART_WAIT},
    wait::wait,
};
use crate::{
    broadcast::Broadcast,
    http::{App, problem::ApiError},
    registry::Playable,
};

/// Longest wait for the next chunk of a segment that has begun.
const CHUNK_WAIT: Duration = Duration::from_secs(TARGET_DURATION_S);

/// The segment will not be complete: what was sent of it must not be taken for it.
#[derive(Clone, Copy, Debug, Error)]
#[error("segment {epoch}/{rendition}/{msn} ended before its end")]
struct CutShort {
    epoch: Epoch,
    rendition: RenditionId,
    msn: Msn,
}

/// `dash-{msn}.m4s`: of a segment that grows all there is and what comes, of others the whole.
pub(super) async fn get(
    app: &App,
    playable: &Playable,
    epoch: Epoch,
    rendition: RenditionId,
    msn: Msn,
) -> Result<Response, ApiError> {
    let Playable::OnAir(broadcast) = playable else {
        return segment::segment(app, playable, epoch, rendition, msn).await;
    };
    let begun = || match broadcast.growth(epoch, rendition, msn, 0) {
        GrowthAnswer::Wait => None,
        GrowthAnswer::More { chunks, complete } => Some(Some((chunks, complete))),
        GrowthAnswer::Gone => Some(None),
    };
    match wait(app, broadcast, PART_WAIT, begun).await.flatten() {
        Some((chunks, false)) => {
            let growth = Growth {
                broadcast: broadcast.clone(),
                changes: broadcast.changes(),
                shutdown: app.shutdown.clone(),
                name: (epoch, rendition, msn),
                taken: chunks.len(),
                ready: chunks.into(),
                complete: false,
            };
            let body = Body::from_stream(stream::try_unfold(growth, |mut growth| async {
                let chunk = growth.next().await?;
                Ok::<_, CutShort>(chunk.map(|chunk| (chunk, growth)))
            }));
            Ok((segment::head(playable, rendition), body).into_response())
        }
        Some((chunks, true)) => segment::found(Some(segment::join(chunks)), playable, rendition),
        None => segment::segment(app, playable, epoch, rendition, msn).await,
    }
}

/// The rest of a segment.
struct Growth {
    broadcast: Arc<Broadcast>,
    changes: watch::Receiver<u64>,
    shutdown: CancellationToken,
    name: (Epoch, RenditionId, Msn),
    /// Chunks taken from the broadcast so far.
    taken: usize,
    ready: VecDeque<Bytes>,
    complete: bool,
}

impl Growth {
    /// The next chunk; `None` after the last one.
    async fn next(&mut self) -> Result<Option<Bytes>, CutShort> {
        let (epoch, rendition, msn) = self.name;
        let cut_short = CutShort {
            epoch,
            rendition,
            msn,
        };
        let deadline = Instant::now() + CHUNK_WAIT;
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some(chunk));
            }
            if self.complete {
                return Ok(None);
            }
            self.changes.mark_unchanged();
            match self.broadcast.growth(epoch, rendition, msn, self.taken) {
                GrowthAnswer::More { chunks, complete } => {
                    self.taken += chunks.len();
                    self.complete = complete;
                    self.ready = chunks.into();
                    if complete || !self.ready.is_empty() {
                        continue;
                    }
                }
                GrowthAnswer::Wait | GrowthAnswer::Gone => return Err(cut_short),
            }
            tokio::select! {
                changed = self.changes.changed() => changed.map_err(|_| cut_short)?,
                () = tokio::time::sleep_until(deadline) => return Err(cut_short),
                () = self.shutdown.cancelled() => return Err(cut_short),
            }
        }
    }
}
