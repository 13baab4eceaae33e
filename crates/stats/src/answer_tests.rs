use proptest::prelude::*;

use super::*;
use crate::{
    cell::Rollup, quantiles::Quantile, query::StatsQuery, rollup::Subject, uniques::SessionHash,
};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 3_600_000;
const NOW: WallTime = WallTime(20_700 * 86_400_000 + 12 * HOUR + 30_500);

const KNOWN: Known = Known {
    as_of: NOW,
    stale: false,
    sketched_since: None,
};

fn query(event: EventType, function: Function) -> StatsQuery {
    StatsQuery {
        video: "oabcdefghijk".parse().ok(),
        event,
        function,
        quantile: None,
        group_by: None,
        start: Some(WallTime(Tier::Minute.floor(NOW).0 - 2 * MINUTE)),
        end: Some(NOW),
        step: Some(60),
    }
}

fn row(start: u64, count: i64, sum: i64) -> Row {
    Row {
        start: WallTime(start),
        label: Label::UNKNOWN,
        cell: Cell {
            rollup: Rollup { count, sum },
            ..Cell::default()
        },
    }
}

#[test]
fn answers_values_in_the_unit_shown() {
    let start = Tier::Minute.floor(NOW).0 - 2 * MINUTE;
    let rows = [
        row(start - MINUTE, 100, 100),
        row(start, 2, 3000),
        row(start, 1, 1500),
        row(start + 2 * MINUTE, 1, 500),
    ];
    let check = |event, function, unit: &str, points: [Option<Number>; 3], total| {
        let range = query(event, function).resolve(NOW).unwrap();
        let answer = range.answer(&rows, KNOWN);
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
        start: None,
        end: None,
        step: None,
        ..query(EventType::Startup, Function::Sum)
    };
    let known = Known {
        as_of: WallTime(5),
        stale: true,
        ..KNOWN
    };
    let answer = asked.resolve(NOW).unwrap().answer([], known);
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!(json["function"], "sum");
    assert_eq!(json["tier"], "day");
    assert_eq!(json["as_of"], 5);
    assert_eq!(json["stale"], true);
    assert_eq!(json["points"], serde_json::json!([{"time": 0, "value": 0}]));
    for absent in ["groups", "group_by", "quantile", "complete_from"] {
        assert_eq!(json.get(absent), None);
    }
    assert_eq!(serde_json::from_value::<StatsAnswer>(json).unwrap(), answer);
}

#[test]
fn says_from_when_on_sketches_are_whole() {
    let check = |function, since: u64, group_by, expected: Option<u64>| {
        let asked = StatsQuery {
            group_by,
            step: None,
            ..query(EventType::Stall, function)
        };
        let known = Known {
            sketched_since: Some(WallTime(since)),
            ..KNOWN
        };
        let answer = asked.resolve(NOW).unwrap().answer([], known);
        assert_eq!(answer.complete_from, expected.map(WallTime));
    };
    check(Function::Unique, NOW.0 - MINUTE, None, Some(NOW.0 - MINUTE));
    check(Function::Unique, NOW.0 - HOUR, None, None);
    check(Function::Count, NOW.0 - MINUTE, None, None);
    let country = Some(Dimension::Country);
    check(
        Function::Count,
        NOW.0 - MINUTE,
        country,
        Some(NOW.0 - MINUTE),
    );
}

/// One event as a row of its own.
fn event(start: u64, label: usize, value: u32, session: u64) -> Row {
    let label = match label {
        0 => Label::UNKNOWN,
        n => Dimension::Pop.label(&format!("pop-{n}")).unwrap(),
    };
    let mut cell = Cell::default();
    let rollup = Rollup {
        count: 1,
        sum: value.into(),
    };
    let hash = session.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    cell.add(EventType::Stall, rollup, SessionHash(hash));
    Row {
        start: WallTime(start),
        label,
        cell,
    }
}

proptest! {
    /// Groups are what the answer would be of their events alone, and nothing is lost between them.
    #[test]
    fn groups_are_answers_of_their_own(
        events in prop::collection::vec((0..3_u64, 0..70_usize, 0..90_000_u32, 0..20_u64), 0..150),
        function in prop::sample::select(vec![
            Function::Count, Function::Sum, Function::Avg, Function::Unique, Function::Quantile,
        ]),
    ) {
        let first = Tier::Minute.floor(NOW).0 - 2 * MINUTE;
        let rows: Vec<_> = events
            .iter()
            .map(|(minute, label, value, session)| {
                event(first + minute * MINUTE, *label, *value, *session)
            })
            .collect();
        let asked = query(EventType::Stall, function);
        let plain = asked.resolve(NOW).unwrap();
        let grouped = StatsQuery { group_by: Some(Dimension::Pop), ..asked }.resolve(NOW).unwrap();
        let answer = grouped.answer(&rows, KNOWN);
        prop_assert_eq!(&answer.points, &plain.answer(&rows, KNOWN).points);
        let groups = answer.groups.unwrap();
        prop_assert!(groups.len() <= MAX_GROUPS);
        for group in groups.iter().filter(|group| group.value.as_deref() != Some("other")) {
            let value = group.value.as_deref().unwrap_or_default();
            let own = plain.answer(rows.iter().filter(|row| row.label.as_str() == value), KNOWN);
            prop_assert_eq!(&group.points, &own.points);
            prop_assert_eq!(group.total, own.total);
        }
        if function == Function::Count {
            let sum = groups.iter().filter_map(|group| group.total).map(f64::from).sum::<f64>();
            prop_assert_eq!(sum, events.len() as f64);
        }
    }

    /// Against values that are sorted, and sessions in a set.
    #[test]
    fn sketches_answer_what_plain_collections_do(
        events in prop::collection::vec((0..90_000_u32, 0..40_u64), 1..100),
    ) {
        let start = Tier::Minute.floor(NOW).0;
        let rows: Vec<_> = events
            .iter()
            .map(|(value, session)| event(start, 0, *value, *session))
            .collect();
        let total = |function| {
            let range = query(EventType::Stall, function).resolve(NOW).unwrap();
            f64::from(range.answer(&rows, KNOWN).total.unwrap())
        };
        let sessions: std::collections::BTreeSet<_> = events.iter().map(|event| event.1).collect();
        prop_assert!((total(Function::Unique) - sessions.len() as f64).abs() <= 1.0);
        let mut values: Vec<_> = events.iter().map(|event| f64::from(event.0)).collect();
        values.sort_by(f64::total_cmp);
        let median = values[values.len().div_ceil(2) - 1];
        prop_assert!((total(Function::Quantile) - median).abs() * 64.0 <= median);
        prop_assert_eq!(Quantile::MEDIAN.fraction(), 0.5);
    }
}

#[test]
fn a_question_about_all_names_no_video() {
    let asked = StatsQuery {
        video: None,
        ..query(EventType::View, Function::Count)
    };
    let range = asked.resolve(NOW).unwrap();
    assert_eq!(range.subject, Subject::All);
    let json = serde_json::to_value(range.answer([], KNOWN)).unwrap();
    assert_eq!(json.get("video"), None);
}
