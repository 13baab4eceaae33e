//! What is asked of the counts: a series, how well it played, which videos lead, who is watching
//! now. Every answer is the store's rows and what is folded and not in it yet.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::{IntoParams, ToSchema};
use weir_model::{VideoId, WallTime};
use weir_stats::{
    answer::{Known, Row, StatsAnswer},
    presence::PRESENT_FOR,
    quality::{self, QualityAnswer, QualityQuery},
    query::{InvalidQuery, Range, StatsQuery},
    rollup::Subject,
    top::{TopAnswer, TopQuery},
};

use super::{
    Offset, Partition, Statistics,
    statistics::{PartitionHandle, lock},
};
use crate::store::StoreError;

/// An answer that is complete up to this long ago counts as fresh.
const FRESH: Duration = Duration::from_secs(2);

/// How long a ranking is answered again as it was: many ask for the same one, and it reads more than
/// any other answer.
const RANKING_KEPT: Duration = Duration::from_secs(1);

/// Rankings that are kept for that, and for when the store is down.
const MOST_RANKINGS: usize = 64;

/// Why there are no numbers.
#[derive(Debug, Error)]
pub enum GetStatsError {
    /// The question has no answer.
    #[error(transparent)]
    Invalid(#[from] InvalidQuery),
    /// No video has this id.
    #[error("there is no video {0}")]
    NoSuchVideo(VideoId),
    /// The store is down and nothing is known from before.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Parameters of `GET /api/v1/stats/viewers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ViewersQuery {
    /// Of which video. Default: of all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoId>,
}

/// Answer to `GET /api/v1/stats/viewers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ViewersAnswer {
    /// Of which video; absent if it is about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoId>,
    /// Sessions that were heard to watch in the last 30 s. One that watches two videos counts at
    /// each.
    pub watching: u64,
    /// Whether some may be missing: counting lags, or the origin began less than 30 s ago.
    pub stale: bool,
    /// Every event that was acknowledged up to this time is taken into account.
    pub as_of: WallTime,
}

/// The rankings that were answered last.
#[derive(Default)]
pub(super) struct KeptRankings {
    kept: HashMap<TopQuery, (Instant, TopAnswer)>,
}

impl KeptRankings {
    fn keep(&mut self, query: &TopQuery, answer: &TopAnswer) {
        if self.kept.len() >= MOST_RANKINGS && !self.kept.contains_key(query) {
            let oldest = self.kept.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.map(|(query, _)| query.clone()) {
                self.kept.remove(&oldest);
            }
        }
        let answered = (Instant::now(), answer.clone());
        self.kept.insert(query.clone(), answered);
    }
}

impl Statistics {
    /// Answers a question from the store and what is not in it yet; with the store down, the last
    /// known numbers of the range, marked stale.
    pub async fn get_stats(&self, query: StatsQuery) -> Result<StatsAnswer, GetStatsError> {
        let range = query.resolve(self.now())?;
        self.require(range.subject).await?;
        let (rows, known) = self.rows(&range).await?;
        Ok(range.answer(&rows, known))
    }

    /// How well it played; with the store down, the last known numbers of the range, marked stale.
    pub async fn quality(&self, query: QualityQuery) -> Result<QualityAnswer, GetStatsError> {
        let ranges = query.resolve(self.now())?;
        self.require(ranges[0].subject).await?;
        let parts = ranges.iter().map(async |range| {
            let (rows, known) = self.rows(range).await?;
            Ok::<_, StoreError>((range.event, rows, known))
        });
        let parts = try_join_all(parts).await?;
        let known = oldest(parts.iter().map(|(.., known)| *known), self.now());
        let rows = parts
            .iter()
            .flat_map(|(event, rows, _)| rows.iter().map(|row| (*event, row)));
        Ok(quality::answer(&ranges[0], rows, known))
    }

    /// The videos with the most of something; with the store down, the last known ranking, marked
    /// stale.
    pub async fn top(&self, query: TopQuery) -> Result<TopAnswer, GetStatsError> {
        let now = self.now();
        let range = query.resolve(now)?;
        if let Some((at, answer)) = lock(&self.shared.rankings).kept.get(&query)
            && at.elapsed() < RANKING_KEPT
        {
            return Ok(answer.clone());
        }
        let parts: Vec<_> = self.shared.partitions.iter().collect();
        let tails: Vec<_> = parts
            .iter()
            .map(|part| (part.acknowledged(), part.tail.rank(&range)))
            .collect();
        let known = oldest(
            tails.iter().map(|(acknowledged, tail)| {
                known(now, *acknowledged, tail.folded, tail.complete_until)
            }),
            now,
        );
        match self.shared.store.rank(&range).await {
            Ok(rankings) => {
                let mut rollups = rankings.rollups;
                for ((_, tail), offset) in tails.into_iter().zip(rankings.offsets) {
                    rollups.extend(tail.after(offset));
                }
                let answer = range.answer(rollups, now, known);
                lock(&self.shared.rankings).keep(&query, &answer);
                Ok(answer)
            }
            Err(error) => {
                tracing::error!(%error, "ranking read in vain");
                let rankings = lock(&self.shared.rankings);
                let (_, answer) = rankings.kept.get(&query).ok_or(error)?;
                let stale = true;
                Ok(TopAnswer {
                    stale,
                    ..answer.clone()
                })
            }
        }
    }

    /// Who is watching now, from memory.
    pub async fn viewers(&self, query: ViewersQuery) -> Result<ViewersAnswer, GetStatsError> {
        let subject = query.video.map_or(Subject::All, Subject::Video);
        self.require(subject).await?;
        let now = self.now();
        let parts = self.partitions_of(subject).map(|partition| {
            let handle = self.handle(partition);
            let acknowledged = handle.acknowledged();
            let watching = handle.tail.watching(subject, now);
            (acknowledged, watching)
        });
        let parts: Vec<_> = parts.collect();
        let known = oldest(
            parts.iter().map(|(acknowledged, watching)| {
                known(now, *acknowledged, watching.folded, watching.complete_until)
            }),
            now,
        );
        // What is in memory does not depend on what the store has.
        let watching = parts.into_iter().flat_map(|(_, part)| part.unwritten);
        let begun = now.since(self.shared.begun) < PRESENT_FOR;
        Ok(ViewersAnswer {
            video: query.video,
            watching: watching.sum(),
            stale: begun || known.stale,
            as_of: known.as_of,
        })
    }

    async fn require(&self, subject: Subject) -> Result<(), GetStatsError> {
        let Some(video) = subject.video() else {
            return Ok(());
        };
        match self.exists(video).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(GetStatsError::NoSuchVideo(video)),
            Err(error) => {
                // The numbers may still be there.
                tracing::warn!(%error, "video looked up in vain");
                Ok(())
            }
        }
    }

    /// The rows of a range, in every partition that has some; with the store down, the last known
    /// ones.
    async fn rows(&self, range: &Range) -> Result<(Vec<Row>, Known), StoreError> {
        let parts = self
            .partitions_of(range.subject)
            .map(|partition| self.rows_of(partition, range));
        match try_join_all(parts).await {
            Ok(parts) => {
                let known = oldest(parts.iter().map(|(_, known)| *known), self.now());
                let rows: Vec<_> = parts.into_iter().flat_map(|(rows, _)| rows).collect();
                lock(&self.shared.last_known).remember(range, rows.clone(), known);
                Ok((rows, known))
            }
            Err(error) => {
                tracing::error!(%error, subject = ?range.subject, "counts read in vain");
                lock(&self.shared.last_known).recall(range).ok_or(error)
            }
        }
    }

    async fn rows_of(
        &self,
        partition: Partition,
        range: &Range,
    ) -> Result<(Vec<Row>, Known), StoreError> {
        let handle = self.handle(partition);
        let acknowledged = handle.acknowledged();
        let tail = handle.tail.view(range);
        let now = self.now();
        let known = known(now, acknowledged, tail.folded, tail.complete_until);
        let stored = self.shared.store.query(partition, range).await?;
        let mut rows = stored.rows;
        rows.extend(tail.after(stored.offset));
        let known = Known {
            sketched_since: stored.sketched_since,
            ..known
        };
        Ok((rows, known))
    }

    fn partitions_of(&self, subject: Subject) -> impl Iterator<Item = Partition> {
        Partition::all().filter(move |partition| {
            let video = subject.video();
            video.is_none_or(|video| Partition::of(video) == *partition)
        })
    }

    fn handle(&self, partition: Partition) -> &PartitionHandle {
        &self.shared.partitions[partition.index()]
    }
}

/// What is known when a consumer that has folded up to `folded` was last at the end of its log at
/// `complete_until`.
fn known(now: WallTime, acknowledged: Offset, folded: Offset, complete_until: WallTime) -> Known {
    let as_of = if complete_until > WallTime(0) && folded >= acknowledged {
        now
    } else {
        complete_until
    };
    Known {
        as_of,
        stale: now.since(as_of) > FRESH,
        sketched_since: None,
    }
}

/// What is known of several parts together.
fn oldest(parts: impl Iterator<Item = Known>, now: WallTime) -> Known {
    let whole = Known {
        as_of: now,
        stale: false,
        sketched_since: None,
    };
    parts.fold(whole, |whole, part| Known {
        as_of: whole.as_of.min(part.as_of),
        stale: whole.stale || part.stale,
        sketched_since: whole.sketched_since.max(part.sketched_since),
    })
}
