//! Counts and sums by minute, hour and day. They are whole numbers, so that adding them up in
//! another order changes nothing.

use std::{ops::AddAssign, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weir_model::{VideoId, WallTime};

use crate::schema::EventType;

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

/// Which rollup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RollupKey {
    /// How finely.
    pub tier: Tier,
    /// Of which video.
    pub video: VideoId,
    /// Of which type of event.
    pub event: EventType,
    /// From when on: a multiple of the tier's length.
    pub start: WallTime,
}

/// What is kept of many events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rollup {
    /// How many counted. Likes that are taken back count downwards.
    pub count: i64,
    /// Their values, added up.
    pub sum: i64,
}

impl AddAssign for Rollup {
    fn add_assign(&mut self, other: Self) {
        // No log is long enough for this to saturate: a sum takes 2^41 of the largest events.
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }
}
