//! How well it played: the quality of experience in one row, for a video or all of them, and for
//! each value of a dimension.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use weir_model::{VideoId, WallTime};

use crate::{
    answer::{Known, MAX_GROUPS, Row},
    cell::Cell,
    dimension::{Dimension, Label},
    quantiles::Quantile,
    query::{Function, InvalidQuery, Range, StatsQuery},
    rollup::Tier,
    schema::EventType,
};

/// Parameters of `GET /api/v1/stats/quality`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QualityQuery {
    /// Of which video. Default: of all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoId>,
    /// Which dimension to break it down by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<Dimension>,
    /// From when on, in Unix ms. Default: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<WallTime>,
    /// Until before when, in Unix ms. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<WallTime>,
}

/// The types that a summary is made of.
const TYPES: [EventType; 7] = [
    EventType::View,
    EventType::Watch,
    EventType::Startup,
    EventType::Stall,
    EventType::Bitrate,
    EventType::Latency,
    EventType::Error,
];

impl QualityQuery {
    /// The ranges to be read, one for each type of event; all have the same start, end and tier.
    pub fn resolve(&self, now: WallTime) -> Result<[Range; TYPES.len()], InvalidQuery> {
        let watched = StatsQuery {
            video: self.video,
            event: EventType::Watch,
            // Of all functions this one has the sketches read.
            function: Function::Unique,
            quantile: None,
            group_by: self.group_by,
            start: self.start,
            end: self.end,
            step: None,
        };
        let range = watched.resolve(now)?;
        Ok(TYPES.map(|event| Range { event, ..range }))
    }
}

/// How well it played.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quality {
    /// Views.
    pub views: i64,
    /// Sessions that watched, to about 1.6%.
    pub viewers: u64,
    /// Time watched in seconds.
    pub watched_s: f64,
    /// Half of the starts took no longer than this, in ms.
    pub startup_ms_median: Option<u32>,
    /// 19 of 20 starts took no longer than this, in ms.
    pub startup_ms_p95: Option<u32>,
    /// How often playback stood still.
    pub stalls: i64,
    /// For how long in all, in ms.
    pub stalled_ms: i64,
    /// Standing still as a part of watching and standing still, from 0 to 1.
    pub stall_ratio: Option<f64>,
    /// Sessions that stood still at least once, to about 1.6%.
    pub stalled_viewers: u64,
    /// Mean of the reported bitrates, in kbit/s.
    pub bitrate_kbps: Option<f64>,
    /// Half of the reports were no further behind the live edge, in ms.
    pub latency_ms_median: Option<u32>,
    /// 19 of 20 reports were no further behind, in ms.
    pub latency_ms_p95: Option<u32>,
    /// How often playback failed.
    pub errors: i64,
    /// Sessions in which it failed at least once, to about 1.6%.
    pub failed_viewers: u64,
}

impl Quality {
    fn of(cells: &BTreeMap<EventType, Cell>) -> Self {
        let nothing = Cell::default();
        let cell = |event| cells.get(&event).unwrap_or(&nothing);
        let at = |event, quantile| cell(event).quantiles.at(quantile);
        let (watch, stall) = (cell(EventType::Watch), cell(EventType::Stall));
        let (bitrate, error) = (cell(EventType::Bitrate), cell(EventType::Error));
        let spent_ms = watch.rollup.sum.saturating_add(stall.rollup.sum);
        Self {
            views: cell(EventType::View).rollup.count,
            viewers: watch.uniques.estimate(),
            watched_s: watch.rollup.sum as f64 / 1000.0,
            startup_ms_median: at(EventType::Startup, Quantile::MEDIAN),
            startup_ms_p95: at(EventType::Startup, Quantile::P95),
            stalls: stall.rollup.count,
            stalled_ms: stall.rollup.sum,
            stall_ratio: (spent_ms > 0).then(|| stall.rollup.sum as f64 / spent_ms as f64),
            stalled_viewers: stall.uniques.estimate(),
            bitrate_kbps: (bitrate.rollup.count > 0)
                .then(|| bitrate.rollup.sum as f64 / bitrate.rollup.count as f64),
            latency_ms_median: at(EventType::Latency, Quantile::MEDIAN),
            latency_ms_p95: at(EventType::Latency, Quantile::P95),
            errors: error.rollup.count,
            failed_viewers: error.uniques.estimate(),
        }
    }
}

/// Answer to `GET /api/v1/stats/quality`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QualityAnswer {
    /// Of which video; absent if it is about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoId>,
    /// Start of the range that was used.
    pub start: WallTime,
    /// End of the range that was used.
    pub end: WallTime,
    /// How finely the counts are kept.
    pub tier: Tier,
    /// Whether counting lags: events that were acknowledged after `as_of` may be missing.
    pub stale: bool,
    /// Every event that was acknowledged up to this time is in the values.
    pub as_of: WallTime,
    /// There if the range begins before sketches and breakdowns were kept: in what is made of
    /// those, events that were counted before this time are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_from: Option<WallTime>,
    /// All together.
    pub total: Quality,
    /// What it was broken down by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<Dimension>,
    /// The same for each value of that dimension, those that were watched longest first, at most
    /// 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<QualityGroup>>,
}

/// How well it played for one value of a dimension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QualityGroup {
    /// The value; null for events of which it is not known.
    pub value: Option<String>,
    /// How well it played.
    #[serde(flatten)]
    pub quality: Quality,
}

/// The answer from the rows of the [resolved](QualityQuery::resolve) ranges, in any order.
pub fn answer<'a>(
    range: &Range,
    rows: impl IntoIterator<Item = (EventType, &'a Row)>,
    known: Known,
) -> QualityAnswer {
    let mut total: BTreeMap<EventType, Cell> = BTreeMap::new();
    let mut groups: BTreeMap<Label, BTreeMap<EventType, Cell>> = BTreeMap::new();
    for (event, row) in rows {
        if !range.contains(row.start) {
            continue;
        }
        total.entry(event).or_default().merge(&row.cell);
        if range.group_by.is_some() {
            let group = groups.entry(row.label).or_default();
            group.entry(event).or_default().merge(&row.cell);
        }
    }
    let groups = range.group_by.map(|_| {
        let mut ranked: Vec<_> = groups.into_iter().collect();
        let watched = |cells: &BTreeMap<EventType, Cell>| {
            let watch = cells.get(&EventType::Watch);
            watch.map_or(0, |cell| cell.rollup.sum)
        };
        ranked.sort_by_key(|(_, cells)| Reverse(watched(cells)));
        ranked.truncate(MAX_GROUPS);
        let groups = ranked.into_iter().map(|(label, cells)| QualityGroup {
            value: (!label.is_unknown()).then(|| label.as_str().to_owned()),
            quality: Quality::of(&cells),
        });
        groups.collect()
    });
    QualityAnswer {
        video: range.subject.video(),
        start: range.start,
        end: range.end,
        tier: range.tier,
        stale: known.stale,
        as_of: known.as_of,
        complete_from: known.sketched_since.filter(|since| *since > range.start),
        total: Quality::of(&total),
        group_by: range.group_by,
        groups,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cell::Rollup, rollup::Subject, uniques::SessionHash};

    const NOW: WallTime = WallTime(1_795_000_000_000);

    fn row(event: EventType, value: i64, country: &str, session: u64) -> (EventType, Row) {
        let label = match country {
            "" => Label::UNKNOWN,
            country => Dimension::Country.label(country).unwrap(),
        };
        let mut cell = Cell::default();
        let rollup = Rollup {
            count: 1,
            sum: value,
        };
        // Spread over the registers, as a hash is.
        cell.add(event, rollup, SessionHash(session << 56));
        let start = Tier::Minute.floor(NOW);
        (event, Row { start, label, cell })
    }

    #[test]
    fn sums_up_what_players_reported() {
        use EventType as E;
        let rows = [
            row(E::View, 0, "DE", 1),
            row(E::View, 0, "FR", 2),
            row(E::Watch, 9000, "FR", 2),
            row(E::Watch, 20_000, "DE", 1),
            row(E::Watch, 10_000, "", 1),
            row(E::Startup, 40, "DE", 1),
            row(E::Startup, 60, "FR", 2),
            row(E::Stall, 1000, "FR", 2),
            row(E::Stall, 0, "FR", 2),
            row(E::Bitrate, 3000, "DE", 1),
            row(E::Bitrate, 4000, "DE", 1),
            row(E::Error, 0, "FR", 2),
        ];
        let query = QualityQuery {
            video: None,
            group_by: Some(Dimension::Country),
            start: Some(WallTime(NOW.0 - 3_600_000)),
            end: None,
        };
        let ranges = query.resolve(NOW).unwrap();
        assert!(ranges.iter().all(|range| range.subject == Subject::All));
        let known = Known {
            as_of: NOW,
            stale: false,
            sketched_since: None,
        };
        let rows = rows.iter().map(|(event, row)| (*event, row));
        let answer = answer(&ranges[0], rows, known);
        let expected = Quality {
            views: 2,
            viewers: 2,
            watched_s: 39.0,
            startup_ms_median: Some(40),
            startup_ms_p95: Some(60),
            stalls: 2,
            stalled_ms: 1000,
            stall_ratio: Some(0.025),
            stalled_viewers: 1,
            bitrate_kbps: Some(3500.0),
            latency_ms_median: None,
            latency_ms_p95: None,
            errors: 1,
            failed_viewers: 1,
        };
        assert_eq!(answer.total, expected);
        let groups = answer.groups.unwrap();
        let values: Vec<_> = groups.iter().map(|group| group.value.as_deref()).collect();
        assert_eq!(values, [Some("DE"), None, Some("FR")]);
        assert_eq!(groups[2].quality.stall_ratio, Some(0.1));
        assert_eq!(groups[0].quality.stall_ratio, Some(0.0));
        assert_eq!(groups[1].quality.bitrate_kbps, None);
    }
}
