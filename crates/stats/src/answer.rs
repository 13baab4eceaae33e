//! The answer to a question: a series of values, in units that are shown, and the whole; broken
//! down if that was asked.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weir_model::{VideoId, WallTime};

use crate::{
    cell::Cell,
    dimension::{Dimension, Label},
    query::{Function, Range},
    rollup::Tier,
    schema::{EventType, Unit},
};

/// Most groups that are told apart in one answer. Those of which the fewest events came are put
/// together as `other`.
pub const MAX_GROUPS: usize = 50;

/// One rollup of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Start of its minute, hour or day.
    pub start: WallTime,
    /// Its value of the dimension asked for; [`Label::UNKNOWN`] if none was.
    pub label: Label,
    /// What is kept.
    pub cell: Cell,
}

/// What is known of the rows that an answer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Every event that was acknowledged up to this time is in them.
    pub as_of: WallTime,
    /// Whether that is too long ago.
    pub stale: bool,
    /// Since when sketches and breakdowns are kept, if there were counts before.
    pub sketched_since: Option<WallTime>,
}

impl Range {
    /// The answer from the rows in the range, in any order; a start may come several times, and
    /// what lies outside the range is ignored.
    pub fn answer<'a>(&self, rows: impl IntoIterator<Item = &'a Row>, known: Known) -> StatsAnswer {
        let mut whole = Series::new(self);
        let mut groups: BTreeMap<Label, Series> = BTreeMap::new();
        for row in rows.into_iter().filter(|row| self.contains(row.start)) {
            whole.add(self, row);
            if self.group_by.is_some() {
                let group = groups.entry(row.label);
                group.or_insert_with(|| Series::new(self)).add(self, row);
            }
        }
        let kept_later = self.needs_sketches() || self.group_by.is_some();
        StatsAnswer {
            video: self.subject.video(),
            event: self.event,
            function: self.function,
            quantile: (self.function == Function::Quantile).then(|| self.quantile.fraction()),
            unit: self.unit().into(),
            start: self.start,
            end: self.end,
            step: self.step_ms / 1000,
            tier: self.tier,
            stale: known.stale,
            as_of: known.as_of,
            complete_from: known
                .sketched_since
                .filter(|since| kept_later && *since > self.start),
            points: whole.points(self),
            total: self.value(&whole.total),
            group_by: self.group_by,
            groups: self.group_by.map(|_| self.groups(groups)),
        }
    }

    fn groups(&self, groups: BTreeMap<Label, Series>) -> Vec<Group> {
        let mut ranked: Vec<_> = groups.into_iter().collect();
        // Stable, so that equal ones stay in the order of their labels.
        ranked.sort_by_key(|(_, series)| Reverse(series.total.rollup.count));
        if ranked.len() > MAX_GROUPS {
            let rest = ranked.split_off(MAX_GROUPS - 1);
            let at = ranked.iter().position(|(label, _)| *label == Label::OTHER);
            let at = at.unwrap_or_else(|| {
                ranked.push((Label::OTHER, Series::new(self)));
                ranked.len() - 1
            });
            for (_, series) in &rest {
                ranked[at].1.merge(series);
            }
        }
        let groups = ranked.into_iter().map(|(label, series)| Group {
            value: (!label.is_unknown()).then(|| label.as_str().to_owned()),
            points: series.points(self),
            total: self.value(&series.total),
        });
        groups.collect()
    }

    fn unit(&self) -> &'static str {
        const EVENTS: &str = "events";
        match self.function {
            Function::Count => EVENTS,
            Function::Unique => "sessions",
            Function::Sum | Function::Avg | Function::Quantile => {
                self.event.unit().map_or(EVENTS, Unit::symbol)
            }
        }
    }

    fn value(&self, cell: &Cell) -> Option<Number> {
        let (count, sum) = (cell.rollup.count, cell.rollup.sum);
        let seconds = self.event.unit() == Some(Unit::Seconds);
        let whole = |number: u64| Number::Whole(i64::try_from(number).unwrap_or(i64::MAX));
        match self.function {
            Function::Count => Some(Number::Whole(count)),
            Function::Sum if seconds => Some(Number::Fraction(sum as f64 / 1000.0)),
            Function::Sum => Some(Number::Whole(sum)),
            Function::Avg if count <= 0 => None,
            Function::Avg if seconds => Some(Number::Fraction(sum as f64 / count as f64 / 1000.0)),
            Function::Avg => Some(Number::Fraction(sum as f64 / count as f64)),
            Function::Unique => Some(whole(cell.uniques.estimate())),
            Function::Quantile => {
                let value = cell.quantiles.at(self.quantile)?;
                Some(if seconds {
                    Number::Fraction(f64::from(value) / 1000.0)
                } else {
                    whole(value.into())
                })
            }
        }
    }
}

/// The cells of each step, and all of them together.
struct Series {
    steps: Vec<Cell>,
    total: Cell,
}

impl Series {
    fn new(range: &Range) -> Self {
        // `resolve` has bounded the number of points.
        let count = (range.end.0 - range.start.0).div_ceil(range.step_ms) as usize;
        Self {
            steps: vec![Cell::default(); count],
            total: Cell::default(),
        }
    }

    fn add(&mut self, range: &Range, row: &Row) {
        let step = (row.start.0 - range.start.0) / range.step_ms;
        self.steps[step as usize].merge(&row.cell);
        self.total.merge(&row.cell);
    }

    fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.steps.iter_mut().zip(&other.steps) {
            ours.merge(theirs);
        }
        self.total.merge(&other.total);
    }

    fn points(&self, range: &Range) -> Vec<Point> {
        let starts = (range.start.0..).step_by(range.step_ms as usize);
        let points = starts.zip(&self.steps).map(|(start, cell)| Point {
            time: WallTime(start),
            value: range.value(cell),
        });
        points.collect()
    }
}

/// Answer to `GET /api/v1/stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatsAnswer {
    /// Of which video; absent if it is about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoId>,
    /// Which type of event.
    pub event: EventType,
    /// What was made of the events.
    pub function: Function,
    /// Which quantile, if that is the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// Unit of the values: events, sessions, s, ms or kbit/s.
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
    /// There if the range begins before sketches and breakdowns were kept: events that were
    /// counted before this time are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_from: Option<WallTime>,
    /// One value per step.
    pub points: Vec<Point>,
    /// The value of the whole range.
    pub total: Option<Number>,
    /// What it was broken down by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<Dimension>,
    /// The same for each value of that dimension, those with the most events first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Group>>,
}

/// The series of one value of a dimension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = StatsGroup)]
pub struct Group {
    /// The value; null for events of which it is not known, `other` for what is not told apart.
    pub value: Option<String>,
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
    /// Null for an average or a quantile of nothing.
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
#[path = "answer_tests.rs"]
mod tests;
