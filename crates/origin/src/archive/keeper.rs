//! Moves a broadcast from the spool into object storage as it goes, and makes it a recording when
//! it has ended. Live never waits for any of it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tracing::{error, info, warn};
use weir_model::VideoId;

use super::{Archive, ArchiveError, Shelf, StoredSpan};
use crate::{
    journal::{Entry, Journal},
    metrics::Metrics,
    spool::{Kind, Name, Spool},
};

/// Wait after object storage refused.
const RETRY: Duration = Duration::from_secs(2);

/// Keeps one video.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// Where spans go.
    pub archive: Archive,
    /// The video's index.
    pub shelf: Arc<Shelf>,
    /// Told which spans are stored.
    pub journal: Arc<Journal>,
    /// Where segments come from, and leave once their span is stored.
    pub spool: Arc<Spool>,
    /// What is counted.
    pub metrics: Metrics,
}

impl Keeper {
    /// Stores spans as they close. Never completes: drop it when the broadcast has ended.
    pub async fn keep(&self) -> Infallible {
        loop {
            self.shelf.entered().await;
            self.store_due().await;
        }
    }

    /// Makes the recording: all that is still to be stored, then its index. Everything entered
    /// so far must be durable, and nothing may be entered after. Returns when it is done, however
    /// long object storage takes to come back.
    pub async fn finalise(&self) {
        self.shelf.end();
        self.store_due().await;
        while let Err(e) = self.archive.store_recording(&self.shelf).await {
            error!(video = %self.video(), error = %e, "recording not stored, trying again");
            tokio::time::sleep(RETRY).await;
        }
        self.shelf.complete();
        // What could not be moved stays readable where it is.
        if self.shelf.due().is_empty() {
            self.spool.remove_video(self.video());
        }
        let (journal, video) = (self.journal.clone(), self.video());
        let removed = tokio::task::spawn_blocking(move || journal.remove(video)).await;
        if let Ok(Err(e)) = removed {
            warn!(%video, error = %e, "journal of a recorded video not removed");
        }
        info!(%video, "recording complete");
    }

    async fn store_due(&self) {
        for span in self.shelf.due() {
            loop {
                match self.archive.store_span(&self.shelf, &span).await {
                    Ok(()) => break self.enter(span),
                    Err(e @ (ArchiveError::Damaged { .. } | ArchiveError::Taken(_))) => {
                        // Trying again would not help; what is there stays where it is.
                        break error!(video = %self.video(), ?span, error = %e, "span not stored");
                    }
                    Err(e) => {
                        warn!(video = %self.video(), ?span, error = %e, "span not stored yet");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        }
    }

    /// The span's files leave the spool once the journal knows where their bytes are now.
    fn enter(&self, span: StoredSpan) {
        let video = self.video();
        let segments = self.shelf.segments_of(&span);
        self.shelf.enter_span(span);
        self.metrics.spans_stored.inc();
        let names: Vec<Name> = segments
            .into_iter()
            .map(|record| Name {
                video,
                epoch: record.epoch,
                rendition: record.rendition,
                kind: Kind::Segment(record.msn),
            })
            .collect();
        let spool = self.spool.clone();
        let acknowledge = move |result: Result<(), _>| {
            if result.is_ok() {
                spool.remove(names);
            }
        };
        self.journal
            .append(video, &Entry::Span(span), Some(Box::new(acknowledge)));
    }

    fn video(&self) -> VideoId {
        self.shelf.video()
    }
}
