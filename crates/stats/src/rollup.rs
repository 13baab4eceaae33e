//! What is counted apart: about whom, by minute, hour and day, and by which dimension.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weir_model::{VideoId, WallTime};

use crate::{dimension::Dimension, schema::EventType};

/// How finely counts are kept.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// By minute, for 7 days.
    Minute,
    /// By hour, for 366 days.
    Hour,
    /// By day in UTC, for ever.
    Day,
}

impl Tier {
    /// From the finest to the coarsest.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Length of one rollup in ms.
    pub fn length_ms(self) -> u64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// How long a rollup is kept; `None` is for ever.
    pub fn kept(self) -> Option<Duration> {
        const DAY: Duration = Duration::from_secs(86_400);
        match self {
            Self::Minute => Some(7 * DAY),
            Self::Hour => Some(366 * DAY),
            Self::Day => None,
        }
    }

    /// Start of the rollup that holds `time`.
    pub fn floor(self, time: WallTime) -> WallTime {
        WallTime(time.0 - time.0 % self.length_ms())
    }
}

/// About whom.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Every video, so that the whole is not added up from a hundred thousand parts.
    All,
    /// One video.
    Video(VideoId),
}

impl Subject {
    /// The video, if it is about one.
    pub fn video(self) -> Option<VideoId> {
        match self {
            Self::All => None,
            Self::Video(video) => Some(video),
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Video(video) => video.fmt(f),
        }
    }
}

/// Which total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RollupKey {
    /// How finely.
    pub tier: Tier,
    /// About whom.
    pub subject: Subject,
    /// Of which type of event.
    pub event: EventType,
    /// From when on: a multiple of the tier's length.
    pub start: WallTime,
}

/// Which breakdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BreakdownKey {
    /// How finely.
    pub tier: Tier,
    /// About whom.
    pub subject: Subject,
    /// By what.
    pub dimension: Dimension,
    /// From when on: a multiple of the tier's length.
    pub start: WallTime,
}
