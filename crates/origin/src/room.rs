//! Rooms: what is said under a video, and felt about it, on its way to points of presence and to rooms
//! on Cloudflare. The frames are [`weir_model::room`]'s.
//!
//! - [`Rooms`]: all of them; a room is there while somebody listens
//! - [`stage`]: what there is to notice of a broadcast
//! - `task`: one room: reads comments from their store in order and hands them to all listeners
//! - `tally`: reactions, presence and notices between two frames, pure
//! - [`relay`]: a room on Cloudflare as a listener, by HTTP
//!
//! A comment goes from its author into the store; the room is only told that there is one more, and
//! reads it from there. So what listeners get is durable, in the order of its numbers and without
//! holes, whichever request was answered first.

pub mod relay;
pub mod stage;
mod tally;
mod task;

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::{Notify, broadcast};
use weir_model::{
    VideoId,
    api::Comment,
    room::{Notice, Reaction},
};

use self::{relay::Relay, tally::Tally};
use crate::{metrics::Metrics, store::Comments};

/// Most frames that a listener may be behind before it is cut off.
const MAX_BEHIND: usize = 128;

/// Tells what there is to notice of a video's broadcast at the moment.
pub type Stage = Arc<dyn Fn(VideoId) -> Option<Notice> + Send + Sync>;

/// What goes to listeners.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// The next comments.
    Messages {
        /// At least one, by number and without holes.
        comments: Arc<[Comment]>,
        /// The frame.
        frame: Utf8Bytes,
    },
    /// Comments up to this number were there when the room was opened: who lacks some reads them.
    Newest(u64),
    /// Any other frame.
    Other(Utf8Bytes),
}

/// All rooms of an origin. Clones share them.
#[derive(Clone)]
pub struct Rooms(Arc<Shared>);

struct Shared {
    comments: Arc<dyn Comments>,
    stage: Stage,
    relay: Option<Relay>,
    metrics: Metrics,
    rooms: Mutex<HashMap<VideoId, Arc<Room>>>,
    /// Names listeners.
    listeners: AtomicU64,
}

/// One room.
struct Room {
    video: VideoId,
    items: broadcast::Sender<Item>,
    /// Number of the newest comment that the room was told of.
    posted: AtomicU64,
    tally: Mutex<Tally>,
    /// Wakes the room's task.
    wake: Notify,
}

impl Room {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rooms {
    /// No room yet. `stage` is asked once a second about each video with listeners. With a `relay`,
    /// what happens in any room goes there too.
    pub fn new(
        comments: Arc<dyn Comments>,
        stage: Stage,
        relay: Option<Relay>,
        metrics: Metrics,
    ) -> Self {
        Self(Arc::new(Shared {
            comments,
            stage,
            relay,
            metrics,
            rooms: Mutex::default(),
            listeners: AtomicU64::new(0),
        }))
    }

    /// Comment `seq` of `video` is durable. Must be called within a tokio runtime.
    pub fn posted(&self, video: VideoId, seq: u64) {
        let mut rooms = self.0.lock();
        let room = match &self.0.relay {
            Some(_) => Some(self.open(&mut rooms, video, seq.checked_sub(1))),
            None => rooms.get(&video).cloned(),
        };
        if let Some(room) = room {
            room.posted.fetch_max(seq, Ordering::Relaxed);
            room.wake.notify_one();
        }
    }

    /// Somebody reacts to `video`. Whether anybody listens. Must be called within a tokio runtime.
    pub fn react(&self, video: VideoId, reaction: Reaction) -> bool {
        let room = self.0.lock().get(&video).cloned();
        let Some(room) = room else {
            return false;
        };
        self.0.metrics.reactions.inc();
        room.tally().react(reaction);
        room.wake.notify_one();
        true
    }

    /// Begins to listen to a video's room. Must be called within a tokio runtime.
    pub(crate) fn listen(&self, video: VideoId) -> Listener {
        let mut rooms = self.0.lock();
        let room = self.open(&mut rooms, video, None);
        self.0.metrics.room_listeners.inc();
        Listener {
            items: room.items.subscribe(),
            room,
            id: self.0.listeners.fetch_add(1, Ordering::Relaxed),
            metrics: self.0.metrics.clone(),
        }
    }

    /// The room of `video`; a new one goes on behind comment `from`, or behind the newest.
    fn open(
        &self,
        rooms: &mut HashMap<VideoId, Arc<Room>>,
        video: VideoId,
        from: Option<u64>,
    ) -> Arc<Room> {
        match rooms.entry(video) {
            Entry::Occupied(room) => room.get().clone(),
            Entry::Vacant(place) => {
                let room = Arc::new(Room {
                    video,
                    items: broadcast::Sender::new(MAX_BEHIND),
                    posted: AtomicU64::new(0),
                    tally: Mutex::default(),
                    wake: Notify::new(),
                });
                place.insert(room.clone());
                self.0.metrics.rooms.inc();
                tokio::spawn(task::run(self.clone(), room.clone(), from));
                room
            }
        }
    }

    /// Gives up a room that nobody listens to, and all of whose comments up to `sent` were handed out.
    fn close_unheard(&self, room: &Room, sent: Option<u64>) -> bool {
        let mut rooms = self.0.lock();
        let all_sent = room.posted.load(Ordering::Relaxed) <= sent.unwrap_or(0);
        let unheard = room.items.receiver_count() == 0 && all_sent;
        if unheard {
            rooms.remove(&room.video);
            self.0.metrics.rooms.dec();
        }
        unheard
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<VideoId, Arc<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One listener, until it is dropped.
pub(crate) struct Listener {
    room: Arc<Room>,
    items: broadcast::Receiver<Item>,
    id: u64,
    metrics: Metrics,
}

impl Listener {
    /// What comes next. Safe to be cancelled.
    pub(crate) async fn next(&mut self) -> Result<Item, broadcast::error::RecvError> {
        self.items.recv().await
    }

    /// It serves so many viewers now.
    pub(crate) fn report(&self, viewers: u64) {
        self.room.tally().report(self.id, viewers, Instant::now());
        self.room.wake.notify_one();
    }

    /// How many viewers all listeners serve, and what there was to notice last.
    pub(crate) fn standing(&self) -> (u64, Option<Notice>) {
        let tally = self.room.tally();
        (tally.viewers(Instant::now()), tally.notice())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.room.tally().leave(self.id);
        self.room.wake.notify_one();
        self.metrics.room_listeners.dec();
    }
}
