//! A hub that tasks share: the room's own, which drives it, and one for each viewer.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tokio::{
    sync::{Notify, watch},
    time::sleep_until,
};
use weir_model::VideoId;

use super::hub::Hub;

/// One room.
pub(super) struct Hall {
    video: VideoId,
    hub: Mutex<Hub>,
    /// [`Hub::head`], for those who wait until it moves.
    head: watch::Sender<u64>,
    /// Wakes the room's task, whose plans may have changed.
    changed: Notify,
}

impl Hall {
    pub(super) fn new(video: VideoId, hub: Hub) -> Self {
        Self {
            video,
            head: watch::Sender::new(hub.head()),
            hub: Mutex::new(hub),
            changed: Notify::new(),
        }
    }

    /// Whose room it is.
    pub(super) fn video(&self) -> VideoId {
        self.video
    }

    /// Where viewers wait for more to read.
    pub(super) fn head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Reads without changing what others wait for.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&mut Hub) -> T) -> T {
        question(&mut self.hub.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells the hub something, and whoever is concerned.
    pub(super) fn tell<T>(&self, fact: impl FnOnce(&mut Hub) -> T) -> T {
        let (answer, head) = self.ask(|hub| (fact(hub), hub.head()));
        self.head
            .send_if_modified(|known| std::mem::replace(known, head) != head);
        self.changed.notify_one();
        answer
    }

    /// Lets time pass, until the room wants to be given up.
    pub(super) async fn drive(&self) {
        loop {
            let now = Instant::now();
            let (due, gives_up_at) = self.ask(|hub| (hub.next_timeout(now), hub.gives_up_at()));
            if gives_up_at.is_some_and(|at| at <= now) {
                return;
            }
            if due.is_some_and(|at| at <= now) {
                self.tell(|hub| hub.handle_timeout(now));
                continue;
            }
            let next = [due, gives_up_at].into_iter().flatten().min();
            let pause = async {
                match next {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = pause => {}
                () = self.changed.notified() => {}
            }
        }
    }
}
