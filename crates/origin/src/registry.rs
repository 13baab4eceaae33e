//! Which videos are on air, which are recorded, and who may push to them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use quick_cache::sync::Cache;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};
use weir_ingest::rtmp::{Refusal, StreamKey};
use weir_media::live::{Restored, State};
use weir_model::{
    Lane, Msn, VideoId,
    api::VideoState,
    edge::{Lease, Leases},
};

use crate::{
    archive::{Archive, ArchiveError, Shelf, keeper::Keeper},
    broadcast::{Broadcast, Surroundings, books, intake, slate},
    journal::Entry,
    keys,
    rtmp::{FromEncoder, Publishers},
    spool::Spool,
    store::{ChangeVideoError, MetaStore, StoreError, VideoRecord},
};

/// How long the live playlists of an ended broadcast stay, with their end marked: players ask
/// again every few seconds.
const LINGER: Duration = Duration::from_secs(60);
/// How many recordings' indexes are held in memory. One hour of three renditions takes 1 MB.
const SHELVES: usize = 64;

/// Why a video can't be played or pushed to right now.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// No video has this id.
    #[error("there is no video {0}")]
    NoSuchVideo(VideoId),
    /// Nothing was broadcast yet, or nothing was recorded.
    #[error("video {0} has nothing to play")]
    NothingToPlay(VideoId),
    /// The metadata store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored of the video can't be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The video's journal can't be read.
    #[error("journal: {0}")]
    Journal(#[from] std::io::Error),
    /// The video can't begin an epoch.
    #[error(transparent)]
    Change(#[from] ChangeVideoError),
}

/// A video that can be asked for media.
#[derive(Clone, Debug)]
pub enum Playable {
    /// On air, or off air for less than a minute.
    OnAir(Arc<Broadcast>),
    /// Recorded.
    Recorded(Arc<Shelf>),
}

impl Playable {
    /// What is stored of it.
    pub fn shelf(&self) -> &Arc<Shelf> {
        match self {
            Self::OnAir(broadcast) => broadcast.shelf(),
            Self::Recorded(shelf) => shelf,
        }
    }
}

/// All videos of one origin.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    meta: Arc<dyn MetaStore>,
    archive: Archive,
    surroundings: Surroundings,
    present: Mutex<HashMap<VideoId, Playable>>,
    /// Another one whenever a video goes on air or is gone, and in every life of the origin.
    leases_version: watch::Sender<u64>,
    recordings: Cache<VideoId, Arc<Shelf>>,
    /// Held while a video goes on air, so that it does so once.
    admission: tokio::sync::Mutex<()>,
}

impl Registry {
    /// An origin's videos. None is on air before [`recover`](Self::recover).
    pub fn new(meta: Arc<dyn MetaStore>, archive: Archive, surroundings: Surroundings) -> Self {
        let leases_version = watch::Sender::new(surroundings.clock.now().0);
        Self(Arc::new(Inner {
            meta,
            archive,
            surroundings,
            present: Mutex::default(),
            leases_version,
            recordings: Cache::new(SHELVES),
            admission: tokio::sync::Mutex::default(),
        }))
    }

    /// Takes up what an earlier life of the origin left: videos that were on air go on in a new
    /// epoch and wait for their encoder; recordings that were not complete are completed.
    pub async fn recover(&self) -> Result<(), RegistryError> {
        let inner = &self.0;
        for record in inner.meta.open_videos().await? {
            match self.take_on_air(record.id).await {
                Ok(broadcast) => {
                    info!(video = %record.id, epoch = %broadcast.epoch(), "broadcast taken up");
                }
                Err(e) => error!(video = %record.id, error = %e, "broadcast not taken up"),
            }
        }
        for video in inner.surroundings.journal.videos()? {
            let ended = inner.meta.find_video(video).await?;
            if ended.is_some_and(|record| record.state == VideoState::Recorded) {
                let entries = inner.surroundings.journal.read(video)?;
                let shelf = Arc::new(Shelf::from_journal(video, &entries));
                self.lock().insert(video, Playable::Recorded(shelf.clone()));
                let registry = self.clone();
                tokio::spawn(async move {
                    registry.keeper(shelf).finalise().await;
                    registry.lock().remove(&video);
                });
            }
        }
        Ok(())
    }

    /// The video's broadcast, if it is on air or was a moment ago.
    pub fn on_air(&self, video: VideoId) -> Option<Arc<Broadcast>> {
        match self.lock().get(&video) {
            Some(Playable::OnAir(broadcast)) => Some(broadcast.clone()),
            _ => None,
        }
    }

    /// The videos that are on air, or were a moment ago.
    pub fn leases(&self) -> Leases {
        // Read first: a change in between is told of once more.
        let version = *self.0.leases_version.borrow();
        let on_air = |(video, playable): (&VideoId, &Playable)| match playable {
            Playable::OnAir(broadcast) => Some(Lease {
                video: *video,
                epoch: Some(broadcast.epoch()),
            }),
            Playable::Recorded(_) => None,
        };
        let videos = self.lock().iter().filter_map(on_air).collect();
        Leases { version, videos }
    }

    /// The version of [`leases`](Self::leases), to be waited for.
    pub fn leases_version(&self) -> watch::Receiver<u64> {
        self.0.leases_version.subscribe()
    }

    /// The video, on air or recorded.
    pub async fn playable(&self, video: VideoId) -> Result<Playable, RegistryError> {
        if let Some(playable) = self.lock().get(&video) {
            return Ok(playable.clone());
        }
        // Viewers of one recording come in crowds: one of them loads it.
        let guard = match self.0.recordings.get_value_or_guard_async(&video).await {
            Ok(shelf) => return Ok(Playable::Recorded(shelf)),
            Err(guard) => guard,
        };
        let record = self.0.meta.find_video(video).await?;
        let record = record.ok_or(RegistryError::NoSuchVideo(video))?;
        let shelf = match record.state {
            VideoState::Recorded => self.0.archive.load(video).await?,
            VideoState::Waiting | VideoState::Live | VideoState::Away => None,
        };
        let shelf = Arc::new(shelf.ok_or(RegistryError::NothingToPlay(video))?);
        // A guard that outlived its cache entry has nothing to fill.
        let _ = guard.insert(shelf.clone());
        Ok(Playable::Recorded(shelf))
    }

    /// Ends a video: a broadcast plays out what it has, one that never began becomes an empty
    /// recording.
    pub async fn end(&self, video: VideoId) -> Result<VideoRecord, ChangeVideoError> {
        let _admission = self.0.admission.lock().await;
        let on_air = self.on_air(video);
        let Some(broadcast) = on_air else {
            return self
                .0
                .meta
                .end(video, self.0.surroundings.clock.now())
                .await;
        };
        broadcast.end();
        let record = self.0.meta.find_video(video).await?;
        record.ok_or(ChangeVideoError::NotFound(video))
    }

    /// Lets go of all broadcasts without ending them.
    pub fn close(&self) {
        for playable in self.lock().values() {
            if let Playable::OnAir(broadcast) = playable {
                broadcast.close();
            }
        }
    }

    /// The archive behind the recordings.
    pub fn archive(&self) -> &Archive {
        &self.0.archive
    }

    async fn take_on_air(&self, video: VideoId) -> Result<Arc<Broadcast>, RegistryError> {
        let inner = &self.0;
        let _admission = inner.admission.lock().await;
        if let Some(broadcast) = self.on_air(video) {
            return Ok(broadcast);
        }
        let now = inner.surroundings.clock.now();
        let epoch = inner.meta.start_epoch(video, now).await?;
        let surroundings = inner.surroundings.clone();
        let (journal, spool) = (surroundings.journal.clone(), surroundings.spool.clone());
        let taken_up = tokio::task::spawn_blocking(move || {
            let entries = journal.read(video)?;
            let shelf = Shelf::from_journal(video, &entries);
            let restored = restored(&shelf, &entries, &spool);
            Ok::<_, std::io::Error>((Arc::new(shelf), restored))
        });
        let (shelf, restored) = taken_up.await.map_err(|_| ArchiveError::Cancelled)??;
        let broadcast = Broadcast::start(surroundings, video, epoch, restored, shelf);
        self.lock()
            .insert(video, Playable::OnAir(broadcast.clone()));
        self.leases_changed();
        let (registry, kept) = (self.clone(), broadcast.clone());
        tokio::spawn(async move { registry.accompany(kept).await });
        Ok(broadcast)
    }

    /// Stays with a broadcast until it is gone from memory.
    async fn accompany(self, broadcast: Arc<Broadcast>) {
        let keeper = self.keeper(broadcast.shelf().clone());
        books::keep(&broadcast, self.0.meta.as_ref(), &keeper).await;
        tokio::time::sleep(LINGER).await;
        self.lock().remove(&broadcast.video());
        self.leases_changed();
    }

    fn leases_changed(&self) {
        self.0.leases_version.send_modify(|version| *version += 1);
    }

    fn keeper(&self, shelf: Arc<Shelf>) -> Keeper {
        let surroundings = &self.0.surroundings;
        Keeper {
            archive: self.0.archive.clone(),
            shelf,
            journal: surroundings.journal.clone(),
            spool: surroundings.spool.clone(),
            metrics: surroundings.metrics.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<VideoId, Playable>> {
        self.0
            .present
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the new epoch knows of the earlier ones; `None` if nothing has ever been broadcast. Blocks.
fn restored(shelf: &Shelf, entries: &[Entry], spool: &Spool) -> Option<Restored> {
    let contents = shelf.contents();
    if contents.inits.is_empty() {
        return None;
    }
    let reserved = entries.iter().filter_map(|entry| match entry {
        Entry::Reserved(msn) => Some(*msn),
        _ => None,
    });
    let reserved = reserved.max().unwrap_or(Msn(0));
    let last = slate::last_stored(spool, shelf.video(), &contents);
    let restored = Restored::from_records(reserved, contents.inits, contents.segments);
    Some(restored.with_last(last))
}

impl Publishers for Registry {
    fn authorize<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<VideoId, Refusal>> {
        Box::pin(async move {
            let found = self
                .0
                .meta
                .find_by_key_hash(keys::hash_secret(key.expose()))
                .await;
            let result = match found {
                Ok(Some(record)) if record.state == VideoState::Recorded => {
                    Err(Refusal::VideoEnded)
                }
                Ok(Some(record)) => Ok(record.id),
                Ok(None) => Err(Refusal::UnknownKey),
                Err(e) => {
                    error!(error = %e, "stream key not checked");
                    Err(Refusal::Unavailable)
                }
            };
            if result.is_err() {
                self.0.surroundings.metrics.publishes_refused.inc();
            }
            result
        })
    }

    fn publish(
        &self,
        video: VideoId,
        lane: Lane,
    ) -> BoxFuture<'_, Result<mpsc::Sender<FromEncoder>, Refusal>> {
        Box::pin(async move {
            let broadcast = match self.take_on_air(video).await {
                Ok(broadcast) => broadcast,
                Err(RegistryError::Change(ChangeVideoError::Ended(_))) => {
                    return Err(Refusal::VideoEnded);
                }
                Err(e) => {
                    warn!(%video, error = %e, "video not taken on air");
                    return Err(Refusal::Unavailable);
                }
            };
            if matches!(*broadcast.state().borrow(), State::Ending | State::Ended) {
                return Err(Refusal::VideoEnded);
            }
            Ok(intake::open(broadcast, lane))
        })
    }
}
