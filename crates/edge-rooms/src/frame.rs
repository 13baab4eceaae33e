//! What goes over the sockets, and what the origin posts, where it meets the room rules. The frames
//! themselves are [`weir_model::room`]'s, which documents them.
//!
//! - `GET /rooms/{video}/socket?after={seq}`: a viewer's WebSocket. It is sent `hello`, then what
//!   [`backfill_frames`] makes, then what comes.
//! - `POST /rooms/{video}/frames`, by the origin: one [`Frame`] in JSON: `messages`, `reactions`,
//!   `notice` or `viewers`. `messages` go through [`Room::accept_batch`](weir_edge_worker::room::Room)
//!   and are sent on as [`news_frames`]; the others are sent on as they came. The answer is
//!   [`Report`](weir_model::room::Report): how many sockets the room has.

use serde::{Deserialize, Serialize};
use weir_edge_worker::room::{Backfill, Message, News};
use weir_model::{
    api::Comment,
    room::{Frame, MAX_BATCH, messages_frame},
};

/// A message in the Durable Object's storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Number within the room.
    pub seq: u64,
    /// The comment in JSON.
    pub text: String,
}

impl From<Kept> for Message {
    fn from(Kept { seq, text }: Kept) -> Self {
        Self { seq, text }
    }
}

impl From<Message> for Kept {
    fn from(Message { seq, text }: Message) -> Self {
        Self { seq, text }
    }
}

/// The messages of a [`Frame::Messages`], as the room takes them.
pub fn messages(comments: &[Comment]) -> Result<Vec<Message>, serde_json::Error> {
    let message = |comment: &Comment| {
        let text = serde_json::to_string(comment)?;
        Ok(Message {
            seq: comment.seq,
            text,
        })
    };
    comments.iter().map(message).collect()
}

/// What a client that has everything up to `after` is sent behind `hello`: frames in JSON.
pub fn backfill_frames(
    after: Option<u64>,
    backfill: &Backfill,
) -> Result<Vec<String>, serde_json::Error> {
    let hole = backfill.hole.then(|| after.unwrap_or(0));
    frames(hole, &backfill.messages)
}

/// What every client is sent of a batch: frames in JSON.
pub fn news_frames(news: &News) -> Result<Vec<String>, serde_json::Error> {
    frames(news.hole, &news.messages)
}

fn frames(hole: Option<u64>, messages: &[Message]) -> Result<Vec<String>, serde_json::Error> {
    let hole = hole.map(|after| serde_json::to_string(&Frame::Hole { after }));
    let batches = messages
        .chunks(MAX_BATCH)
        .map(|batch| Ok(messages_frame(batch.iter().map(|message| &*message.text))));
    hole.into_iter().chain(batches).collect()
}

#[cfg(test)]
mod tests {
    use weir_edge_worker::room::{Limits, Room};
    use weir_model::WallTime;

    use super::*;

    fn comment(seq: u64) -> Comment {
        Comment {
            seq,
            author: "Ada".to_owned(),
            text: "Hi".to_owned(),
            created_at: WallTime(5),
        }
    }

    fn read(frames: &[String]) -> Vec<Frame> {
        let read = |frame: &String| serde_json::from_str(frame).unwrap();
        frames.iter().map(read).collect()
    }

    #[test]
    fn a_hole_is_told_before_the_messages_after_it() {
        let mut room = Room::new(Limits {
            messages: 1,
            ..Limits::default()
        });
        room.accept_batch(messages(&[comment(1), comment(2), comment(3)]).unwrap());
        let backfill = room.backfill(Some(1));
        assert_eq!(
            read(&backfill_frames(Some(1), &backfill).unwrap()),
            [
                Frame::Hole { after: 1 },
                Frame::Messages {
                    messages: vec![comment(3)]
                }
            ]
        );
        let nothing = backfill_frames(Some(3), &room.backfill(Some(3))).unwrap();
        assert_eq!(nothing, [""; 0]);
        let news = room.accept_batch(messages(&[comment(9)]).unwrap());
        assert_eq!(
            read(&news_frames(&news).unwrap()),
            [
                Frame::Hole { after: 3 },
                Frame::Messages {
                    messages: vec![comment(9)]
                }
            ]
        );
    }

    #[test]
    fn batches_are_bounded() {
        let mut room = Room::new(Limits::default());
        let comments: Vec<_> = (1..=120).map(comment).collect();
        let news = room.accept_batch(messages(&comments).unwrap());
        let frames = read(&news_frames(&news).unwrap());
        let sizes = frames.iter().map(|frame| match frame {
            Frame::Messages { messages } => messages.len(),
            _ => 0,
        });
        assert_eq!(sizes.collect::<Vec<_>>(), [50, 50, 20]);
    }

    #[test]
    fn what_is_kept_comes_back() {
        let kept = Kept {
            seq: 7,
            text: "{}".to_owned(),
        };
        assert_eq!(Kept::from(Message::from(kept.clone())), kept);
    }
}
