//! What goes over the sockets, and what the origin posts. All of it is JSON.

use serde::{Deserialize, Serialize};
use weir_edge_worker::room::{Backfill, Message};

/// To a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ToClient<'a> {
    /// The next message.
    Message {
        /// Its number.
        seq: u64,
        /// Its text, as the origin posted it.
        text: &'a str,
    },
    /// Messages are missing from here on: read them over HTTP.
    Hole {
        /// Number of the last message before the hole.
        after: u64,
    },
}

/// From a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromClient {
    /// Number of the newest message that it has.
    pub acknowledge: u64,
}

/// From the origin, and in the Durable Object's storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Posted {
    /// Number within the room.
    pub seq: u64,
    /// The text.
    pub text: String,
}

impl From<Posted> for Message {
    fn from(Posted { seq, text }: Posted) -> Self {
        Self { seq, text }
    }
}

impl From<Message> for Posted {
    fn from(Message { seq, text }: Message) -> Self {
        Self { seq, text }
    }
}

/// What a client that has everything up to `after` is sent first.
pub fn backfill_frames(after: Option<u64>, backfill: &Backfill) -> Vec<ToClient<'_>> {
    let hole = backfill.hole.then(|| ToClient::Hole {
        after: after.unwrap_or(0),
    });
    let messages = backfill.messages.iter();
    let messages = messages.map(|message| ToClient::Message {
        seq: message.seq,
        text: &message.text,
    });
    hole.into_iter().chain(messages).collect()
}

#[cfg(test)]
mod tests {
    use weir_edge_worker::room::{Limits, Room};

    use super::*;

    #[test]
    fn frames_are_json() {
        let json = |frame: &ToClient<'_>| serde_json::to_string(frame).unwrap();
        assert_eq!(
            json(&ToClient::Message { seq: 7, text: "hi" }),
            r#"{"type":"message","seq":7,"text":"hi"}"#
        );
        assert_eq!(
            json(&ToClient::Hole { after: 7 }),
            r#"{"type":"hole","after":7}"#
        );
        let from: FromClient = serde_json::from_str(r#"{"acknowledge":7}"#).unwrap();
        assert_eq!(from.acknowledge, 7);
        assert!(serde_json::from_str::<FromClient>(r#"{"acknowledge":-1}"#).is_err());
    }

    #[test]
    fn a_hole_is_told_before_the_messages_after_it() {
        let mut room = Room::new(Limits {
            messages: 1,
            ..Limits::default()
        });
        for seq in 1..=3 {
            room.accept(
                Posted {
                    seq,
                    text: seq.to_string(),
                }
                .into(),
            );
        }
        let backfill = room.backfill(Some(1));
        assert_eq!(
            backfill_frames(Some(1), &backfill),
            [
                ToClient::Hole { after: 1 },
                ToClient::Message { seq: 3, text: "3" }
            ]
        );
        assert_eq!(backfill_frames(Some(3), &room.backfill(Some(3))), []);
    }
}
