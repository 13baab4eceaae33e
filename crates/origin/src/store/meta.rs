//! What is known of videos: the verbs, and the record they work on.

use futures_util::future::BoxFuture;
use thiserror::Error;
use weir_model::{Epoch, VideoId, WallTime, api::VideoState};

use super::StoreError;
use crate::keys::SecretHash;

/// A video as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoRecord {
    /// Its id.
    pub id: VideoId,
    /// Its title.
    pub title: String,
    /// Where it is in its life. After a crash this is what was last written: a video that was
    /// live still says so.
    pub state: VideoState,
    /// When it was created.
    pub created_at: WallTime,
    /// When its first epoch began.
    pub started_at: Option<WallTime>,
    /// When it became a recording.
    pub ended_at: Option<WallTime>,
    /// The current or last epoch.
    pub epoch: Option<Epoch>,
}

/// A page of videos, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoRecords {
    /// Up to `limit` records.
    pub videos: Vec<VideoRecord>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<VideoId>,
}

/// Why a video could not be created.
#[derive(Debug, Error)]
pub enum CreateVideoError {
    /// The id or the key is in use. Ids and keys are random: draw again.
    #[error("video {0} or its key exists already")]
    Taken(VideoId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a video could not be changed.
#[derive(Debug, Error)]
pub enum ChangeVideoError {
    /// No video has this id.
    #[error("there is no video {0}")]
    NotFound(VideoId),
    /// The video has ended, and what has ended does not begin again.
    #[error("video {0} has ended")]
    Ended(VideoId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Videos and their stream keys. What a verb has answered is durable.
pub trait MetaStore: Send + Sync {
    /// Adds a video in state `waiting`.
    fn create_video<'a>(
        &'a self,
        id: VideoId,
        title: &'a str,
        key: SecretHash,
        now: WallTime,
    ) -> BoxFuture<'a, Result<VideoRecord, CreateVideoError>>;

    /// The video with this id.
    fn find_video(&self, id: VideoId) -> BoxFuture<'_, Result<Option<VideoRecord>, StoreError>>;

    /// The video whose stream key has this hash, whatever its state.
    fn find_by_key_hash(
        &self,
        key: SecretHash,
    ) -> BoxFuture<'_, Result<Option<VideoRecord>, StoreError>>;

    /// Up to `limit` videos that were created before `after` (from the newest, without it).
    fn list_videos(
        &self,
        limit: u32,
        after: Option<VideoId>,
    ) -> BoxFuture<'_, Result<VideoRecords, StoreError>>;

    /// Every video in one of the states `live` and `away`: what a crash has left open.
    fn open_videos(&self) -> BoxFuture<'_, Result<Vec<VideoRecord>, StoreError>>;

    /// Begins the next epoch, numbered from 1, and sets the state to `live`. An epoch's number is
    /// never given twice.
    fn start_epoch(
        &self,
        id: VideoId,
        now: WallTime,
    ) -> BoxFuture<'_, Result<Epoch, ChangeVideoError>>;

    /// Writes that the encoder is `live` or `away`.
    fn set_state(
        &self,
        id: VideoId,
        state: VideoState,
    ) -> BoxFuture<'_, Result<(), ChangeVideoError>>;

    /// Makes the video a recording. Ending it twice keeps the first time.
    fn end(
        &self,
        id: VideoId,
        now: WallTime,
    ) -> BoxFuture<'_, Result<VideoRecord, ChangeVideoError>>;

    /// Changes the title.
    fn set_title<'a>(
        &'a self,
        id: VideoId,
        title: &'a str,
    ) -> BoxFuture<'a, Result<VideoRecord, ChangeVideoError>>;

    /// Replaces the stream key; the old one is void at once.
    fn rotate_key(
        &self,
        id: VideoId,
        key: SecretHash,
    ) -> BoxFuture<'_, Result<VideoRecord, ChangeVideoError>>;
}
