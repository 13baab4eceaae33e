//! What an event log promises.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use thiserror::Error;
use weir_model::{VideoId, WallTime};
use weir_stats::block::BatchId;

/// One of the logs that events are spread over. All events of a video are in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u8);

impl Partition {
    /// How many there are. It decides where a video's events are, so it is part of the format of
    /// a data folder.
    pub const COUNT: u8 = 4;

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Where the events of `video` are: FNV-1a of its id, modulo [`Partition::COUNT`].
    pub fn of(video: VideoId) -> Self {
        let hash = video
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Self((hash % u64::from(Self::COUNT)) as u8)
    }

    /// Its number, from 0.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Place of an entry in its partition, from 1. Later entries have larger offsets, and no offset
/// is used twice. As a position it means that everything up to and including it was read, and 0
/// that nothing was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub offset: Offset,
    /// What was appended.
    pub block: Bytes,
}

/// Why a block was not appended. Whether it will be found in the log after [`AppendError::Failed`]
/// is not known; appending it again under the same id is safe.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// As many appends as the log takes are waiting already.
    #[error("{waiting} appends are waiting for the disk already")]
    Full {
        /// How many.
        waiting: usize,
    },
    /// The log has been closed.
    #[error("the event log is closed")]
    Closed,
    /// The storage failed.
    #[error("event log: {0}")]
    Failed(Arc<sqlx::Error>),
}

/// Why a log could not be read or trimmed.
#[derive(Debug, Error)]
pub enum ReadLogError {
    /// The storage failed.
    #[error("event log: {0}")]
    Database(#[from] sqlx::Error),
}

/// Append-only logs, one per partition.
pub trait EventLog: Send + Sync {
    /// Appends a block. It is durable when this answers. A block whose id the partition holds
    /// already is not written again: its first offset is answered.
    fn append(
        &self,
        partition: Partition,
        id: BatchId,
        block: Bytes,
    ) -> BoxFuture<'_, Result<Offset, AppendError>>;

    /// Up to `limit` entries after `after`, in order; empty at the end of the log.
    fn read_from(
        &self,
        partition: Partition,
        after: Offset,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<Entry>, ReadLogError>>;

    /// Forgets entries up to and including `up_to` that were appended before `older_than`, and
    /// answers how many. The partition's last entry is always kept.
    fn trim(
        &self,
        partition: Partition,
        up_to: Offset,
        older_than: WallTime,
    ) -> BoxFuture<'_, Result<u64, ReadLogError>>;
}

#[cfg(test)]
mod tests {
    use weir_model::Access;

    use super::*;

    #[test]
    fn videos_are_spread_over_all_partitions_and_stay_where_they_are() {
        let mut counts = [0; Partition::COUNT as usize];
        for i in 0..4000_u64 {
            let video = VideoId::from_random(i.wrapping_mul(0x9e37_79b9_7f4a_7c15), Access::Open);
            counts[Partition::of(video).index()] += 1;
        }
        assert!(
            counts.iter().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
        assert_eq!(Partition::of("oabcdefghijk".parse().unwrap()), Partition(2));
    }
}
