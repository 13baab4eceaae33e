//! The JSON of `POST /api/v1/events`, and the fate of each event in it. A bad event is refused
//! alone; its neighbours are kept.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;
use weir_model::{VideoId, WallTime};

use crate::schema::{EventType, InvalidValue};

/// Most events in one batch.
pub const MAX_EVENTS: usize = 500;

/// Most videos that the events of one batch can be about.
pub const MAX_VIDEOS: usize = 16;

/// How long after it happened an event is taken.
pub const MAX_LATE: Duration = Duration::from_secs(48 * 3600);

/// How far ahead of ours a player's clock may run.
pub const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);

/// Who reports: a random word that the player drew, 16 to 64 characters of `A-Z a-z 0-9 _ -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session(Box<str>);

/// A word that can't name a session.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a session is 16 to 64 characters of A-Z, a-z, 0-9, '_' and '-'")]
pub struct InvalidSession;

impl Session {
    /// The written form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Session {
    type Err = InvalidSession;

    fn from_str(s: &str) -> Result<Self, InvalidSession> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let fits = (16..=64).contains(&s.len()) && s.bytes().all(allowed);
        if fits {
            Ok(Self(s.into()))
        } else {
            Err(InvalidSession)
        }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One fact about a view, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Number within its session and video. An event that is sent again keeps its number and
    /// counts once.
    pub seq: u32,
    /// What was viewed.
    pub video: VideoId,
    /// What happened.
    pub event: EventType,
    /// When, by the player's clock.
    pub time: WallTime,
    /// How much, in the unit of the type.
    pub value: Option<u32>,
}

/// The events of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Whose.
    pub session: Session,
    /// Each event or why it is refused, in the order sent.
    pub events: Vec<Result<Event, Refusal>>,
}

/// Why a whole batch is refused.
#[derive(Debug, Error)]
pub enum InvalidBatch {
    /// The body is not the JSON object expected.
    #[error("the batch is not {{\"session\": …, \"events\": […]}}: {0}")]
    Json(#[from] serde_json::Error),
    /// The session is malformed.
    #[error(transparent)]
    Session(#[from] InvalidSession),
    /// There are more than [`MAX_EVENTS`] events.
    #[error("{0} events in one batch; send at most {MAX_EVENTS} at a time")]
    TooManyEvents(usize),
}

/// An event that is not taken. Sending it again as it is would change nothing, except where the
/// reason says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its number, if that could be read.
    pub seq: Option<u32>,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with an event.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Reason {
    /// It is not an object with the fields of an event.
    #[error("not an event: {0}")]
    Malformed(String),
    /// Its value doesn't go with its type.
    #[error(transparent)]
    Value(#[from] InvalidValue),
    /// It happened more than [`MAX_LATE`] before it was received.
    #[error("quarantined: the event is {0} s old, which is more than 48 h")]
    TooLate(u64),
    /// It will happen more than [`MAX_AHEAD`] after it was received.
    #[error("quarantined: the event lies {0} s in the future; is the clock right?")]
    TooEarly(u64),
    /// No video has this id.
    #[error("there is no video {0}")]
    NoSuchVideo(VideoId),
    /// The batch is about more than [`MAX_VIDEOS`] videos already.
    #[error("a batch takes events of {MAX_VIDEOS} videos; send those of {0} in another")]
    TooManyVideos(VideoId),
}

impl Batch {
    /// Parses a body that was received at `received`.
    pub fn parse(body: &[u8], received: WallTime) -> Result<Self, InvalidBatch> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            session: std::borrow::Cow<'a, str>,
            events: Vec<serde_json::Value>,
        }
        let Envelope { session, events } = serde_json::from_slice(body)?;
        let session = session.parse()?;
        if events.len() > MAX_EVENTS {
            return Err(InvalidBatch::TooManyEvents(events.len()));
        }
        let mut videos = BTreeSet::new();
        let events = events
            .into_iter()
            .map(|json| {
                let seq = json
                    .get("seq")
                    .and_then(|seq| seq.as_u64())
                    .and_then(|seq| seq.try_into().ok());
                check(json, received, &mut videos).map_err(|reason| Refusal { seq, reason })
            })
            .collect();
        Ok(Self { session, events })
    }

    /// The events that are taken.
    pub fn accepted(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().flatten()
    }

    /// What the accepted events are about.
    pub fn videos(&self) -> BTreeSet<VideoId> {
        self.accepted().map(|event| event.video).collect()
    }

    /// Refuses the events of a video that does not exist.
    pub fn refuse_video(&mut self, unknown: VideoId) {
        for event in &mut self.events {
            if let Ok(Event { seq, video, .. }) = *event
                && video == unknown
            {
                let reason = Reason::NoSuchVideo(video);
                *event = Err(Refusal {
                    seq: Some(seq),
                    reason,
                });
            }
        }
    }

    /// The answer, true once the accepted events are durable.
    pub fn answers(&self) -> Answers {
        let results = self.events.iter().map(|event| match event {
            Ok(event) => EventAnswer {
                seq: Some(event.seq),
                status: Status::Accepted,
                reason: None,
            },
            Err(refusal) => EventAnswer {
                seq: refusal.seq,
                status: Status::Refused,
                reason: Some(refusal.reason.to_string()),
            },
        });
        Answers {
            results: results.collect(),
        }
    }
}

fn check(
    json: serde_json::Value,
    received: WallTime,
    videos: &mut BTreeSet<VideoId>,
) -> Result<Event, Reason> {
    let PostedEvent {
        seq,
        video,
        event,
        time,
        value,
    } = serde_json::from_value(json).map_err(|error| Reason::Malformed(error.to_string()))?;
    let value = event.check_value(value)?;
    if received.since(time) > MAX_LATE {
        return Err(Reason::TooLate(received.since(time).as_secs()));
    }
    if time.since(received) > MAX_AHEAD {
        return Err(Reason::TooEarly(time.since(received).as_secs()));
    }
    if !videos.contains(&video) {
        if videos.len() == MAX_VIDEOS {
            return Err(Reason::TooManyVideos(video));
        }
        videos.insert(video);
    }
    Ok(Event {
        seq,
        video,
        event,
        time,
        value,
    })
}

/// Body of `POST /api/v1/events`, as the API's description shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PostedBatch {
    /// 16 to 64 characters of `A-Z a-z 0-9 _ -`, drawn at random by the player.
    #[schema(pattern = "^[A-Za-z0-9_-]{16,64}$")]
    pub session: String,
    /// At most 500 events.
    #[schema(max_items = 500)]
    pub events: Vec<PostedEvent>,
}

/// One event of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PostedEvent {
    /// Number within the session and video. An event sent again keeps its number.
    pub seq: u32,
    /// What was viewed.
    pub video: VideoId,
    /// What happened.
    #[serde(rename = "type")]
    pub event: EventType,
    /// When, in Unix milliseconds: at most 48 h ago and 5 min ahead.
    pub time: WallTime,
    /// ms for watch, startup, stall and latency; kbit/s for bitrate; 0 takes a like or dislike
    /// back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
}

/// Answer to `POST /api/v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Answers {
    /// The fate of each event, in the order sent.
    pub results: Vec<EventAnswer>,
}

/// The fate of one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventAnswer {
    /// Its number; null if that could not be read.
    pub seq: Option<u32>,
    /// Whether it was taken.
    pub status: Status,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether an event was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is durable and counts once.
    Accepted,
    /// It does not count; there is no use in sending it again.
    Refused,
}

#[cfg(test)]
mod tests {
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
                events: vec![PostedEvent {
                    seq,
                    video: VideoId::from_random(video, weir_model::Access::Protected),
                    event: EventType::Watch,
                    time: WallTime(NOW.0 - late),
                    value: Some(value),
                }],
            };
            let batch = Batch::parse(&serde_json::to_vec(&posted).unwrap(), NOW).unwrap();
            let event = batch.events[0].as_ref().unwrap();
            prop_assert_eq!(event.seq, seq);
            prop_assert_eq!(event.time.0, NOW.0 - late);
            prop_assert_eq!(event.value.map(i64::from), Some(value));
        }
    }
}
