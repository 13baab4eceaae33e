//! Keeps metadata and archive in step with a broadcast. Live never waits for it.

use std::{sync::Arc, time::Duration};

use tracing::warn;
use weir_media::live::State;
use weir_model::api::VideoState;

use super::Broadcast;
use crate::{
    archive::keeper::Keeper,
    store::{ChangeVideoError, MetaStore},
};

/// Wait after the metadata store refused.
const RETRY: Duration = Duration::from_secs(1);

/// Writes what the broadcast goes through into `meta` and has `keeper` store its spans. Returns
/// once the broadcast has ended and is a complete recording, or was closed.
pub async fn keep(broadcast: &Arc<Broadcast>, meta: &dyn MetaStore, keeper: &Keeper) {
    tokio::select! {
        never = keeper.keep() => match never {},
        () = follow(broadcast, meta) => {}
        () = broadcast.closed.cancelled() => return,
    }
    end(broadcast, meta).await;
    let surroundings = broadcast.surroundings.clone();
    // Segments reach the journal by way of the spool.
    let flush = move || {
        surroundings.spool.flush();
        surroundings.journal.flush();
    };
    if tokio::task::spawn_blocking(flush).await.is_ok() {
        keeper.finalise().await;
    }
}

/// Returns when the broadcast has ended.
async fn follow(broadcast: &Broadcast, meta: &dyn MetaStore) {
    let gauge = &broadcast.surroundings.metrics.videos_live;
    let mut states = broadcast.state();
    // Beginning the epoch has written this.
    let mut written = VideoState::Live;
    loop {
        let state = *states.borrow_and_update();
        if state == State::Ended {
            return;
        }
        let wanted = match state {
            State::Live | State::Ending => VideoState::Live,
            State::Away => VideoState::Away,
            State::Waiting | State::Ended => written,
        };
        let _on_air = (state == State::Live).then(|| Counted::new(gauge.clone()));
        if wanted != written {
            match meta.set_state(broadcast.video(), wanted).await {
                Ok(()) => written = wanted,
                Err(ChangeVideoError::Store(e)) => {
                    warn!(video = %broadcast.video(), error = %e, "state not written yet");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
                Err(e) => {
                    warn!(video = %broadcast.video(), error = %e, "state not written");
                    written = wanted;
                }
            }
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}

async fn end(broadcast: &Broadcast, meta: &dyn MetaStore) {
    let ended_at = broadcast.surroundings.clock.now();
    while let Err(e) = meta.end(broadcast.video(), ended_at).await {
        warn!(video = %broadcast.video(), error = %e, "end not written yet");
        if !matches!(e, ChangeVideoError::Store(_)) {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// One in a gauge for as long as it lives.
struct Counted(prometheus_client::metrics::gauge::Gauge);

impl Counted {
    fn new(gauge: prometheus_client::metrics::gauge::Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
