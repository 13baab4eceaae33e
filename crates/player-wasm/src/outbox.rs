//! Events to report, kept until they are answered.
//!
//! An event is known by session and number, so sending it twice counts once. Numbers start at 1 and
//! go on where a kept outbox ended.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// What is reported, in the words of `POST /api/v1/events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The first frame was rendered.
    View,
    /// A viewer likes the video, or with the value 0 takes that back.
    Like,
    /// A viewer dislikes the video, or with the value 0 takes that back.
    Dislike,
    /// A viewer shared the address.
    Share,
    /// A viewer wrote a comment.
    Comment,
    /// ms watched since the last report.
    Watch,
    /// ms from the start to the first frame.
    Startup,
    /// ms of a stall that is over.
    Stall,
    /// Bitrate of the rendition playing, in kbit/s.
    Bitrate,
    /// ms behind the encoder.
    Latency,
    /// Playback failed.
    Error,
}

impl EventKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Like => "like",
            Self::Dislike => "dislike",
            Self::Share => "share",
            Self::Comment => "comment",
            Self::Watch => "watch",
            Self::Startup => "startup",
            Self::Stall => "stall",
            Self::Bitrate => "bitrate",
            Self::Latency => "latency",
            Self::Error => "error",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        const ALL: [EventKind; 11] = [
            EventKind::View,
            EventKind::Like,
            EventKind::Dislike,
            EventKind::Share,
            EventKind::Comment,
            EventKind::Watch,
            EventKind::Startup,
            EventKind::Stall,
            EventKind::Bitrate,
            EventKind::Latency,
            EventKind::Error,
        ];
        ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Event {
    seq: u64,
    kind: EventKind,
    time_ms: u64,
    value: Option<u64>,
}

/// The events of one session and video that wait for an answer.
#[derive(Clone, Debug)]
pub struct Outbox {
    session: String,
    video: String,
    next_seq: u64,
    events: Vec<Event>,
    first_since: Option<u64>,
}

impl Outbox {
    /// Most events in a batch: with ids and numbers at their longest it stays below 16 KiB.
    pub const BATCH: usize = 100;
    /// Most events kept while nobody answers; beyond it the oldest report of quality goes.
    pub const KEPT: usize = 1000;
    /// How long an event waits for company, in ms.
    pub const LINGER_MS: u64 = 5000;

    /// An outbox whose numbers go on from `next_seq`.
    pub fn new(session: &str, video: &str, next_seq: u64) -> Self {
        let next_seq = next_seq.max(1);
        let (session, video) = (session.to_owned(), video.to_owned());
        Self {
            session,
            video,
            next_seq,
            events: Vec::new(),
            first_since: None,
        }
    }

    /// Adds an event that happened at this date, in Unix ms. Of a video without an id, which is
    /// somebody else's, nothing is told to anyone.
    pub fn push(&mut self, now: u64, time_ms: u64, kind: EventKind, value: Option<u64>) {
        if self.video.is_empty() {
            return;
        }
        self.events.push(Event {
            seq: self.next_seq,
            kind,
            time_ms,
            value,
        });
        self.next_seq += 1;
        self.first_since.get_or_insert(now);
        if self.events.len() > Self::KEPT {
            let expendable = self.events.iter().position(|event| event.value.is_some());
            self.events.remove(expendable.unwrap_or(0));
        }
    }

    /// When the next batch is due; `None` while there is nothing to send.
    pub fn due_at(&self) -> Option<u64> {
        let since = self.first_since.filter(|_| !self.events.is_empty())?;
        // The view should be counted soon.
        let hurried = self
            .events
            .iter()
            .any(|event| event.kind == EventKind::View);
        Some(
            since
                + if hurried {
                    Self::LINGER_MS / 10
                } else {
                    Self::LINGER_MS
                },
        )
    }

    /// Whether nothing waits for an answer.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The number that the next event gets.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The oldest events as the body of `POST /api/v1/events`. They stay until they are answered.
    pub fn batch(&self) -> String {
        self.json(Self::BATCH)
    }

    /// All events, in the form of a batch.
    pub fn all(&self) -> String {
        self.json(Self::KEPT)
    }

    fn json(&self, most: usize) -> String {
        let mut json = String::with_capacity(128 + 100 * self.events.len().min(most));
        json.push_str("{\"session\":\"");
        // Ids have no character that JSON escapes; anything else is left out.
        json.extend(plain(&self.session));
        json.push_str("\",\"events\":[");
        for (index, event) in self.events.iter().take(most).enumerate() {
            json.push_str(if index == 0 {
                "{\"seq\":"
            } else {
                ",{\"seq\":"
            });
            push_number(&mut json, event.seq);
            json.push_str(",\"video\":\"");
            json.extend(plain(&self.video));
            json.push_str("\",\"type\":\"");
            json.push_str(event.kind.as_str());
            json.push_str("\",\"time\":");
            push_number(&mut json, event.time_ms);
            if let Some(value) = event.value {
                json.push_str(",\"value\":");
                push_number(&mut json, value);
            }
            json.push('}');
        }
        json.push_str("]}");
        json
    }

    /// Notes that these events were accepted or refused: either way they are done with.
    pub fn answered(&mut self, now: u64, seqs: &[u64]) {
        self.events.retain(|event| !seqs.contains(&event.seq));
        self.first_since = (!self.events.is_empty()).then_some(now);
    }
}

fn plain(id: &str) -> impl Iterator<Item = char> + '_ {
    id.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Appends a decimal number; the standard formatter would double the size of the module.
pub(crate) fn push_number(text: &mut String, number: u64) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_batch() {
        let mut outbox = Outbox::new("s\"-1", "oabcdefghijk", 7);
        outbox.push(1_795_367_096_789, 1_795_367_096_789, EventKind::View, None);
        outbox.push(
            1_795_367_106_789,
            1_795_367_106_789,
            EventKind::Watch,
            Some(10_000),
        );
        let expected = r#"{"session":"s-1","events":[{"seq":7,"video":"oabcdefghijk","type":"view","time":1795367096789},{"seq":8,"video":"oabcdefghijk","type":"watch","time":1795367106789,"value":10000}]}"#;
        assert_eq!(outbox.batch(), expected);
    }

    #[test]
    fn keeps_events_until_they_are_answered() {
        let mut outbox = Outbox::new("s", "v", 1);
        assert_eq!(outbox.due_at(), None);
        outbox.push(100, 100, EventKind::Stall, Some(5));
        outbox.push(200, 200, EventKind::Watch, Some(5));
        assert_eq!(outbox.due_at(), Some(5100));
        outbox.answered(6000, &[1, 99]);
        assert!(!outbox.batch().contains("stall") && outbox.batch().contains("watch"));
        assert_eq!(outbox.due_at(), Some(11_000));
        outbox.answered(7000, &[2]);
        assert!(outbox.is_empty() && outbox.due_at().is_none());
        assert_eq!(outbox.next_seq(), 3);
    }

    #[test]
    fn a_view_is_sent_soon() {
        let mut outbox = Outbox::new("s", "v", 1);
        outbox.push(100, 100, EventKind::View, None);
        assert_eq!(outbox.due_at(), Some(600));
    }

    #[test]
    fn batches_and_memory_are_bounded() {
        let session = "s".repeat(64);
        let mut outbox = Outbox::new(&session, "oabcdefghijk", 9_000_000_000_000);
        for _ in 0..2 * Outbox::KEPT {
            outbox.push(
                1_795_367_096_789,
                1_795_367_096_789,
                EventKind::Startup,
                Some(100_000_000),
            );
        }
        assert_eq!(outbox.batch().matches("seq").count(), Outbox::BATCH);
        assert!(outbox.batch().len() < 16 * 1024, "{}", outbox.batch().len());
        let oldest_kept = 9_000_000_000_000 + Outbox::KEPT as u64;
        assert!(
            outbox
                .batch()
                .contains(&["\"seq\":", &oldest_kept.to_string()].concat())
        );
    }

    #[test]
    fn words_are_known() {
        for word in ["view", "like", "share", "latency", "error"] {
            assert_eq!(EventKind::from_word(word).unwrap().as_str(), word);
        }
        assert_eq!(EventKind::from_word("explode"), None);
    }
}
