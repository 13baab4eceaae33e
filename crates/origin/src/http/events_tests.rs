use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::{Value, json};
use tokio::sync::watch;
use weir_model::{
    SessionId,
    key::Secret,
    ticket::{Ticket, TicketKey},
};

use super::*;
use crate::{
    events::{
        testing::{Fault, Fixture, VIDEO, eventually},
        tickets,
    },
    http::{
        stats,
        test_client::{Answer, get, post},
    },
};

const JSON: &str = "application/json";

async fn start() -> (Router, Fixture) {
    let fixture = Fixture::new().await;
    let statistics = fixture.statistics().await;
    (
        router(statistics.clone(), open()).merge(stats::router(statistics)),
        fixture,
    )
}

/// Without keys, events need no tickets.
fn open() -> Tickets {
    Tickets::new(tickets::Options::default(), None)
}

fn batch(events: &[Value]) -> String {
    json!({"session": "0123456789abcdef", "events": events}).to_string()
}

async fn send(router: &Router, media_type: &str, body: &str) -> Answer {
    post(router, "/api/v1/events", media_type, body).await
}

#[tokio::test]
async fn events_are_answered_one_by_one_and_counted() {
    let (router, fixture) = start().await;
    let now = fixture.clock.now().0;
    let body = batch(&[
        json!({"seq": 0, "video": VIDEO, "type": "view", "time": now}),
        json!({"seq": 1, "video": VIDEO, "type": "watch", "time": now, "value": 2500}),
        json!({"seq": 2, "video": "obbbbbbbbbbb", "type": "view", "time": now}),
        json!({"seq": 3, "video": VIDEO, "type": "view", "time": now, "value": 1}),
    ]);
    // A beacon that is sent again changes nothing.
    for media_type in [JSON, "text/plain;charset=UTF-8"] {
        let answer = send(&router, media_type, &body).await;
        assert_eq!(answer.status, 200);
        let expected = json!([
            {"seq": 0, "status": "accepted"},
            {"seq": 1, "status": "accepted"},
            {"seq": 2, "status": "refused", "reason": "there is no video obbbbbbbbbbb"},
            {"seq": 3, "status": "refused", "reason": "view takes no value"},
        ]);
        assert_eq!(answer.json["results"], expected);
    }
    let total = async |query: &str| {
        let answer = get(&router, &format!("/api/v1/stats?video={VIDEO}&{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        (answer.json["stale"] == false).then(|| answer.json["total"].clone())
    };
    eventually(async || total("event=view").await == Some(json!(1))).await;
    eventually(async || total("event=watch&function=sum").await == Some(json!(2.5))).await;
    let answer = get(
        &router,
        &format!("/api/v1/stats?video={VIDEO}&event=watch&function=sum"),
    )
    .await;
    assert_eq!(answer.headers["cache-control"], "public, max-age=1");
    assert_eq!(answer.json["unit"], "s");
    assert_eq!(answer.json["tier"], "day");
}

#[tokio::test]
async fn bad_batches_are_told_why() {
    let (router, _fixture) = start().await;
    let check = async |media_type, body: &str, expected: (u16, &str, &str)| {
        let answer = send(&router, media_type, body).await;
        let (code, detail) = answer.problem();
        assert_eq!((answer.status.as_u16(), code), (expected.0, expected.1));
        assert!(detail.contains(expected.2), "{detail}");
    };
    check(JSON, "[1]", (400, "invalid_body", "the batch is not")).await;
    check(
        JSON,
        r#"{"session": "?", "events": []}"#,
        (400, "invalid_body", "16 to 64"),
    )
    .await;
    let many = vec![json!(0); 501];
    check(JSON, &batch(&many), (400, "invalid_body", "at most 500")).await;
    check(JSON, &" ".repeat(65_537), (413, "too_large", "65536")).await;
    check(
        "image/png",
        "{}",
        (
            415,
            "unsupported_media_type",
            "application/json or text/plain",
        ),
    )
    .await;
}

#[tokio::test]
async fn bad_questions_are_told_why() {
    let (router, _fixture) = start().await;
    let check = async |query: &str, expected: (u16, &str, &str)| {
        let answer = get(&router, &format!("/api/v1/stats{query}")).await;
        let (code, detail) = answer.problem();
        assert_eq!(
            (answer.status.as_u16(), code),
            (expected.0, expected.1),
            "{detail}"
        );
        assert!(detail.contains(expected.2), "{detail}");
    };
    let invalid = |detail| (400, "invalid_query", detail);
    check("", invalid("missing field `event`")).await;
    check("?event=view", invalid("name a video")).await;
    check("?video=x&event=view", invalid("a video id is")).await;
    check(
        &format!("?video={VIDEO}&event=glance"),
        invalid("unknown variant `glance`"),
    )
    .await;
    check(
        &format!("?video={VIDEO}&event=view&function=sum"),
        invalid("function=count"),
    )
    .await;
    check(
        &format!("?video={VIDEO}&event=view&step=0"),
        invalid("at least 1"),
    )
    .await;
    check(
        &format!("?video={VIDEO}&event=view&start=-1"),
        invalid("invalid digit"),
    )
    .await;
    check(
        &format!("?video={VIDEO}&event=view&stop=9"),
        invalid("unknown field `stop`"),
    )
    .await;
    check(
        "?video=obbbbbbbbbbb&event=view",
        (404, "video_not_found", "obbbbbbbbbbb"),
    )
    .await;
}

#[tokio::test]
async fn a_log_that_fails_is_told_and_a_later_try_counts_once() {
    let fixture = Fixture::new().await;
    let statistics = fixture.statistics().await;
    let metrics = statistics.metrics().clone();
    let router = router(statistics.clone(), open()).merge(stats::router(statistics));
    let now = fixture.clock.now().0;
    let body = batch(&[json!({"seq": 0, "video": VIDEO, "type": "view", "time": now})]);
    for fault in Fault::ALL {
        fixture.faults.next_append(fault);
        let answer = send(&router, JSON, &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem().0),
            (503, "unavailable")
        );
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert_eq!(send(&router, JSON, &body).await.status, 200);
    let path = format!("/api/v1/stats?video={VIDEO}&event=view");
    eventually(async || get(&router, &path).await.json["total"] == 1).await;

    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert!(text.contains("weir_events_accepted_total 1\n"), "{text}");
    assert!(
        text.contains("weir_events_batches_unanswered_total 2\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_script_counts_for_nothing_and_a_player_once() {
    let fixture = Fixture::new().await;
    let statistics = fixture.statistics().await;
    let key = TicketKey::new(Secret(vec![1; 32])).unwrap();
    let options = tickets::Options {
        keys: Some(watch::channel([key.clone()].into_iter().collect()).1),
        optional: false,
    };
    let operator: Router = operator_router(statistics.clone());
    let router =
        router(statistics.clone(), Tickets::new(options, None)).merge(stats::router(statistics));
    let session = SessionId::from_random(7);
    let ticket = Ticket {
        session,
        video: VIDEO.parse().unwrap(),
        country: None,
        device: None,
        pop: "local".to_owned(),
        issued: edges_time(),
    };
    let ticket = ticket.sign(&key).unwrap();
    let now = fixture.clock.now().0;
    let views = |session: &str, ticket: Option<&str>, seqs: std::ops::Range<u32>| {
        let events: Vec<_> = seqs
            .map(|seq| json!({"seq": seq, "video": VIDEO, "type": "view", "time": now}))
            .collect();
        json!({"session": session, "ticket": ticket, "events": events}).to_string()
    };

    let answer = send(&router, JSON, &views("0123456789abcdef", None, 1..2)).await;
    assert_eq!(answer.json["results"][0]["status"], "refused");
    assert_eq!(answer.json["ticket"], Value::Null);
    let forged = views(session.as_str(), Some("x.y.z"), 1..2);
    let answer = send(&router, JSON, &forged).await;
    assert_eq!(
        answer.json["results"][0]["reason"],
        "the session ticket is not good"
    );
    assert_eq!(answer.json["ticket"], "this is no session ticket");

    let mut slowed = 0;
    for n in 0..20 {
        let body = views(session.as_str(), Some(&ticket), n * 100..(n + 1) * 100);
        let answer = send(&router, JSON, &body).await;
        match answer.status.as_u16() {
            200 => assert_eq!(answer.json["results"][99]["status"], "accepted"),
            429 => {
                assert_eq!(answer.problem().0, "rate_limited");
                assert!(answer.headers.contains_key("retry-after"));
                slowed += 1;
            }
            status => panic!("{status}"),
        }
    }
    assert!(slowed > 0);
    // The operator's own servers are believed.
    let answer = send(&operator, JSON, &views("server-to-server", None, 1..2)).await;
    assert_eq!(answer.json["results"][0]["status"], "accepted");
    let path = format!("/api/v1/stats?video={VIDEO}&event=view");
    eventually(async || get(&router, &path).await.json["total"] == 2).await;
}
