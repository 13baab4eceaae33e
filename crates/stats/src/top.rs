//! Which videos have the most of something in a window that ends now; with a half-life, what is
//! recent weighs more.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weir_model::{VideoId, WallTime};

use crate::{
    answer::{Known, Number},
    batch::MAX_AHEAD,
    cell::Rollup,
    query::InvalidQuery,
    rollup::Tier,
    schema::EventType,
};

/// Longest window: a year.
pub const MAX_WINDOW: Duration = Duration::from_secs(366 * 86_400);

/// Most videos in one answer.
pub const MAX_LIMIT: u32 = 100;

const DEFAULT_LIMIT: u32 = 20;
const DEFAULT_WINDOW_S: u64 = 86_400;

/// Parameters of `GET /api/v1/stats/top`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TopQuery {
    /// Which type of event. Default: view.
    #[serde(default = "views")]
    pub event: EventType,
    /// How far back, in seconds. Default: a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    /// After so many seconds an event weighs half. Default: all weigh the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_life: Option<u64>,
    /// How many videos. Default: 20, at most 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

fn views() -> EventType {
    EventType::View
}

/// A ranking of whole rollups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopRange {
    /// Which type of event.
    pub event: EventType,
    /// Which rollups.
    pub tier: Tier,
    /// Start of the first one.
    pub start: WallTime,
    /// End of the last one.
    pub end: WallTime,
    /// After which time an event weighs half, in ms.
    pub half_life_ms: Option<u64>,
    /// How many videos.
    pub limit: usize,
}

impl TopQuery {
    /// Widens the window to whole rollups: minutes for up to an hour, hours for up to two days,
    /// days beyond.
    pub fn resolve(&self, now: WallTime) -> Result<TopRange, InvalidQuery> {
        let window_s = self.window.unwrap_or(DEFAULT_WINDOW_S);
        if window_s < 60 || window_s > MAX_WINDOW.as_secs() {
            return Err(InvalidQuery::Window(window_s));
        }
        if self.half_life == Some(0) {
            return Err(InvalidQuery::ZeroHalfLife);
        }
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(InvalidQuery::Limit(limit));
        }
        let tier = match window_s {
            60..=3600 => Tier::Minute,
            3601..=172_800 => Tier::Hour,
            _ => Tier::Day,
        };
        let last = now.plus(MAX_AHEAD);
        Ok(TopRange {
            event: self.event,
            tier,
            start: tier.floor(WallTime(now.0.saturating_sub(window_s * 1000))),
            end: WallTime(last.0.next_multiple_of(tier.length_ms())),
            half_life_ms: self.half_life.map(|seconds| seconds.saturating_mul(1000)),
            limit: limit as usize,
        })
    }
}

impl TopRange {
    /// Ranks videos by the rollups in the range, in any order; a video and a start may come several
    /// times, and what lies outside the range is ignored.
    pub fn answer(
        &self,
        rollups: impl IntoIterator<Item = (VideoId, WallTime, Rollup)>,
        now: WallTime,
        known: Known,
    ) -> TopAnswer {
        let mut videos: HashMap<VideoId, (Rollup, f64)> = HashMap::new();
        for (video, start, rollup) in rollups {
            if (self.start..self.end).contains(&start) {
                let (total, score) = videos.entry(video).or_default();
                *total += rollup;
                *score += rollup.count as f64 * self.weight(start, now);
            }
        }
        let mut ranked: Vec<_> = videos
            .into_iter()
            .filter(|(_, (total, _))| total.count > 0)
            .map(|(video, (total, score))| Ranked {
                video,
                count: total.count,
                sum: self.event.unit().map(|_| Number::Whole(total.sum)),
                score,
            })
            .collect();
        let order = |a: &Ranked, b: &Ranked| {
            let ordering = b.score.total_cmp(&a.score);
            ordering
                .then(b.count.cmp(&a.count))
                .then(a.video.cmp(&b.video))
        };
        if ranked.len() > self.limit {
            ranked.select_nth_unstable_by(self.limit, order);
            ranked.truncate(self.limit);
        }
        ranked.sort_by(order);
        TopAnswer {
            event: self.event,
            start: self.start,
            end: self.end,
            tier: self.tier,
            half_life: self.half_life_ms.map(|ms| ms / 1000),
            stale: known.stale,
            as_of: known.as_of,
            videos: ranked,
        }
    }

    /// What an event in the rollup that starts at `start` weighs: it is taken to lie in the middle.
    fn weight(&self, start: WallTime, now: WallTime) -> f64 {
        let Some(half_life_ms) = self.half_life_ms else {
            return 1.0;
        };
        let middle = start.0 + self.tier.length_ms() / 2;
        let age_ms = now.0.saturating_sub(middle);
        (-(age_ms as f64) / half_life_ms as f64).exp2()
    }
}

/// Answer to `GET /api/v1/stats/top`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TopAnswer {
    /// Which type of event.
    pub event: EventType,
    /// Start of the range that was used.
    pub start: WallTime,
    /// End of the range that was used.
    pub end: WallTime,
    /// How finely the counts are kept.
    pub tier: Tier,
    /// After so many seconds an event weighed half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_life: Option<u64>,
    /// Whether counting lags: events that were acknowledged after `as_of` may be missing.
    pub stale: bool,
    /// Every event that was acknowledged up to this time is in the values.
    pub as_of: WallTime,
    /// The videos, highest score first.
    pub videos: Vec<Ranked>,
}

/// One video of a ranking.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ranked {
    /// Which one.
    pub video: VideoId,
    /// How many events there were.
    pub count: i64,
    /// Their values, added up, in the unit as sent; absent for types without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<Number>,
    /// How many there were, each by its weight.
    pub score: f64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_model::Access;

    use super::*;

    const NOW: WallTime = WallTime(1_795_000_000_000);
    const KNOWN: Known = Known {
        as_of: NOW,
        stale: false,
        sketched_since: None,
    };

    fn query(window: Option<u64>) -> TopQuery {
        TopQuery {
            event: EventType::View,
            window,
            half_life: None,
            limit: None,
        }
    }

    #[test]
    fn a_window_is_widened_to_a_tier() {
        let tier = |window| query(window).resolve(NOW).map(|range| range.tier);
        assert_eq!(tier(Some(60)), Ok(Tier::Minute));
        assert_eq!(tier(Some(3600)), Ok(Tier::Minute));
        assert_eq!(tier(Some(3601)), Ok(Tier::Hour));
        assert_eq!(tier(None), Ok(Tier::Hour));
        assert_eq!(tier(Some(172_801)), Ok(Tier::Day));
        assert_eq!(tier(Some(59)), Err(InvalidQuery::Window(59)));
        assert_eq!(tier(Some(u64::MAX)), Err(InvalidQuery::Window(u64::MAX)));
        let told = InvalidQuery::Window(1).to_string();
        assert!(told.contains(&MAX_WINDOW.as_secs().to_string()), "{told}");
        let limited = |limit| {
            TopQuery {
                limit,
                ..query(None)
            }
            .resolve(NOW)
        };
        assert_eq!(limited(Some(101)), Err(InvalidQuery::Limit(101)));
        assert_eq!(limited(Some(0)), Err(InvalidQuery::Limit(0)));
    }

    #[test]
    fn what_is_recent_weighs_more() {
        let (old, new) = (
            "oaaaaaaaaaaa".parse().unwrap(),
            "oabcdefghijk".parse().unwrap(),
        );
        let hour = Tier::Hour.floor(NOW);
        let count = |count| Rollup { count, sum: 0 };
        let rollups = [
            (old, WallTime(hour.0 - 10 * 3_600_000), count(30)),
            (new, hour, count(10)),
            (new, WallTime(hour.0 - 72 * 3_600_000), count(1000)),
        ];
        let first = |half_life| {
            let query = TopQuery {
                half_life,
                ..query(None)
            };
            let range = query.resolve(NOW).unwrap();
            let answer = range.answer(rollups, NOW, KNOWN);
            assert_eq!(answer.videos.len(), 2);
            (answer.videos[0].video, answer.videos[0].count)
        };
        assert_eq!(first(None), (old, 30));
        assert_eq!(first(Some(3 * 3600)), (new, 10));
    }

    proptest! {
        #[test]
        fn equals_sorting_everything(
            events in prop::collection::vec((0..40_u64, 0..90_u64, -1..5_i64), 0..200),
            limit in 1..30_u32,
        ) {
            let range = TopQuery { limit: Some(limit), ..query(Some(3600)) }.resolve(NOW).unwrap();
            let rollups: Vec<_> = events.iter().map(|(video, minutes, count)| {
                let start = WallTime(Tier::Minute.floor(NOW).0 - minutes * 60_000);
                let rollup = Rollup { count: *count, sum: 0 };
                (VideoId::from_random(*video, Access::Open), start, rollup)
            }).collect();
            let mut counts: HashMap<VideoId, i64> = HashMap::new();
            for (video, start, rollup) in &rollups {
                if NOW.0 - start.0 < 3_600_000 + 60_000 && *start >= range.start {
                    *counts.entry(*video).or_default() += rollup.count;
                }
            }
            let mut expected: Vec<_> = counts.into_iter().filter(|(_, n)| *n > 0).collect();
            expected.sort_by_key(|(video, n)| (-n, *video));
            expected.truncate(limit as usize);
            let answer = range.answer(rollups, NOW, KNOWN);
            let told: Vec<_> = answer.videos.iter().map(|r| (r.video, r.count)).collect();
            prop_assert_eq!(told, expected);
        }
    }
}
