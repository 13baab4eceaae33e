//! The rules of DASH.

use weir_tests::manifest::values;

use super::{
    Rule,
    reading::{Reading, State},
};

pub(crate) const RULES: &[Rule] = &[
    rule("DASH 5", "The manifest keeps the schema", |reading| {
        Some(reading.schema_breaches.clone())
    }),
    rule(
        "DASH 5",
        "mpd-parser finds segments in every Representation",
        |reading| Some(reading.readers.dash.clone()),
    ),
    rule(
        "DASH 5.3.1",
        "It is dynamic while the video goes on, and static after",
        |reading| {
            let recorded = reading.state == State::Recording;
            let expected = if recorded { "static" } else { "dynamic" };
            Some(wrong_if(first(reading, "type") != Some(expected), "type"))
        },
    ),
    rule(
        "DASH 5.3.1",
        "A dynamic one tells when it was published and when to ask again",
        |reading| {
            let needed = [
                "availabilityStartTime",
                "publishTime",
                "minimumUpdatePeriod",
            ];
            live(reading, |reading| {
                let absent = needed.iter().filter(|name| first(reading, name).is_none());
                absent.map(|name| (*name).to_owned()).collect()
            })
        },
    ),
    rule("DASH 5.3.1", "A static one tells its duration", |reading| {
        let recorded = reading.state == State::Recording;
        let told = first(reading, "mediaPresentationDuration").is_some();
        recorded.then(|| wrong_if(!told, "no duration"))
    }),
    rule(
        "DASH 5.3.9",
        "Everything named is served: initialisation, first segments",
        |reading| {
            let wrong = reading.named.iter().filter(|(_, status)| **status != 200);
            let mut wrong: Vec<_> = wrong
                .map(|(path, status)| format!("{path}: {status}"))
                .collect();
            wrong.extend(wrong_if(reading.named.is_empty(), "nothing is named"));
            Some(wrong)
        },
    ),
    rule("DASH 5.3.2", "Periods start in order", |reading| {
        let starts: Vec<f64> = values(&reading.manifest, "start")
            .iter()
            .map(|start| seconds(start))
            .collect();
        Some(wrong_if(!starts.is_sorted(), &format!("{starts:?}")))
    }),
    rule(
        "DASH 5.3.2",
        "After a discontinuity another Period begins",
        |reading| {
            let periods = reading.manifest.matches("<Period ").count();
            let broken = reading.state != State::Live;
            broken.then(|| wrong_if(periods < 2, "one Period"))
        },
    ),
    rule(
        "DASH 5.8.4.11",
        "UTCTiming names a clock, and it tells the time",
        |reading| {
            live(reading, |reading| {
                let named = reading.manifest.contains("urn:mpeg:dash:utc:http-iso:2014");
                let told = reading.time.len() == 24 && reading.time.ends_with('Z');
                wrong_if(!named || !told, &reading.time)
            })
        },
    ),
    rule(
        "LL",
        "ServiceDescription tells a target latency between its bounds",
        |reading| {
            live(reading, |reading| {
                let value = |name| first(reading, name).and_then(|v| v.parse::<f64>().ok());
                let latency = reading
                    .manifest
                    .split("<Latency")
                    .nth(1)
                    .unwrap_or_default();
                let value_of = |name| {
                    values(latency, name)
                        .first()
                        .and_then(|v| v.parse::<f64>().ok())
                };
                let (target, most) = (value("target"), value_of("max"));
                let holds = value_of("min") <= target && target <= most && target.is_some();
                wrong_if(!holds, latency)
            })
        },
    ),
    rule(
        "LL",
        "Its reference is a ProducerReferenceTime in every AdaptationSet",
        |reading| {
            live(reading, |reading| {
                let sets = reading.manifest.matches("<AdaptationSet ").count();
                let times = reading
                    .manifest
                    .matches("<ProducerReferenceTime id=\"0\"")
                    .count();
                wrong_if(sets != times, &format!("{times} in {sets}"))
            })
        },
    ),
    rule(
        "LL",
        "availabilityTimeOffset is less than a segment, and not complete",
        |reading| {
            live(reading, |reading| {
                let mut wrong = Vec::new();
                for template in reading.manifest.split("<SegmentTemplate").skip(1) {
                    let value = |name| values(template, name).first().map(|v| (*v).to_owned());
                    let number = |name| value(name).and_then(|v| v.parse::<f64>().ok());
                    let Some(early) = number("availabilityTimeOffset") else {
                        continue;
                    };
                    let length =
                        number("duration").unwrap_or(0.0) / number("timescale").unwrap_or(1.0);
                    let complete = value("availabilityTimeComplete");
                    if early <= 0.0 || early >= length || complete.as_deref() != Some("false") {
                        wrong.push(template.to_owned());
                    }
                }
                wrong
            })
        },
    ),
    rule(
        "DASH 7.2.1",
        "Segments start within half a duration of where their number says",
        |reading| live(reading, numbers_fit),
    ),
];

const fn rule(
    source: &'static str,
    says: &'static str,
    check: fn(&Reading) -> Option<Vec<String>>,
) -> Rule {
    Rule {
        source,
        says,
        check,
    }
}

/// Unless it is a recording.
fn live(reading: &Reading, check: impl Fn(&Reading) -> Vec<String>) -> Option<Vec<String>> {
    (reading.state != State::Recording).then(|| check(reading))
}

fn first<'a>(reading: &'a Reading, attribute: &str) -> Option<&'a str> {
    values(&reading.manifest, attribute).first().copied()
}

fn wrong_if(wrong: bool, what: &str) -> Vec<String> {
    wrong.then(|| what.to_owned()).into_iter().collect()
}

/// Of an `xs:duration` of seconds alone.
fn seconds(duration: &str) -> f64 {
    let number = duration
        .strip_prefix("PT")
        .and_then(|d| d.strip_suffix('S'));
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or(f64::NAN)
}

/// The dates of the playlist of the source against Period, number and duration. Numbers are media
/// sequence numbers.
fn numbers_fit(reading: &Reading) -> Vec<String> {
    let Some(source) = reading.lists.iter().find(|list| list.rendition == "source") else {
        return vec!["no source".to_owned()];
    };
    let mut periods = Vec::new();
    for period in reading.manifest.split("<Period ").skip(1) {
        let start = seconds(&format!(
            "PT{}",
            period
                .split("start=\"PT")
                .nth(1)
                .unwrap_or("")
                .split('"')
                .next()
                .unwrap_or("")
        ));
        let value = |name| {
            values(period, name)
                .first()
                .and_then(|v| v.parse::<f64>().ok())
        };
        if let (Some(number), Some(length), Some(scale)) =
            (value("startNumber"), value("duration"), value("timescale"))
        {
            periods.push((start, number, length / scale));
        }
    }
    let mut wrong = Vec::new();
    let mut at = 0.0;
    for (segment, _) in &source.segments {
        at = segment
            .program_date_time_ms
            .map_or(at, |ms| ms as f64 / 1000.0);
        let period = periods
            .iter()
            .rfind(|(_, number, _)| *number <= segment.msn as f64);
        if let (Some((start, number, length)), false) = (period, segment.gap) {
            let said = start + (segment.msn as f64 - number) * length;
            if (at - said).abs() > length / 2.0 {
                wrong.push(format!("segment {}: {at} is not {said}", segment.msn));
            }
        }
        at += segment.duration;
    }
    wrong
}
