//! Events posted through the PoP while the server is killed: what was acknowledged is counted,
//! once, and comments stay. Scripts that no edge signed a ticket for count for nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use weir_model::{
    VideoId,
    api::{BegunSession, CommentPage},
};
use weir_tests::{Http, Weir, eventually, wait::PATIENCE};

const PLAYERS: usize = 6;
const BATCHES: usize = 40;

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is after 1970").as_millis() as u64
}

/// A player's session, under a ticket of the edge.
async fn begin(http: &Http, video: VideoId) -> BegunSession {
    let path = format!("/api/v1/videos/{video}/sessions");
    let answer = http.post_json(&path, &json!({})).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    answer.json()
}

/// The `n`th batch of a player: every batch tells of the view, one share, and a second watched.
fn batch(player: &BegunSession, n: usize, video: VideoId, begun: u64) -> Value {
    let time = begun + n as u64 * 1000;
    let event = |seq: usize, kind: &str, value: Option<u64>| {
        let mut event = json!({"seq": seq, "video": video, "type": kind, "time": time});
        if let Some(value) = value {
            event["value"] = value.into();
        }
        event
    };
    let seq = n * 3;
    json!({
        "session": player.session,
        "ticket": player.ticket,
        "events": [
            event(seq, "view", None),
            event(seq + 1, "share", None),
            event(seq + 2, "watch", Some(1000)),
        ],
    })
}

/// Posts until every event of the batch is answered for, as a player does.
async fn post_until_answered(http: &Http, batch: &Value) {
    let headers = [("content-type", "application/json")];
    loop {
        let body = batch.to_string().into();
        let answer = http
            .try_send(Method::POST, "/api/v1/events", &headers, body)
            .await;
        if let Ok(answer) = answer
            && answer.status == StatusCode::OK
        {
            let answer: Value = answer.json();
            let results = answer["results"].as_array().expect("an answer has results");
            assert!(
                results.iter().all(|result| result["status"] == "accepted"),
                "{answer}"
            );
            return;
        }
        // The server is down for the moment.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn total(http: &Http, video: VideoId, query: &str) -> Option<f64> {
    let answer = http
        .get(&format!("/api/v1/stats?video={video}&{query}"))
        .await;
    let answer: Value = answer.expect_ok().json();
    (answer["stale"] == false)
        .then(|| answer["total"].as_f64())
        .flatten()
}

#[tokio::test]
async fn events_count_once_across_kills() {
    let mut weir = Weir::start().await;
    let video = weir.create_video("counted").await.video.id;
    let begun = now_ms() - BATCHES as u64 * 1000;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut sessions = Vec::new();
    for _ in 0..PLAYERS {
        sessions.push(begin(weir.viewer(), video).await);
    }
    let players: Vec<_> = sessions
        .into_iter()
        .map(|player| {
            let http = Http::new(weir.viewer().base());
            let answered = answered.clone();
            tokio::spawn(async move {
                for n in 0..BATCHES {
                    let batch = batch(&player, n, video, begun);
                    post_until_answered(&http, &batch).await;
                    answered.fetch_add(1, Ordering::Relaxed);
                    if n % 7 == 3 {
                        // As if the answer had been lost.
                        post_until_answered(&http, &batch).await;
                    }
                }
            })
        })
        .collect();
    for kill in 1..=3 {
        let due = kill * PLAYERS * BATCHES / 4;
        let what = format!("{due} batches answered");
        eventually(&what, PATIENCE, async || {
            (answered.load(Ordering::Relaxed) >= due).then_some(())
        })
        .await;
        weir.kill();
        weir.restart().await;
    }
    for player in players {
        let done = tokio::time::timeout(PATIENCE, player).await;
        done.expect("players are answered")
            .expect("no player fails");
    }

    let batches = (PLAYERS * BATCHES) as f64;
    let expected = [
        ("event=view", PLAYERS as f64),
        ("event=share", batches),
        ("event=watch&function=count", batches),
        ("event=watch&function=sum", batches),
    ];
    let check = async |weir: &Weir| {
        for (query, expected) in expected {
            eventually(&format!("{query} is {expected}"), PATIENCE, async || {
                (total(weir.viewer(), video, query).await == Some(expected)).then_some(())
            })
            .await;
        }
    };
    check(&weir).await;

    // By the minute they add up to the same.
    let path = format!(
        "/api/v1/stats?video={video}&event=share&start={begun}&end={}&step=60",
        now_ms() + 60_000
    );
    let series: Value = weir.viewer().get(&path).await.expect_ok().json();
    assert_eq!(series["tier"], "minute");
    let points = series["points"].as_array().expect("a series has points");
    let sum: f64 = points
        .iter()
        .filter_map(|point| point["value"].as_f64())
        .sum();
    assert_eq!(sum, batches);

    // And they are the same after a restart with notice.
    weir.stop();
    weir.restart().await;
    check(&weir).await;
}

/// 1,000 views of a script, in batches of 100 with numbers of their own.
fn views(session: &str, ticket: Option<&str>, video: VideoId, time: u64) -> Vec<Value> {
    let view = |seq| json!({"seq": seq, "video": video, "type": "view", "time": time});
    (0..10)
        .map(|n| {
            let events: Vec<_> = (n * 100..(n + 1) * 100).map(view).collect();
            json!({"session": session, "ticket": ticket, "events": events})
        })
        .collect()
}

#[tokio::test]
async fn a_script_inflates_nothing() {
    let weir = Weir::start().await;
    let http = weir.viewer();
    let video = weir.create_video("watched once").await.video.id;
    let post = async |batch: &Value| -> Value {
        let answer = http.post_json("/api/v1/events", batch).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()
    };
    let refused = |answer: &Value, reason: &str| {
        let results = answer["results"].as_array().expect("an answer has results");
        let told = |result: &Value| {
            result["reason"]
                .as_str()
                .is_some_and(|told| told.contains(reason))
        };
        assert!(results.iter().all(told), "{answer}");
    };
    // Without a ticket, nothing counts, under however many names.
    for (n, batch) in views("a-script-without-a-ticket", None, video, now_ms())
        .iter_mut()
        .enumerate()
    {
        batch["session"] = format!("a-script-without-a-ticket-{n}").into();
        refused(&post(batch).await, "no session ticket came with it");
    }
    // With one ticket for a thousand views, one does.
    let player = begin(http, video).await;
    let replays = views(&player.session, Some(&player.ticket), video, now_ms());
    for batch in &replays {
        let answer = post(batch).await;
        assert_eq!(answer["results"][0]["status"], "accepted", "{answer}");
    }
    // The ticket under other names, for another video, or for time that has not passed.
    let mut stolen = replays[0].clone();
    stolen["session"] = begin(http, video).await.session.into();
    refused(&post(&stolen).await, "another session");
    let other = weir.create_video("another").await.video.id;
    let mut elsewhere = replays[0].clone();
    for event in elsewhere["events"]
        .as_array_mut()
        .expect("a batch has events")
    {
        event["video"] = other.to_string().into();
    }
    refused(&post(&elsewhere).await, "the ticket is for");
    let mut watch = replays[0].clone();
    watch["events"] = json!([
        {"seq": 5000, "video": video, "type": "watch", "time": now_ms(), "value": 3_600_000},
    ]);
    refused(&post(&watch).await, "have passed");
    let mut forged = replays[0].clone();
    forged["ticket"] = format!("{}x", player.ticket).into();
    let answer = post(&forged).await;
    refused(&answer, "not good");
    assert!(answer["ticket"].is_string(), "{answer}");

    // What the operator's own servers tell is believed, and comes last.
    let server = json!({
        "session": "server-to-server", "events": [
            {"seq": 1, "video": video, "type": "view", "time": now_ms()},
        ],
    });
    let answer = weir.operator().post_json("/api/v1/events", &server).await;
    assert_eq!(
        answer.expect_ok().json::<Value>()["results"][0]["status"],
        "accepted"
    );
    for (video, expected) in [(video, 2.0), (other, 0.0)] {
        let what = format!("{expected} views of {video}");
        eventually(&what, PATIENCE, async || {
            let total = total(http, video, "event=view").await;
            (total == Some(expected)).then_some(())
        })
        .await;
    }
    assert_eq!(
        total(http, video, "event=watch&function=sum")
            .await
            .unwrap_or(0.0),
        0.0
    );
}

#[tokio::test]
async fn comments_survive_a_kill() {
    let mut weir = Weir::start().await;
    let video = weir.create_video("discussed").await.video.id;
    let path = format!("/api/v1/videos/{video}/comments");
    for n in 1..=3 {
        let comment = json!({"author": "Ada", "text": format!("number {n}")});
        let answer = weir.viewer().post_json(&path, &comment).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    }
    weir.kill();
    weir.restart().await;
    let page: CommentPage = weir
        .viewer()
        .get(&format!("{path}?after=1"))
        .await
        .expect_ok()
        .json();
    let texts: Vec<_> = page
        .comments
        .iter()
        .map(|comment| comment.text.as_str())
        .collect();
    assert_eq!((page.total, texts), (3, vec!["number 2", "number 3"]));

    let unknown = weir
        .viewer()
        .get("/api/v1/videos/oaaaaaaaaaaa/comments")
        .await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.problem().code.as_str()),
        (404, "video_not_found")
    );
}
