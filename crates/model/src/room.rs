//! Frames of a video's room: chat, reactions, notices, the number of viewers.
//!
//! A room is a WebSocket (RFC 6455) at `/api/v1/videos/{id}/room`, asked for with `GET`. Every frame
//! is a text message that holds one JSON object. The same frames go from the origin to a point of
//! presence, from there to viewers, and in `POST`s from the origin to a room on Cloudflare.
//!
//! # To a client ([`Frame`])
//!
//! | frame | what |
//! | --- | --- |
//! | `{"type":"hello","seq":41,"viewers":7}` | the first one: number of the newest message in the room (0: none), and how many watch. Another one later means that the store has lost messages: numbers go on from its `seq` |
//! | `{"type":"messages","messages":[{"seq":42,"author":"Ada","text":"Hi","created_at":1795367096789}]}` | the next ones, 1 to [`MAX_BATCH`], by number and without holes |
//! | `{"type":"hole","after":42}` | messages above `after` and below the next one that comes are missing: read them with `GET /api/v1/videos/{id}/comments?after=42`. Before a close: all above `after` |
//! | `{"type":"reactions","counts":{"heart":3,"clap":1}}` | how many came since the last such frame, by [`Reaction`] |
//! | `{"type":"notice","notice":"live"}` | what became of the broadcast ([`Notice`]) |
//! | `{"type":"viewers","viewers":7}` | how many watch, everywhere |
//!
//! A message's number (`seq`) is the comment's number in its video: from 1, without holes, given by
//! the origin when the comment is durable. A client that names what it has (`?after=41`) is sent what
//! follows; one that does not is sent the newest that are at hand. A client that does not know a
//! frame's type ignores the frame.
//!
//! # From a client
//!
//! A viewer says with [`Acknowledgement`], `{"acknowledge":42}`, what it has, every few seconds and at
//! the latest every [`ACKNOWLEDGE_EVERY`] messages. What it wants to say it `POST`s:
//! [`PostComment`](crate::api::PostComment) to `…/comments`, [`PostReaction`] to `…/reactions`. A point
//! of presence tells the origin with [`Report`], `{"viewers":7}`, how many it serves, at least every
//! [`REPORT_EVERY`]; a room on Cloudflare answers every `POST` with the same.
//!
//! # Close codes (RFC 6455 section 7.4)
//!
//! | code | what |
//! | --- | --- |
//! | 1001 | the server goes down: come back at once, with `after` |
//! | 1013 | the client was too slow; a `hole` frame went before, if it could be sent: come back with `after` |
//! | 1008 | the client sent what is no frame |

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Comment;

/// Most messages in one frame.
pub const MAX_BATCH: usize = 50;

/// Longest frame to a client in bytes. A batch of the longest comments stays below.
pub const MAX_FRAME: usize = 128 * 1024;

/// Longest frame from a client in bytes.
pub const MAX_FROM_CLIENT: usize = 256;

/// A viewer acknowledges at the latest after so many messages.
pub const ACKNOWLEDGE_EVERY: u64 = 50;

/// A point of presence reports at least this often.
pub const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Close code of a server that goes down.
pub const GOING_AWAY: u16 = 1001;
/// Close code of a client that sent what is no frame.
pub const NO_FRAME: u16 = 1008;
/// Close code of a client that was too slow.
pub const TOO_SLOW: u16 = 1013;

/// What a room tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Frame {
    /// The first frame.
    Hello {
        /// Number of the newest message; 0 if there is none.
        seq: u64,
        /// How many watch.
        viewers: u64,
    },
    /// The next messages, in order.
    Messages {
        /// 1 to [`MAX_BATCH`].
        messages: Vec<Comment>,
    },
    /// Messages are missing from here on.
    Hole {
        /// Number of the last one before them.
        after: u64,
    },
    /// Reactions since the last such frame.
    Reactions {
        /// How many of each kind; none is 0.
        counts: BTreeMap<Reaction, u32>,
    },
    /// What became of the broadcast.
    Notice {
        /// What it is now.
        notice: Notice,
    },
    /// How many watch.
    Viewers {
        /// Everywhere.
        viewers: u64,
    },
}

/// A feeling about what is on the screen.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Reaction {
    /// ❤️
    Heart,
    /// 👏
    Clap,
    /// 😂
    Laugh,
    /// 😮
    Wow,
    /// 🔥
    Fire,
}

impl Reaction {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 5] = [Self::Heart, Self::Clap, Self::Laugh, Self::Wow, Self::Fire];

    /// The word as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Heart => "heart",
            Self::Clap => "clap",
            Self::Laugh => "laugh",
            Self::Wow => "wow",
            Self::Fire => "fire",
        }
    }
}

/// What became of a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notice {
    /// An encoder is on air.
    Live,
    /// It went away and may come back.
    Away,
    /// It is away, and a slate stands in.
    Slate,
    /// The broadcast has ended.
    Ended,
}

/// `POST /api/v1/videos/{id}/reactions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostReaction {
    /// Which.
    pub kind: Reaction,
}

/// From a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// Number of the newest message that it has.
    pub acknowledge: u64,
}

/// From a point of presence, or a room on Cloudflare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// How many viewers it serves in the room.
    pub viewers: u64,
}

/// A [`Frame::Messages`] of comments that are JSON already.
pub fn messages_frame<'a>(comments: impl IntoIterator<Item = &'a str>) -> String {
    let mut frame = String::from(r#"{"type":"messages","messages":["#);
    for (n, comment) in comments.into_iter().enumerate() {
        if n > 0 {
            frame.push(',');
        }
        frame.push_str(comment);
    }
    frame.push_str("]}");
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WallTime;

    fn comment(seq: u64) -> Comment {
        Comment {
            seq,
            author: "Ada".to_owned(),
            text: "\"Hi\"\n".to_owned(),
            created_at: WallTime(5),
        }
    }

    #[test]
    fn frames_are_as_documented() {
        let check = |frame: Frame, json: &str| {
            assert_eq!(serde_json::to_string(&frame).unwrap(), json);
            assert_eq!(serde_json::from_str::<Frame>(json).unwrap(), frame);
        };
        check(
            Frame::Hello {
                seq: 41,
                viewers: 7,
            },
            r#"{"type":"hello","seq":41,"viewers":7}"#,
        );
        check(
            Frame::Messages {
                messages: vec![comment(1), comment(2)],
            },
            r#"{"type":"messages","messages":[{"seq":1,"author":"Ada","text":"\"Hi\"\n","created_at":5},{"seq":2,"author":"Ada","text":"\"Hi\"\n","created_at":5}]}"#,
        );
        check(Frame::Hole { after: 42 }, r#"{"type":"hole","after":42}"#);
        check(
            Frame::Reactions {
                counts: [(Reaction::Clap, 1), (Reaction::Heart, 3)].into(),
            },
            r#"{"type":"reactions","counts":{"heart":3,"clap":1}}"#,
        );
        check(
            Frame::Notice {
                notice: Notice::Slate,
            },
            r#"{"type":"notice","notice":"slate"}"#,
        );
        check(
            Frame::Viewers { viewers: 7 },
            r#"{"type":"viewers","viewers":7}"#,
        );
    }

    #[test]
    fn a_batch_made_of_json_is_the_frame() {
        let messages = vec![comment(1), comment(2)];
        let texts: Vec<String> = messages
            .iter()
            .map(|comment| serde_json::to_string(comment).unwrap())
            .collect();
        let made = messages_frame(texts.iter().map(String::as_str));
        assert_eq!(
            made,
            serde_json::to_string(&Frame::Messages { messages }).unwrap()
        );
    }

    #[test]
    fn the_longest_batch_fits_a_frame() {
        // As the origin bounds them: 40 and 500 characters of up to four bytes.
        let longest = Comment {
            seq: u64::MAX,
            author: "🎬".repeat(40),
            text: "🎬".repeat(500),
            created_at: WallTime(u64::MAX),
        };
        let frame = Frame::Messages {
            messages: vec![longest; MAX_BATCH],
        };
        assert!(serde_json::to_string(&frame).unwrap().len() <= MAX_FRAME);
    }

    #[test]
    fn what_clients_send_is_strict() {
        let acknowledged: Acknowledgement = serde_json::from_str(r#"{"acknowledge":7}"#).unwrap();
        assert_eq!(acknowledged.acknowledge, 7);
        for text in [
            "",
            "{}",
            r#"{"acknowledge":-1}"#,
            r#"{"acknowledge":7,"viewers":1}"#,
        ] {
            assert!(
                serde_json::from_str::<Acknowledgement>(text).is_err(),
                "{text}"
            );
        }
        for kind in Reaction::ALL {
            let text = format!(r#"{{"kind":"{}"}}"#, kind.as_str());
            assert_eq!(
                serde_json::from_str::<PostReaction>(&text).unwrap().kind,
                kind
            );
        }
        assert!(serde_json::from_str::<PostReaction>(r#"{"kind":"money"}"#).is_err());
    }
}
