//! A question about a range. A range is widened to the rollups that are kept, and the answer says
//! which range it is about.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::{IntoParams, ToSchema};
use weir_model::{VideoId, WallTime};

use crate::{
    batch::MAX_AHEAD,
    dimension::Dimension,
    quantiles::Quantile,
    rollup::{Subject, Tier},
    schema::EventType,
};

/// Most points in one answer.
pub const MAX_POINTS: u64 = 1500;

/// Most points of each group in one answer.
pub const MAX_POINTS_GROUPED: u64 = 200;

/// What is made of the events in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// How many there were.
    #[default]
    Count,
    /// Their values, added up.
    Sum,
    /// Their values, added up and divided by how many there were; null where there were none.
    Avg,
    /// How many sessions sent them, to about 1.6%; exact for a few.
    Unique,
    /// The value that so many do not exceed, to 1.6%; null where there were none.
    Quantile,
}

/// Parameters of `GET /api/v1/stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatsQuery {
    /// Of which video. Default: of all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoId>,
    /// Which type of event.
    pub event: EventType,
    /// What to make of the events. Default: count.
    #[serde(default)]
    pub function: Function,
    /// Which quantile, from 0 to 1. Default: 0.5, the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// Which dimension to break the answer down by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<Dimension>,
    /// From when on, in Unix ms. Default: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<WallTime>,
    /// Until before when, in Unix ms. Default: all that was counted, also for players whose clocks
    /// are up to 5 min ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<WallTime>,
    /// Length of one point in seconds. Default: one point for the whole range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
}

/// A question that has no answer.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum InvalidQuery {
    /// The type's events carry no quantity.
    #[error("{} events carry no quantity to add up; ask for function=count", .0.as_str())]
    NoQuantity(EventType),
    /// The sessions behind the type's events are not counted.
    #[error("the sessions of {} events are not counted; those of view, watch, stall and error are", .0.as_str())]
    NoUniques(EventType),
    /// How the type's values are spread is not kept.
    #[error("quantiles of {} are not kept; those of startup, stall, bitrate and latency are", .0.as_str())]
    NoQuantiles(EventType),
    /// It is no fraction.
    #[error("quantile goes from 0 to 1, as in 0.95; it can't be {0}")]
    Quantile(f64),
    /// It goes with another function.
    #[error("quantile={0} goes with function=quantile alone")]
    StrayQuantile(f64),
    /// The range is empty or lies in the future.
    #[error("start ({start}) must lie before end ({end}), which is 5 min from now at the latest")]
    EmptyRange {
        /// Its start, Unix ms.
        start: u64,
        /// Its end, Unix ms.
        end: u64,
    },
    /// A step of no length.
    #[error("step is in seconds and at least 1")]
    ZeroStep,
    /// There would be more than [`MAX_POINTS`] points, or more than [`MAX_POINTS_GROUPED`] of each
    /// group.
    #[error("that makes {points} points and the most is {most}; ask for a step of {step} s")]
    TooManyPoints {
        /// How many.
        points: u64,
        /// How many there may be.
        most: u64,
        /// A step that gives few enough, in seconds.
        step: u64,
    },
    /// The window of a ranking has no length, or is longer than [`crate::top::MAX_WINDOW`].
    #[error("window is in seconds, from 60 to 31622400; it can't be {0}")]
    Window(u64),
    /// The half-life of a ranking has no length.
    #[error("half_life is in seconds and at least 1")]
    ZeroHalfLife,
    /// The length of a ranking.
    #[error("limit goes from 1 to 100; it can't be {0}")]
    Limit(u32),
}

/// A question about whole rollups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// About whom.
    pub subject: Subject,
    /// Which type of event.
    pub event: EventType,
    /// What to make of the events.
    pub function: Function,
    /// Which quantile, if that is the function.
    pub quantile: Quantile,
    /// Broken down by what.
    pub group_by: Option<Dimension>,
    /// Which rollups.
    pub tier: Tier,
    /// Start of the first one.
    pub start: WallTime,
    /// End of the last one.
    pub end: WallTime,
    /// Length of one point in ms: a multiple of the tier's length. The last point may be shorter.
    pub step_ms: u64,
}

impl StatsQuery {
    /// Widens the range to whole rollups of the finest tier that is kept from its start on, and
    /// the step to a multiple of them.
    pub fn resolve(&self, now: WallTime) -> Result<Range, InvalidQuery> {
        let quantile = self.check()?;
        let start = self.start.unwrap_or_default();
        let last = now.plus(MAX_AHEAD);
        let end = self.end.map_or(last, |end| end.min(last));
        if start > end {
            return Err(InvalidQuery::EmptyRange {
                start: start.0,
                end: end.0,
            });
        }
        let age = now.since(start);
        let holds = |tier: &Tier| tier.kept().is_none_or(|kept| age <= kept);
        let tier = Tier::ALL.into_iter().find(holds).unwrap_or(Tier::Day);
        let start = tier.floor(start);
        let length = tier.length_ms();
        let end = WallTime(end.0.max(start.0 + 1).next_multiple_of(length));
        let range_ms = end.0 - start.0;
        let step_ms = match self.step {
            Some(0) => return Err(InvalidQuery::ZeroStep),
            Some(step) => step
                .saturating_mul(1000)
                .min(range_ms)
                .next_multiple_of(length),
            None => range_ms,
        };
        let points = range_ms.div_ceil(step_ms);
        let most = match self.group_by {
            None => MAX_POINTS,
            Some(_) => MAX_POINTS_GROUPED,
        };
        if points > most {
            let step = range_ms.div_ceil(most).next_multiple_of(length) / 1000;
            return Err(InvalidQuery::TooManyPoints { points, most, step });
        }
        Ok(Range {
            subject: self.video.map_or(Subject::All, Subject::Video),
            event: self.event,
            function: self.function,
            quantile,
            group_by: self.group_by,
            tier,
            start,
            end,
            step_ms,
        })
    }

    /// Whether the type has what the function asks of it.
    fn check(&self) -> Result<Quantile, InvalidQuery> {
        let Self {
            event, function, ..
        } = *self;
        let definition = event.definition();
        match function {
            Function::Sum | Function::Avg if event.unit().is_none() => {
                return Err(InvalidQuery::NoQuantity(event));
            }
            Function::Unique if !definition.unique => return Err(InvalidQuery::NoUniques(event)),
            Function::Quantile if !definition.quantile => {
                return Err(InvalidQuery::NoQuantiles(event));
            }
            _ => {}
        }
        match self.quantile {
            Some(quantile) if function != Function::Quantile => {
                Err(InvalidQuery::StrayQuantile(quantile))
            }
            Some(quantile) => {
                Quantile::from_fraction(quantile).ok_or(InvalidQuery::Quantile(quantile))
            }
            None => Ok(Quantile::MEDIAN),
        }
    }
}

impl Range {
    /// Whether a rollup that starts at `start` is in the range.
    pub fn contains(&self, start: WallTime) -> bool {
        (self.start..self.end).contains(&start)
    }

    /// Whether the answer takes more than counts and sums.
    pub fn needs_sketches(&self) -> bool {
        matches!(self.function, Function::Unique | Function::Quantile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 86_400_000;
    /// Noon and 30.5 s of some day.
    const NOW: WallTime = WallTime(20_700 * DAY + 12 * HOUR + 30_500);

    fn query(start: Option<u64>, end: Option<u64>, step: Option<u64>) -> StatsQuery {
        StatsQuery {
            video: "oabcdefghijk".parse().ok(),
            event: EventType::Watch,
            function: Function::Sum,
            quantile: None,
            group_by: None,
            start: start.map(WallTime),
            end: end.map(WallTime),
            step,
        }
    }

    #[test]
    fn a_range_is_widened_to_the_finest_rollups_kept() {
        let check =
            |start: Option<u64>, end: Option<u64>, step, expected: (Tier, u64, u64, u64)| {
                let range = query(start, end, step).resolve(NOW).unwrap();
                assert_eq!(
                    (range.tier, range.start.0, range.end.0, range.step_ms),
                    expected
                );
            };
        let now = NOW.0;
        let noon = now - 30_500;
        let midnight = noon - 12 * HOUR;
        check(
            Some(now - 1),
            Some(now),
            None,
            (Tier::Minute, noon, noon + MINUTE, MINUTE),
        );
        check(
            Some(noon),
            Some(noon),
            None,
            (Tier::Minute, noon, noon + MINUTE, MINUTE),
        );
        check(
            Some(noon - HOUR + 7),
            Some(noon),
            Some(90),
            (Tier::Minute, noon - HOUR, noon, 2 * MINUTE),
        );
        check(Some(now - 7 * DAY), Some(noon), Some(60 * 60 * 24), {
            (Tier::Minute, noon - 7 * DAY, noon, DAY)
        });
        check(Some(now - 7 * DAY - 1), Some(noon), None, {
            (Tier::Hour, noon - 7 * DAY, noon, 7 * DAY)
        });
        check(
            None,
            None,
            None,
            (Tier::Day, 0, midnight + DAY, midnight + DAY),
        );
        check(Some(now), Some(u64::MAX), None, {
            (Tier::Minute, noon, noon + 6 * MINUTE, 6 * MINUTE)
        });
        check(Some(noon), None, Some(u64::MAX), {
            (Tier::Minute, noon, noon + 6 * MINUTE, 6 * MINUTE)
        });
    }

    #[test]
    fn says_what_is_wrong_and_what_to_do() {
        let check = |query: StatsQuery, expected: &str| {
            assert_eq!(query.resolve(NOW).unwrap_err().to_string(), expected);
        };
        check(
            StatsQuery {
                event: EventType::View,
                ..query(None, None, None)
            },
            "view events carry no quantity to add up; ask for function=count",
        );
        let ask = |event, function, quantile| StatsQuery {
            event,
            function,
            quantile,
            ..query(None, None, None)
        };
        check(
            ask(EventType::Share, Function::Unique, None),
            "the sessions of share events are not counted; those of view, watch, stall and error are",
        );
        check(
            ask(EventType::Watch, Function::Quantile, None),
            "quantiles of watch are not kept; those of startup, stall, bitrate and latency are",
        );
        check(
            ask(EventType::Stall, Function::Quantile, Some(95.0)),
            "quantile goes from 0 to 1, as in 0.95; it can't be 95",
        );
        check(
            ask(EventType::Stall, Function::Avg, Some(0.5)),
            "quantile=0.5 goes with function=quantile alone",
        );
        check(
            query(None, None, Some(0)),
            "step is in seconds and at least 1",
        );
        check(
            query(Some(2), Some(1), None),
            "start (2) must lie before end (1), which is 5 min from now at the latest",
        );
        let asked = query(Some(NOW.0 - 2 * DAY), Some(NOW.0), Some(60));
        check(
            asked.clone(),
            "that makes 2881 points and the most is 1500; ask for a step of 120 s",
        );
        assert!(
            StatsQuery {
                step: Some(120),
                ..asked
            }
            .resolve(NOW)
            .is_ok(),
            "the advice helps"
        );
        assert!(query(Some(u64::MAX), None, None).resolve(NOW).is_err());
        let grouped = StatsQuery {
            group_by: Some(Dimension::Country),
            ..query(Some(NOW.0 - DAY), Some(NOW.0), Some(60))
        };
        check(
            grouped,
            "that makes 1441 points and the most is 200; ask for a step of 480 s",
        );
    }

    #[test]
    fn the_refusals_name_the_types_that_have_what_is_asked() {
        let names = |has: fn(&crate::schema::Definition) -> bool| {
            let rows = crate::schema::TABLE.iter().filter(|row| has(row));
            rows.map(|row| row.name).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(names(|row| row.unique), "view, watch, stall, error");
        assert_eq!(
            names(|row| row.quantile),
            "startup, stall, bitrate, latency"
        );
    }
}
