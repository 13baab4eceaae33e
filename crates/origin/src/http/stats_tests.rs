use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::{Request, header::CONTENT_TYPE},
};
use futures_util::StreamExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::time::timeout;
use weir_stats::{batch::Batch, dimension::Dimension};

use super::*;
use crate::{
    events::testing::{Fixture, VIDEO, eventually},
    http::test_client::{Answer, get},
};

struct Served {
    fixture: Fixture,
    statistics: Statistics,
    shutdown: CancellationToken,
    router: Router,
}

async fn start() -> Served {
    let fixture = Fixture::new().await;
    let statistics = fixture.statistics().await;
    let shutdown = CancellationToken::new();
    Served {
        router: operator_router(statistics.clone(), shutdown.clone()),
        fixture,
        statistics,
        shutdown,
    }
}

impl Served {
    /// Posts events as a player does: type, value and rendition of each.
    async fn report(&self, session: u32, country: &str, events: &[(&str, Value, &str)]) {
        let now = self.fixture.clock.now();
        let events: Vec<_> = (0..)
            .zip(events)
            .map(|(seq, (event, value, rendition)): (u32, _)| {
                json!({"seq": seq, "video": VIDEO, "type": event, "time": now, "value": value,
                    "rendition": rendition})
            })
            .collect();
        let session = format!("session-number-{session:04}");
        let body = json!({"session": session, "device": "tv", "events": events}).to_string();
        let mut batch = Batch::parse(body.as_bytes(), now).unwrap();
        let country = Dimension::Country.label(country).unwrap();
        batch.attributes.set(Dimension::Country, country);
        let answers = self.statistics.process_events(batch, now).await.unwrap();
        assert!(answers.results.iter().all(|answer| answer.reason.is_none()));
    }

    async fn get(&self, path: &str) -> Answer {
        get(&self.router, &format!("/api/v1/stats{path}")).await
    }

    /// Waits until what is answered holds.
    async fn eventually(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(async || {
            let answer = self.get(path).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            holds(&answer.json)
        })
        .await;
        self.get(path).await.json
    }
}

#[tokio::test]
async fn every_function_and_dimension_can_be_asked_for() {
    let served = start().await;
    let null = Value::Null;
    served
        .report(
            1,
            "DE",
            &[
                ("view", null.clone(), "720p"),
                ("stall", json!(10), "720p"),
                ("stall", json!(20), "360p"),
            ],
        )
        .await;
    served
        .report(
            2,
            "FR",
            &[("stall", json!(60), "360p"), ("view", null, "360p")],
        )
        .await;
    let stalls = format!("?video={VIDEO}&event=stall");
    served.eventually(&stalls, |json| json["total"] == 3).await;
    let check = async |query: &str, unit: &str, expected: Value| {
        let answer = served.get(&format!("{stalls}&{query}")).await.json;
        assert_eq!(
            (&answer["unit"], &answer["total"]),
            (&json!(unit), &expected)
        );
    };
    check("function=sum", "ms", json!(90)).await;
    check("function=avg", "ms", json!(30.0)).await;
    check("function=unique", "sessions", json!(2)).await;
    check("function=quantile", "ms", json!(20)).await;
    check("function=quantile&quantile=0.95", "ms", json!(60)).await;

    let grouped = async |query: &str| {
        let answer = served.get(&format!("{stalls}&{query}")).await.json;
        let groups = answer["groups"].as_array().unwrap().iter();
        let groups = groups.map(|group| (group["value"].clone(), group["total"].clone()));
        groups.collect::<Vec<_>>()
    };
    let by = grouped("group_by=rendition&function=sum").await;
    assert_eq!(by, [(json!("360p"), json!(80)), (json!("720p"), json!(10))]);
    let by = grouped("group_by=country&function=quantile").await;
    assert_eq!(by, [(json!("DE"), json!(10)), (json!("FR"), json!(60))]);
    let by = grouped("group_by=device").await;
    assert_eq!(by, [(json!("tv"), json!(3))]);
    let by = grouped("group_by=pop").await;
    assert_eq!(by, [(Value::Null, json!(3))], "nobody said");

    let quality = served
        .get(&format!("/quality?video={VIDEO}&group_by=country"))
        .await
        .json;
    assert_eq!(quality["total"]["views"], 2);
    assert_eq!(quality["total"]["stalled_viewers"], 2);
    assert_eq!(quality["groups"][0]["stalls"], 2);
    let top = served.get("/top?window=3600").await.json;
    assert_eq!(top["videos"][0]["video"], VIDEO);
    assert_eq!(top["videos"][0]["count"], 2);
    let viewers = served.get("/viewers").await.json;
    assert_eq!(viewers["watching"], 2);
    assert_eq!(served.get("/schema").await.json["version"], 2);
}

#[tokio::test]
async fn bad_questions_are_told_why() {
    let served = start().await;
    for (path, expected) in [
        ("/top?window=1", "from 60 to"),
        ("/top?limit=1000", "from 1 to 100"),
        ("/top?half_life=0", "at least 1"),
        ("/quality?event=view", "unknown field `event`"),
        ("/quality?group_by=colour", "unknown variant `colour`"),
        ("/viewers?video=x", "a video id is"),
        ("/live?event=share&function=unique", "are not counted"),
        ("?event=stall&function=quantile&quantile=2", "from 0 to 1"),
    ] {
        let answer = served.get(path).await;
        let (code, detail) = answer.problem();
        assert_eq!(
            (answer.status.as_u16(), code),
            (400, "invalid_query"),
            "{path}"
        );
        assert!(detail.contains(expected), "{detail}");
    }
    for path in ["/quality?", "/viewers?", "/live?event=view&"] {
        let answer = served.get(&format!("{path}video=obbbbbbbbbbb")).await;
        assert_eq!(answer.problem().0, "video_not_found");
    }
}

/// The next event of a stream: its name and data.
async fn next(stream: &mut BodyDataStream) -> Option<(String, Value)> {
    loop {
        let chunk = timeout(Duration::from_secs(60), stream.next()).await;
        let chunk = chunk.expect("something comes within a minute")?.unwrap();
        let text = std::str::from_utf8(&chunk).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        if let (Some(name), Some(data)) = (field("event: "), field("data: ")) {
            return Some((name.to_owned(), serde_json::from_str(data).unwrap()));
        }
    }
}

#[tokio::test]
async fn dashboards_are_told_what_changes_until_the_end() {
    let served = start().await;
    let path = format!("/api/v1/stats/live?video={VIDEO}&event=view");
    let request = Request::get(path).body(Body::empty()).unwrap();
    let service = TowerToHyperService::new(served.router.clone());
    let response = service.call(request).await.unwrap();
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let (name, first) = next(&mut stream).await.unwrap();
    assert_eq!((name.as_str(), &first["total"]), ("stats", &json!(0)));

    served
        .report(1, "DE", &[("view", Value::Null, "720p")])
        .await;
    loop {
        // A new minute is another answer, too.
        let (name, told) = next(&mut stream).await.unwrap();
        assert_eq!(name, "stats");
        if told["total"] == 1 {
            break;
        }
    }
    served.fixture.faults.fail_queries(true);
    while next(&mut stream).await.unwrap().1["stale"] != true {}
    served.shutdown.cancel();
    while next(&mut stream).await.is_some() {}
}
