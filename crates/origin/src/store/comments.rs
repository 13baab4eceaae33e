//! Comments under a video.

use futures_util::future::BoxFuture;
use thiserror::Error;
use weir_model::{
    VideoId, WallTime,
    api::{Comment, CommentPage, PostComment},
};

use super::StoreError;

/// Which comments of a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommentRange {
    /// The first ones with a number above this.
    After(u64),
    /// The last ones with a number below this.
    Before(u64),
}

/// Why a comment was not taken.
#[derive(Debug, Error)]
pub enum PostCommentError {
    /// No video has this id.
    #[error("there is no video {0}")]
    NoSuchVideo(VideoId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Comments, numbered within their video from 1, without holes.
pub trait Comments: Send + Sync {
    /// Appends a comment; it is durable when this answers.
    fn post<'a>(
        &'a self,
        video: VideoId,
        comment: &'a PostComment,
        now: WallTime,
    ) -> BoxFuture<'a, Result<Comment, PostCommentError>>;

    /// Up to `limit` comments of `range`, oldest first; `None` if there is no such video.
    fn page(
        &self,
        video: VideoId,
        range: CommentRange,
        limit: u32,
    ) -> BoxFuture<'_, Result<Option<CommentPage>, StoreError>>;
}
