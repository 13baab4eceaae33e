//! The JSON of `POST /api/v1/events`, and the fate of each event in it. A bad event is refused
//! alone; its neighbours are kept.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;
use weir_model::{VideoId, WallTime};

use crate::{
    dimension::{Attributes, Dimension, InvalidLabel, Label},
    schema::{EventType, InvalidValue},
    ticketed::NotVouchedFor,
};

/// Most events in one batch.
pub const MAX_EVENTS: usize = 500;

/// Most videos that the events of one batch can be about.
pub const MAX_VIDEOS: usize = 16;

/// Most renditions that the events of one batch can name.
pub const MAX_RENDITIONS: usize = 32;

/// Longest session ticket that is looked at, in bytes.
pub const MAX_TICKET: usize = 1024;

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
    /// Which rendition was playing.
    pub rendition: Label,
}

/// The events of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Whose.
    pub session: Session,
    /// The session ticket that came with them, not verified.
    pub ticket: Option<Box<str>>,
    /// What holds for all of them.
    pub attributes: Attributes,
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
    /// The ticket is longer than any.
    #[error("a session ticket has at most {MAX_TICKET} characters")]
    LongTicket,
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
    /// Its rendition has no rendition's name.
    #[error(transparent)]
    Rendition(#[from] InvalidLabel),
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
    /// The batch names [`MAX_RENDITIONS`] renditions already.
    #[error("a batch names at most {MAX_RENDITIONS} renditions; send the others in another")]
    TooManyRenditions,
    /// No session ticket stands for it.
    #[error(transparent)]
    Ticket(#[from] NotVouchedFor),
}

impl Batch {
    /// Parses a body that was received at `received`.
    pub fn parse(body: &[u8], received: WallTime) -> Result<Self, InvalidBatch> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            session: std::borrow::Cow<'a, str>,
            #[serde(default)]
            ticket: Option<Box<str>>,
            #[serde(default)]
            device: Option<String>,
            #[serde(default)]
            browser: Option<String>,
            #[serde(default)]
            os: Option<String>,
            events: Vec<serde_json::Value>,
        }
        let Envelope {
            session,
            ticket,
            device,
            browser,
            os,
            events,
        } = serde_json::from_slice(body)?;
        let session = session.parse()?;
        let ticket = ticket.filter(|ticket| !ticket.is_empty());
        if ticket
            .as_ref()
            .is_some_and(|ticket| ticket.len() > MAX_TICKET)
        {
            return Err(InvalidBatch::LongTicket);
        }
        let mut attributes = Attributes::default();
        for (dimension, word) in [
            (Dimension::Device, device),
            (Dimension::Browser, browser),
            (Dimension::Os, os),
        ] {
            // These take any word: one that is not listed is counted as another.
            if let Some(Ok(label)) = word.map(|word| dimension.label(&word)) {
                attributes.set(dimension, label);
            }
        }
        if events.len() > MAX_EVENTS {
            return Err(InvalidBatch::TooManyEvents(events.len()));
        }
        let mut mentioned = Mentioned::default();
        let events = events
            .into_iter()
            .map(|json| {
                let seq = json
                    .get("seq")
                    .and_then(|seq| seq.as_u64())
                    .and_then(|seq| seq.try_into().ok());
                check(json, received, &mut mentioned).map_err(|reason| Refusal { seq, reason })
            })
            .collect();
        Ok(Self {
            session,
            ticket,
            attributes,
            events,
        })
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
        self.refuse(|event| (event.video == unknown).then_some(Reason::NoSuchVideo(event.video)));
    }

    /// Refuses the accepted events that `reason` finds one against.
    pub fn refuse(&mut self, mut reason: impl FnMut(&Event) -> Option<Reason>) {
        for event in &mut self.events {
            if let Ok(accepted) = event
                && let Some(reason) = reason(accepted)
            {
                let seq = Some(accepted.seq);
                *event = Err(Refusal { seq, reason });
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
            ticket: None,
        }
    }
}

/// What the events of a batch have named so far.
#[derive(Default)]
struct Mentioned {
    videos: BTreeSet<VideoId>,
    renditions: BTreeSet<Label>,
}

fn check(
    json: serde_json::Value,
    received: WallTime,
    mentioned: &mut Mentioned,
) -> Result<Event, Reason> {
    let PostedEvent {
        seq,
        video,
        event,
        time,
        value,
        rendition,
    } = serde_json::from_value(json).map_err(|error| Reason::Malformed(error.to_string()))?;
    let value = event.check_value(value)?;
    let rendition = rendition.map(|word| Dimension::Rendition.label(&word));
    let rendition = rendition.transpose()?.unwrap_or_default();
    if received.since(time) > MAX_LATE {
        return Err(Reason::TooLate(received.since(time).as_secs()));
    }
    if time.since(received) > MAX_AHEAD {
        return Err(Reason::TooEarly(time.since(received).as_secs()));
    }
    let Mentioned { videos, renditions } = mentioned;
    if !videos.contains(&video) {
        if videos.len() == MAX_VIDEOS {
            return Err(Reason::TooManyVideos(video));
        }
        videos.insert(video);
    }
    if !rendition.is_unknown() && !renditions.contains(&rendition) {
        if renditions.len() == MAX_RENDITIONS {
            return Err(Reason::TooManyRenditions);
        }
        renditions.insert(rendition);
    }
    Ok(Event {
        seq,
        video,
        event,
        time,
        value,
        rendition,
    })
}

/// Body of `POST /api/v1/events`, as the API's description shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PostedBatch {
    /// 16 to 64 characters of `A-Z a-z 0-9 _ -`, drawn at random by the player.
    #[schema(pattern = "^[A-Za-z0-9_-]{16,64}$")]
    pub session: String,
    /// The session ticket, if there is one: `POST /api/v1/videos/{id}/sessions` gives it. It stands
    /// for the events of its video and its session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub ticket: Option<String>,
    /// What kind of device plays: desktop, phone, tablet or tv; another word counts as other.
    /// Left out, the `User-Agent` tells, as for the next two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Which browser: chrome, edge, firefox, opera, safari or samsung.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    /// Which operating system: android, chromeos, ios, linux, macos, tizen, tvos, webos or
    /// windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
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
    /// Which rendition was playing, by its name in the manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendition: Option<String>,
}

/// Answer to `POST /api/v1/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Answers {
    /// The fate of each event, in the order sent.
    pub results: Vec<EventAnswer>,
    /// Why the session ticket is not good. With a new one, the events that were refused for it can be
    /// sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
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
#[path = "batch_tests.rs"]
mod tests;
