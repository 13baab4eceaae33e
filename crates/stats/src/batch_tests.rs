use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: WallTime = WallTime(1_795_000_000_000);

fn parse(events: serde_json::Value) -> Batch {
    let body = json!({"session": "0123456789abcdef", "events": events});
    Batch::parse(body.to_string().as_bytes(), NOW).unwrap()
}

fn reasons(batch: &Batch) -> Vec<Option<String>> {
    batch
        .answers()
        .results
        .into_iter()
        .map(|answer| answer.reason)
        .collect()
}

#[test]
fn bad_events_are_refused_one_by_one() {
    let mut batch = parse(json!([
        {"seq": 1, "video": "oabcdefghijk", "type": "view", "time": NOW.0},
        {"seq": 2, "video": "oabcdefghijk", "type": "watch", "time": NOW.0},
        {"seq": 3, "video": "nonsense", "type": "view", "time": NOW.0},
        {"seq": 4, "video": "oabcdefghijk", "type": "glance", "time": NOW.0},
        {"seq": -5, "video": "oabcdefghijk", "type": "view", "time": NOW.0},
        "what",
        {"seq": 7, "video": "obbbbbbbbbbb", "type": "share", "time": NOW.0},
        {"seq": 8, "video": "oabcdefghijk", "type": "stall", "time": NOW.0, "value": 250},
    ]));
    batch.refuse_video("obbbbbbbbbbb".parse().unwrap());
    let answers = batch.answers().results;
    let seqs: Vec<_> = answers.iter().map(|answer| answer.seq).collect();
    assert_eq!(
        seqs,
        [
            Some(1),
            Some(2),
            Some(3),
            Some(4),
            None,
            None,
            Some(7),
            Some(8)
        ],
        "every event has its answer, in order"
    );
    let accepted: Vec<_> = answers
        .iter()
        .map(|answer| answer.status == Status::Accepted)
        .collect();
    assert_eq!(
        accepted,
        [true, false, false, false, false, false, false, true]
    );
    assert_eq!(batch.accepted().count(), 2);
    assert_eq!(
        answers[1].reason.as_deref(),
        Some("watch needs a value from 1 to 3600000")
    );
    assert_eq!(
        answers[6].reason.as_deref(),
        Some("there is no video obbbbbbbbbbb")
    );
}

#[test]
fn the_window_of_time_is_exact() {
    let late = NOW.0 - 48 * 3_600_000;
    let ahead = NOW.0 + 300_000;
    let event = |time| json!({"seq": 1, "video": "oabcdefghijk", "type": "view", "time": time});
    let batch = parse(json!([
        event(late),
        event(late - 1),
        event(ahead),
        event(ahead + 1)
    ]));
    assert_eq!(
        reasons(&batch),
        [
            None,
            Some("quarantined: the event is 172800 s old, which is more than 48 h".into()),
            None,
            Some("quarantined: the event lies 300 s in the future; is the clock right?".into()),
        ]
    );
}

#[test]
fn a_batch_is_bounded() {
    let check = |body: &str, expected: &str| {
        let refused = Batch::parse(body.as_bytes(), NOW).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    };
    check("", "the batch is not");
    check("[]", "the batch is not");
    check(
        r#"{"session": "short", "events": []}"#,
        "a session is 16 to 64",
    );
    check(
        r#"{"session": "0123456789abcde!", "events": []}"#,
        "a session is 16 to 64",
    );
    let many = vec!["0"; MAX_EVENTS + 1].join(",");
    check(
        &format!(r#"{{"session": "0123456789abcdef", "events": [{many}]}}"#),
        "501 events in one batch; send at most 500 at a time",
    );
}

#[test]
fn attributes_are_those_of_the_batch_and_of_the_event() {
    let event = |seq: u32, rendition: serde_json::Value| {
        json!({"seq": seq, "video": "oabcdefghijk", "type": "view", "time": NOW.0,
            "rendition": rendition})
    };
    let many = (0..40).map(|n| event(n, format!("rung-{n}").into()));
    let events: Vec<_> = [event(100, json!("Full HD")), event(101, json!(null))]
        .into_iter()
        .chain(many)
        .collect();
    let body = json!({
        "session": "0123456789abcdef", "device": "tv", "os": "plan9", "events": events,
    });
    let batch = Batch::parse(body.to_string().as_bytes(), NOW).unwrap();
    let known: Vec<_> = batch.attributes.known().collect();
    let known = known
        .iter()
        .map(|(dimension, label)| (*dimension, label.as_str()));
    assert_eq!(
        known.collect::<Vec<_>>(),
        [(Dimension::Device, "tv"), (Dimension::Os, "other")]
    );
    let reasons = reasons(&batch);
    let reason = |n: usize| reasons[n].as_deref().map(|reason| &reason[..16]);
    assert_eq!(reason(0), Some("rendition takes "));
    assert_eq!(reason(1), None);
    assert_eq!(reason(2 + MAX_RENDITIONS - 1), None);
    assert_eq!(reason(2 + MAX_RENDITIONS), Some("a batch names at"));
}

#[test]
fn a_batch_is_about_few_videos() {
    let videos = (0..20).map(|i| VideoId::from_random(i, weir_model::Access::Open));
    let events: Vec<_> = videos
        .map(|video| json!({"seq": 1, "video": video, "type": "view", "time": NOW.0}))
        .collect();
    let batch = parse(json!(events));
    assert_eq!(batch.videos().len(), MAX_VIDEOS);
    assert_eq!(batch.accepted().count(), MAX_VIDEOS);
    assert!(
        reasons(&batch)[16]
            .as_ref()
            .is_some_and(|reason| reason.contains("16 videos"))
    );
}

proptest! {
    #[test]
    fn any_body_is_taken_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Batch::parse(&body, NOW);
    }

    #[test]
    fn what_a_player_posts_is_read_back(
        seq: u32, video: u64, value in 1..=3_600_000_i64, late in 0..=172_800_000_u64,
    ) {
        let posted = PostedBatch {
            session: "s".repeat(64),
            ticket: None,
            device: None,
            browser: None,
            os: None,
            events: vec![PostedEvent {
                seq,
                video: VideoId::from_random(video, weir_model::Access::Protected),
                event: EventType::Watch,
                time: WallTime(NOW.0 - late),
                value: Some(value),
                rendition: Some("720p".into()),
            }],
        };
        let batch = Batch::parse(&serde_json::to_vec(&posted).unwrap(), NOW).unwrap();
        let event = batch.events[0].as_ref().unwrap();
        prop_assert_eq!(event.seq, seq);
        prop_assert_eq!(event.time.0, NOW.0 - late);
        prop_assert_eq!(event.value.map(i64::from), Some(value));
        prop_assert_eq!(event.rendition.as_str(), "720p");
    }
}
