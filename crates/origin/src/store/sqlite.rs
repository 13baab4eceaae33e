//! Videos and comments in one SQLite file.

use std::path::Path;

use futures_util::future::BoxFuture;
use sqlx::{Sqlite, Transaction, migrate::Migrator, query::Query, sqlite::SqliteArguments};
use weir_model::{
    Epoch, VideoId, WallTime,
    api::{Comment, CommentPage, PostComment, VideoState},
};

use super::{
    ChangeVideoError, CommentRange, Comments, CreateVideoError, MetaStore, PostCommentError,
    StoreError, VideoRecord, VideoRecords,
    file::{SqliteFile, from_sql, to_sql},
};
use crate::keys::SecretHash;

static SCHEMA: Migrator = sqlx::migrate!("migrations/meta");

/// A [`MetaStore`] and [`Comments`] in `meta.db`.
#[derive(Clone, Debug)]
pub struct SqliteMeta {
    file: SqliteFile,
}

impl SqliteMeta {
    /// Opens or creates the file at `path`.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            file: SqliteFile::open(path, &SCHEMA).await?,
        })
    }

    /// Waits for what is under way and closes the file.
    pub async fn close(&self) {
        self.file.close().await;
    }
}

type VideoRow = (String, String, String, i64, Option<i64>, Option<i64>, i64);

macro_rules! select_videos {
    ($rest:literal) => {
        concat!(
            "SELECT id, title, state, created_at, started_at, ended_at, epoch FROM videos ",
            $rest
        )
    };
}

impl MetaStore for SqliteMeta {
    fn create_video<'a>(
        &'a self,
        id: VideoId,
        title: &'a str,
        key: SecretHash,
        now: WallTime,
    ) -> BoxFuture<'a, Result<VideoRecord, CreateVideoError>> {
        Box::pin(async move {
            let mut tx = self.file.write().await.map_err(StoreError::from)?;
            let inserted = sqlx::query(
                "INSERT INTO videos (id, title, state, key_hash, created_at) \
                 VALUES (?, ?, ?, ?, ?)",
            )
            .bind(id.as_str())
            .bind(title)
            .bind(state_word(VideoState::Waiting))
            .bind(&key[..])
            .bind(to_sql(now.0))
            .execute(&mut *tx)
            .await;
            match inserted {
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                    return Err(CreateVideoError::Taken(id));
                }
                other => other.map_err(StoreError::from)?,
            };
            tx.commit().await.map_err(StoreError::from)?;
            Ok(VideoRecord {
                id,
                title: title.to_owned(),
                state: VideoState::Waiting,
                created_at: now,
                started_at: None,
                ended_at: None,
                epoch: None,
            })
        })
    }

    fn find_video(&self, id: VideoId) -> BoxFuture<'_, Result<Option<VideoRecord>, StoreError>> {
        Box::pin(async move { find(&mut self.file.read().await?, id).await })
    }

    fn find_by_key_hash(
        &self,
        key: SecretHash,
    ) -> BoxFuture<'_, Result<Option<VideoRecord>, StoreError>> {
        Box::pin(async move {
            let row: Option<VideoRow> = sqlx::query_as(select_videos!("WHERE key_hash = ?"))
                .bind(&key[..])
                .fetch_optional(&mut *self.file.read().await?)
                .await?;
            row.map(video).transpose()
        })
    }

    fn list_videos(
        &self,
        limit: u32,
        after: Option<VideoId>,
    ) -> BoxFuture<'_, Result<VideoRecords, StoreError>> {
        Box::pin(async move {
            // One more than asked for tells whether there is a next page.
            let rows: Vec<VideoRow> = sqlx::query_as(select_videos!(
                "WHERE ?1 IS NULL \
                 OR (created_at, id) < (SELECT created_at, id FROM videos WHERE id = ?1) \
                 ORDER BY created_at DESC, id DESC LIMIT ?2"
            ))
            .bind(after.as_ref().map(VideoId::as_str))
            .bind(i64::from(limit) + 1)
            .fetch_all(&mut *self.file.read().await?)
            .await?;
            let more = rows.len() > limit as usize;
            let videos = rows
                .into_iter()
                .take(limit as usize)
                .map(video)
                .collect::<Result<Vec<_>, _>>()?;
            let next = videos.last().filter(|_| more).map(|video| video.id);
            Ok(VideoRecords { videos, next })
        })
    }

    fn open_videos(&self) -> BoxFuture<'_, Result<Vec<VideoRecord>, StoreError>> {
        Box::pin(async move {
            let rows: Vec<VideoRow> =
                sqlx::query_as(select_videos!("WHERE state IN ('live', 'away')"))
                    .fetch_all(&mut *self.file.read().await?)
                    .await?;
            rows.into_iter().map(video).collect()
        })
    }

    fn start_epoch(
        &self,
        id: VideoId,
        now: WallTime,
    ) -> BoxFuture<'_, Result<Epoch, ChangeVideoError>> {
        let update = sqlx::query(
            "UPDATE videos SET epoch = epoch + 1, state = 'live', \
             started_at = COALESCE(started_at, ?) WHERE id = ? AND state <> 'recorded'",
        )
        .bind(to_sql(now.0))
        .bind(id.to_string());
        Box::pin(async move {
            self.change(id, update)
                .await?
                .epoch
                .ok_or(ChangeVideoError::Ended(id))
        })
    }

    fn set_state(
        &self,
        id: VideoId,
        state: VideoState,
    ) -> BoxFuture<'_, Result<(), ChangeVideoError>> {
        let update =
            sqlx::query("UPDATE videos SET state = ? WHERE id = ? AND state <> 'recorded'")
                .bind(state_word(state))
                .bind(id.to_string());
        Box::pin(async move { self.change(id, update).await.map(|_| ()) })
    }

    fn end(
        &self,
        id: VideoId,
        now: WallTime,
    ) -> BoxFuture<'_, Result<VideoRecord, ChangeVideoError>> {
        let update = sqlx::query(
            "UPDATE videos SET state = 'recorded', ended_at = COALESCE(ended_at, ?) WHERE id = ?",
        )
        .bind(to_sql(now.0))
        .bind(id.to_string());
        Box::pin(self.change(id, update))
    }

    fn set_title<'a>(
        &'a self,
        id: VideoId,
        title: &'a str,
    ) -> BoxFuture<'a, Result<VideoRecord, ChangeVideoError>> {
        let update = sqlx::query("UPDATE videos SET title = ? WHERE id = ?")
            .bind(title)
            .bind(id.to_string());
        Box::pin(self.change(id, update))
    }

    fn rotate_key(
        &self,
        id: VideoId,
        key: SecretHash,
    ) -> BoxFuture<'_, Result<VideoRecord, ChangeVideoError>> {
        let update =
            sqlx::query("UPDATE videos SET key_hash = ? WHERE id = ? AND state <> 'recorded'")
                .bind(key.to_vec())
                .bind(id.to_string());
        Box::pin(self.change(id, update))
    }
}

impl SqliteMeta {
    /// Runs an update of one video and answers what the video is then. An update that matches no
    /// row was barred by the video's state.
    async fn change(
        &self,
        id: VideoId,
        update: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<VideoRecord, ChangeVideoError> {
        let mut tx = self.file.write().await.map_err(StoreError::from)?;
        let updated = update
            .execute(&mut *tx)
            .await
            .map_err(StoreError::from)?
            .rows_affected();
        let record = find(&mut tx, id)
            .await?
            .ok_or(ChangeVideoError::NotFound(id))?;
        if updated == 0 {
            return Err(ChangeVideoError::Ended(id));
        }
        tx.commit().await.map_err(StoreError::from)?;
        Ok(record)
    }
}

impl Comments for SqliteMeta {
    fn post<'a>(
        &'a self,
        video: VideoId,
        comment: &'a PostComment,
        now: WallTime,
    ) -> BoxFuture<'a, Result<Comment, PostCommentError>> {
        Box::pin(async move {
            let mut tx = self.file.write().await.map_err(StoreError::from)?;
            if find(&mut tx, video).await?.is_none() {
                return Err(PostCommentError::NoSuchVideo(video));
            }
            let seq = last_comment(&mut tx, video).await? + 1;
            sqlx::query(
                "INSERT INTO comments (video, seq, author, text, created_at) \
                 VALUES (?, ?, ?, ?, ?)",
            )
            .bind(video.as_str())
            .bind(to_sql(seq))
            .bind(&comment.author)
            .bind(&comment.text)
            .bind(to_sql(now.0))
            .execute(&mut *tx)
            .await
            .map_err(StoreError::from)?;
            tx.commit().await.map_err(StoreError::from)?;
            Ok(Comment {
                seq,
                author: comment.author.clone(),
                text: comment.text.clone(),
                created_at: now,
            })
        })
    }

    fn page(
        &self,
        video: VideoId,
        range: CommentRange,
        limit: u32,
    ) -> BoxFuture<'_, Result<Option<CommentPage>, StoreError>> {
        Box::pin(async move {
            let mut tx = self.file.read().await?;
            if find(&mut tx, video).await?.is_none() {
                return Ok(None);
            }
            let (query, bound) = match range {
                CommentRange::After(seq) => (
                    "SELECT seq, author, text, created_at FROM comments \
                     WHERE video = ? AND seq > ? ORDER BY seq LIMIT ?",
                    seq,
                ),
                CommentRange::Before(seq) => (
                    "SELECT seq, author, text, created_at FROM comments \
                     WHERE video = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
                    seq,
                ),
            };
            let rows: Vec<(i64, String, String, i64)> = sqlx::query_as(query)
                .bind(video.as_str())
                .bind(to_sql(bound))
                .bind(i64::from(limit))
                .fetch_all(&mut *tx)
                .await?;
            let mut comments = rows
                .into_iter()
                .map(|(seq, author, text, created_at)| {
                    let seq = from_sql("comments", seq)?;
                    let created_at = WallTime(from_sql("comments", created_at)?);
                    Ok(Comment {
                        seq,
                        author,
                        text,
                        created_at,
                    })
                })
                .collect::<Result<Vec<_>, StoreError>>()?;
            comments.sort_by_key(|comment| comment.seq);
            let total = last_comment(&mut tx, video).await?;
            Ok(Some(CommentPage { comments, total }))
        })
    }
}

async fn find(
    tx: &mut Transaction<'static, Sqlite>,
    id: VideoId,
) -> Result<Option<VideoRecord>, StoreError> {
    let row: Option<VideoRow> = sqlx::query_as(select_videos!("WHERE id = ?"))
        .bind(id.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(video).transpose()
}

/// Number of the video's last comment, which is also how many there are.
async fn last_comment(
    tx: &mut Transaction<'static, Sqlite>,
    video: VideoId,
) -> Result<u64, StoreError> {
    let last: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM comments WHERE video = ?")
            .bind(video.as_str())
            .fetch_one(&mut **tx)
            .await?;
    from_sql("comments", last)
}

fn video(row: VideoRow) -> Result<VideoRecord, StoreError> {
    let (id, title, state, created_at, started_at, ended_at, epoch) = row;
    let corrupt = |value: &str| StoreError::Corrupt {
        table: "videos",
        value: value.to_owned(),
    };
    let time = |ms| from_sql("videos", ms).map(WallTime);
    Ok(VideoRecord {
        id: id.parse().map_err(|_| corrupt(&id))?,
        title,
        state: STATES
            .into_iter()
            .find(|known| state_word(*known) == state)
            .ok_or_else(|| corrupt(&state))?,
        created_at: time(created_at)?,
        started_at: started_at.map(time).transpose()?,
        ended_at: ended_at.map(time).transpose()?,
        epoch: match u32::try_from(epoch).map_err(|_| corrupt(&epoch.to_string()))? {
            0 => None,
            epoch => Some(Epoch(epoch)),
        },
    })
}

const STATES: [VideoState; 4] = [
    VideoState::Waiting,
    VideoState::Live,
    VideoState::Away,
    VideoState::Recorded,
];

fn state_word(state: VideoState) -> &'static str {
    match state {
        VideoState::Waiting => "waiting",
        VideoState::Live => "live",
        VideoState::Away => "away",
        VideoState::Recorded => "recorded",
    }
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
