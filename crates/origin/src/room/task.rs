//! One room: reads comments from their store in order and hands them, and what the tally has, to all
//! listeners. It waits for none of them.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::{sleep, timeout},
};
use tracing::{debug, warn};
use weir_model::{
    api::Comment,
    room::{Frame, MAX_BATCH},
};

use super::{Item, Room, Rooms};
use crate::store::{CommentRange, StoreError};

/// What comes within this time goes together.
const GATHER: Duration = Duration::from_millis(20);
/// How often presence and the broadcast are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A room that nobody listens to is given up after this time; with a relay, when nothing has been
/// said in it for so long.
const LINGER: Duration = Duration::from_secs(20);
/// Greater than every number that the store can hold.
const NEWEST: u64 = i64::MAX as u64;

/// Runs a room until it is given up. It goes on behind comment `sent`, or behind the newest.
pub(super) async fn run(rooms: Rooms, room: Arc<Room>, sent: Option<u64>) {
    let relay = rooms.0.relay.as_ref().map(|relay| {
        let heard = room.clone();
        let report = move |viewers| heard.tally().report(u64::MAX, viewers, Instant::now());
        relay.open(room.video, report)
    });
    let mut heard = Instant::now();
    let mut task = Task {
        rooms,
        room,
        sent,
        relay,
    };
    loop {
        let said = task.round().await;
        if said || task.room.items.receiver_count() > 0 {
            heard = Instant::now();
        }
        if heard.elapsed() > LINGER && task.rooms.close_unheard(&task.room, task.sent) {
            return;
        }
        // Time passes: presence expires, the broadcast changes.
        let _ = timeout(LOOK, task.room.wake.notified()).await;
        sleep(GATHER).await;
    }
}

struct Task {
    rooms: Rooms,
    room: Arc<Room>,
    /// Number of the last comment that was handed out.
    sent: Option<u64>,
    relay: Option<mpsc::Sender<Item>>,
}

impl Task {
    /// Hands out what has come. Whether anything has.
    async fn round(&mut self) -> bool {
        let mut said = match self.read_comments().await {
            Ok(said) => said,
            Err(error) => {
                warn!(video = %self.room.video, %error, "comments read in vain");
                false
            }
        };
        let frames = {
            let mut tally = self.room.tally();
            tally.observe((self.rooms.0.stage)(self.room.video));
            tally.take(Instant::now())
        };
        for frame in frames {
            said |= !matches!(frame, Frame::Viewers { .. });
            if let Ok(frame) = serde_json::to_string(&frame) {
                self.hand_out(Item::Other(frame.into()));
            }
        }
        said
    }

    async fn read_comments(&mut self) -> Result<bool, StoreError> {
        let (comments, video) = (self.rooms.0.comments.clone(), self.room.video);
        let Some(mut sent) = self.sent else {
            let page = comments
                .page(video, CommentRange::Before(NEWEST), 1)
                .await?;
            let newest = page.map_or(0, |page| page.total);
            self.sent = Some(newest);
            self.hand_out(Item::Newest(newest));
            return Ok(false);
        };
        let mut said = false;
        while self.room.posted.load(Ordering::Relaxed) > sent {
            let range = CommentRange::After(sent);
            let page = comments.page(video, range, MAX_BATCH as u32).await?;
            let comments = page.map(|page| page.comments).unwrap_or_default();
            let Some(last) = comments.last() else {
                break;
            };
            sent = last.seq;
            self.sent = Some(sent);
            said = true;
            if let Some(item) = messages(comments) {
                self.hand_out(item);
            }
        }
        Ok(said)
    }

    fn hand_out(&self, item: Item) {
        if let Some(relay) = &self.relay
            && let Err(TrySendError::Full(_)) = relay.try_send(item.clone())
        {
            // The next numbers tell the room on Cloudflare that there is a hole.
            self.rooms.0.metrics.room_frames_dropped.inc();
            debug!(video = %self.room.video, "relay behind, frame dropped");
        }
        // Nobody listens: nobody misses it.
        let _ = self.room.items.send(item);
    }
}

/// At least one comment, as an item.
fn messages(comments: Vec<Comment>) -> Option<Item> {
    let frame = Frame::Messages { messages: comments };
    let text = serde_json::to_string(&frame).ok()?;
    let Frame::Messages { messages } = frame else {
        return None;
    };
    Some(Item::Messages {
        comments: messages.into(),
        frame: text.into(),
    })
}
