//! Which sessions there are.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use weir_model::{SessionId, VideoId};

/// Most sessions at a time, publishing and playing.
pub const MAX_SESSIONS: usize = 1024;

/// What a session is for: its URL tells, and has to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// WHIP.
    Publishing,
    /// WHEP, of this video.
    Playing(VideoId),
}

/// All sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    table: Mutex<HashMap<SessionId, Entry>>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Entry {
    session: Session,
    stop: CancellationToken,
}

/// What is known of a session by its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) role: Role,
    /// The client's ICE user name fragment.
    pub(super) ufrag: String,
    /// Names the pair of ICE credentials (RFC 9725 section 4.3.1).
    pub(super) etag: String,
}

/// A session's place among the others, until dropped.
#[derive(Debug)]
pub(super) struct Seat {
    id: SessionId,
    stop: CancellationToken,
    sessions: Arc<Sessions>,
    gauge: Gauge,
    _room: OwnedSemaphorePermit,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            table: Mutex::default(),
            room: Arc::new(Semaphore::new(MAX_SESSIONS)),
        }
    }
}

impl Sessions {
    /// Room for one more, if there is.
    pub(super) fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_owned().ok()
    }

    /// Enters a session, and counts it in `gauge`.
    pub(super) fn enter(
        self: &Arc<Self>,
        id: SessionId,
        session: Session,
        gauge: &Gauge,
        room: OwnedSemaphorePermit,
    ) -> Seat {
        let stop = CancellationToken::new();
        let entry = Entry {
            session,
            stop: stop.clone(),
        };
        self.lock().insert(id, entry);
        gauge.inc();
        Seat {
            id,
            stop,
            sessions: self.clone(),
            gauge: gauge.clone(),
            _room: room,
        }
    }

    pub(super) fn find(&self, id: SessionId, role: Role) -> Option<Session> {
        let table = self.lock();
        let session = table.get(&id).map(|entry| &entry.session);
        session.filter(|session| session.role == role).cloned()
    }

    /// Has a session end. Answers whether there is one.
    pub(super) fn stop(&self, id: SessionId, role: Role) -> bool {
        // From now on its URL names nothing.
        let mut table = self.lock();
        match table.get(&id) {
            Some(entry) if entry.session.role == role => {
                entry.stop.cancel();
                table.remove(&id);
                true
            }
            _ => false,
        }
    }

    /// Waits until there are no sessions, and lets in no more.
    pub(super) async fn drained(&self) {
        // Closed by nobody.
        let _ = self.room.acquire_many(MAX_SESSIONS as u32).await;
        self.room.close();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Entry>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Comes true when the session is to end.
    pub(super) async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.id);
        self.gauge.dec();
    }
}
