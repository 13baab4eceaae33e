//! A question about a range, and its answer. A range is widened to the rollups that are kept, and
//! the answer says which range it is about.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::{IntoParams, ToSchema};
use weir_model::{VideoId, WallTime};

use crate::{
    batch::MAX_AHEAD,
    rollup::{Rollup, Tier},
    schema::{EventType, Unit},
};

/// Most points in one answer.
pub const MAX_POINTS: u64 = 1500;

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
}

/// Parameters of `GET /api/v1/stats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatsQuery {
    /// Of which video.
    pub video: VideoId,
    /// Which type of event.
    pub event: EventType,
    /// What to make of the events. Default: count.
    #[serde(default)]
    pub function: Function,
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
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidQuery {
    /// The type's events carry no quantity.
    #[error("{} events carry no quantity to add up; ask for function=count", .0.as_str())]
    NoQuantity(EventType),
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
    /// There would be more than [`MAX_POINTS`] points.
    #[error("that makes {points} points and the most is {MAX_POINTS}; ask for a step of {step} s")]
    TooManyPoints {
        /// How many.
        points: u64,
        /// A step that gives few enough, in seconds.
        step: u64,
    },
}

/// A question about whole rollups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Of which video.
    pub video: VideoId,
    /// Which type of event.
    pub event: EventType,
    /// What to make of the events.
    pub function: Function,
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
        let Self {
            video,
            event,
            function,
            start,
            end,
            step,
        } = *self;
        if function != Function::Count && event.unit().is_none() {
            return Err(InvalidQuery::NoQuantity(event));
        }
        let start = start.unwrap_or_default();
        let last = now.plus(MAX_AHEAD);
        let end = end.map_or(last, |end| end.min(last));
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
        let step_ms = match step {
            Some(0) => return Err(InvalidQuery::ZeroStep),
            Some(step) => step
                .saturating_mul(1000)
                .min(range_ms)
                .next_multiple_of(length),
            None => range_ms,
        };
        let points = range_ms.div_ceil(step_ms);
        if points > MAX_POINTS {
            let step = range_ms.div_ceil(MAX_POINTS).next_multiple_of(length) / 1000;
            return Err(InvalidQuery::TooManyPoints { points, step });
        }
        Ok(Range {
            video,
            event,
            function,
            tier,
            start,
            end,
            step_ms,
        })
    }
}

impl Range {
    /// Whether a rollup that starts at `start` is in the range.
    pub fn contains(&self, start: WallTime) -> bool {
        (self.start..self.end).contains(&start)
    }

    /// The answer from the rollups in the range, in any order; a start may come several times,
    /// and what lies outside the range is ignored.
    pub fn answer(
        &self,
        rollups: impl IntoIterator<Item = (WallTime, Rollup)>,
        as_of: WallTime,
        stale: bool,
    ) -> StatsAnswer {
        // `resolve` has bounded the number of points.
        let count = (self.end.0 - self.start.0).div_ceil(self.step_ms) as usize;
        let mut steps = vec![Rollup::default(); count];
        let mut total = Rollup::default();
        for (start, rollup) in rollups
            .into_iter()
            .filter(|(start, _)| self.contains(*start))
        {
            steps[((start.0 - self.start.0) / self.step_ms) as usize] += rollup;
            total += rollup;
        }
        let time = |step: usize| WallTime(self.start.0 + step as u64 * self.step_ms);
        let points = steps.iter().enumerate();
        StatsAnswer {
            video: self.video,
            event: self.event,
            function: self.function,
            unit: match self.function {
                Function::Count => COUNT_UNIT,
                Function::Sum | Function::Avg => self.event.unit().map_or(COUNT_UNIT, Unit::symbol),
            }
            .into(),
            start: self.start,
            end: self.end,
            step: self.step_ms / 1000,
            tier: self.tier,
            stale,
            as_of,
            points: points
                .map(|(i, rollup)| Point {
                    time: time(i),
                    value: self.value(*rollup),
                })
                .collect(),
            total: self.value(total),
        }
    }

    fn value(&self, Rollup { count, sum }: Rollup) -> Option<Number> {
        let seconds = self.event.unit() == Some(Unit::Seconds);
        match self.function {
            Function::Count => Some(Number::Whole(count)),
            Function::Sum if seconds => Some(Number::Fraction(sum as f64 / 1000.0)),
            Function::Sum => Some(Number::Whole(sum)),
            Function::Avg if count <= 0 => None,
            Function::Avg if seconds => Some(Number::Fraction(sum as f64 / count as f64 / 1000.0)),
            Function::Avg => Some(Number::Fraction(sum as f64 / count as f64)),
        }
    }
}

/// Unit of an answer that counts.
const COUNT_UNIT: &str = "events";

/// Answer to `GET /api/v1/stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatsAnswer {
    /// Of which video.
    pub video: VideoId,
    /// Which type of event.
    pub event: EventType,
    /// What was made of the events.
    pub function: Function,
    /// Unit of the values: events, s, ms or kbit/s.
    pub unit: String,
    /// Start of the range that was used.
    pub start: WallTime,
    /// End of the range that was used.
    pub end: WallTime,
    /// Length of one point in seconds; the last may be shorter.
    pub step: u64,
    /// How finely the counts are kept.
    pub tier: Tier,
    /// Whether counting lags: events that were acknowledged after `as_of` may be missing.
    pub stale: bool,
    /// Every event that was acknowledged up to this time is in the values.
    pub as_of: WallTime,
    /// One value per step.
    pub points: Vec<Point>,
    /// The value of the whole range.
    pub total: Option<Number>,
}

/// One value of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Point {
    /// Where its step starts.
    pub time: WallTime,
    /// Null for an average of nothing.
    pub value: Option<Number>,
}

/// A value: counts and sums in their own unit are whole.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Number {
    /// A whole number.
    Whole(i64),
    /// Seconds, or an average.
    Fraction(f64),
}

impl From<Number> for f64 {
    fn from(number: Number) -> Self {
        match number {
            Number::Whole(n) => n as Self,
            Number::Fraction(x) => x,
        }
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
            video: "oabcdefghijk".parse().unwrap(),
            event: EventType::Watch,
            function: Function::Sum,
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
    }

    #[test]
    fn answers_values_in_the_unit_shown() {
        let rollup = |count, sum| Rollup { count, sum };
        let start = Tier::Minute.floor(NOW).0 - 2 * MINUTE;
        let rollups = [
            (WallTime(start - MINUTE), rollup(100, 100)),
            (WallTime(start), rollup(2, 3000)),
            (WallTime(start), rollup(1, 1500)),
            (WallTime(start + 2 * MINUTE), rollup(1, 500)),
        ];
        let check = |event, function, unit: &str, points: [Option<Number>; 3], total| {
            let end = Some(NOW.0);
            let asked = StatsQuery {
                event,
                function,
                ..query(Some(start), end, Some(60))
            };
            let answer = asked.resolve(NOW).unwrap().answer(rollups, NOW, false);
            assert_eq!(answer.unit, unit);
            let values: Vec<_> = answer.points.iter().map(|point| point.value).collect();
            assert_eq!(values, points);
            assert_eq!(answer.total, Some(total));
            let times: Vec<_> = answer.points.iter().map(|point| point.time.0).collect();
            assert_eq!(times, [start, start + MINUTE, start + 2 * MINUTE]);
        };
        let whole = |n| Some(Number::Whole(n));
        let fraction = |x| Some(Number::Fraction(x));
        check(
            EventType::Watch,
            Function::Count,
            "events",
            [whole(3), whole(0), whole(1)],
            Number::Whole(4),
        );
        check(
            EventType::Watch,
            Function::Sum,
            "s",
            [fraction(4.5), fraction(0.0), fraction(0.5)],
            Number::Fraction(5.0),
        );
        check(
            EventType::Stall,
            Function::Avg,
            "ms",
            [fraction(1500.0), None, fraction(500.0)],
            Number::Fraction(1250.0),
        );
        check(
            EventType::Stall,
            Function::Sum,
            "ms",
            [whole(4500), whole(0), whole(500)],
            Number::Whole(5000),
        );
    }

    #[test]
    fn is_written_as_the_api_says() {
        let asked = StatsQuery {
            event: EventType::Startup,
            ..query(None, None, None)
        };
        let answer = asked.resolve(NOW).unwrap().answer([], WallTime(5), true);
        let json = serde_json::to_value(&answer).unwrap();
        assert_eq!(json["function"], "sum");
        assert_eq!(json["tier"], "day");
        assert_eq!(json["as_of"], 5);
        assert_eq!(json["stale"], true);
        assert_eq!(json["points"], serde_json::json!([{"time": 0, "value": 0}]));
        assert_eq!(serde_json::from_value::<StatsAnswer>(json).unwrap(), answer);
    }
}
