//! Units to those who can't wait until they are packaged: WebRTC viewers.
//!
//! There is one ring of units for all of them. Whoever reads it too slowly misses what has been
//! written over, and is told how much; nobody waits for anybody.

use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, broadcast};
use weir_media::{
    codec::{AvcConfig, annexb},
    live::tap::Track,
    unit::Media,
};
use weir_model::RenditionId;

use super::Broadcast;

/// How many units of all renditions a reader may be behind: about a second of a ladder.
const RING: usize = 512;

/// What came of a rendition.
#[derive(Debug)]
pub struct Tapped {
    /// Of which.
    pub rendition: RenditionId,
    /// What came, in media time.
    pub media: Media,
    stream: OnceLock<Option<Arc<[u8]>>>,
}

impl Tapped {
    pub(crate) fn new(rendition: RenditionId, media: Media) -> Self {
        Self {
            rendition,
            media,
            stream: OnceLock::new(),
        }
    }

    /// A unit of H.264 behind start codes, with its parameter sets before a keyframe; made once
    /// for all who ask. `None` of anything else, and of a unit whose lengths lead past its end.
    pub fn annex_b(&self, config: &AvcConfig) -> Option<Arc<[u8]>> {
        let Media::Unit(unit) = &self.media else {
            return None;
        };
        let written = self.stream.get_or_init(|| {
            let stream = annexb::from_length_prefixed(config, unit.keyframe, &unit.data);
            stream.ok().map(|stream| Arc::from(&stream[..]))
        });
        written.clone()
    }
}

/// What a broadcast has for its tap.
#[derive(Debug)]
pub(super) struct Taps {
    ring: broadcast::Sender<Arc<Tapped>>,
    keyframe_wanted: Notify,
}

impl Default for Taps {
    fn default() -> Self {
        Self {
            ring: broadcast::Sender::new(RING),
            keyframe_wanted: Notify::new(),
        }
    }
}

impl Taps {
    pub(super) fn pass(&self, rendition: RenditionId, media: Media) {
        // Nobody may be there any more.
        let _ = self.ring.send(Arc::new(Tapped::new(rendition, media)));
    }
}

/// Somebody who gets every unit. Dropping it closes the tap if it was the last one.
#[derive(Debug)]
pub struct Subscription {
    /// `None` while it is dropped.
    units: Option<broadcast::Receiver<Arc<Tapped>>>,
    broadcast: Arc<Broadcast>,
}

impl Subscription {
    /// Waits for the next unit. `Err` tells how many were missed.
    pub async fn next(&mut self) -> Result<Arc<Tapped>, u64> {
        let Some(units) = &mut self.units else {
            return std::future::pending().await;
        };
        match units.recv().await {
            Ok(tapped) => Ok(tapped),
            Err(broadcast::error::RecvError::Lagged(missed)) => Err(missed),
            // The sender lives as long as the broadcast, which is held here.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }

    /// Whose units these are.
    pub fn broadcast(&self) -> &Arc<Broadcast> {
        &self.broadcast
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.units = None;
        self.broadcast.turn_tap();
    }
}

impl Broadcast {
    /// Every unit of every rendition from now on.
    pub fn subscribe(self: &Arc<Self>) -> Subscription {
        let subscription = Subscription {
            units: Some(self.taps.ring.subscribe()),
            broadcast: self.clone(),
        };
        self.turn_tap();
        subscription
    }

    /// What has come of each rendition so far.
    pub fn tracks(&self) -> Vec<Track> {
        self.lock().live.tracks().to_vec()
    }

    /// Somebody waits for a keyframe of the source.
    pub fn want_keyframe(&self) {
        self.taps.keyframe_wanted.notify_one();
    }

    /// Waits until somebody waits for a keyframe of the source. It is for an encoder that can be
    /// asked for one.
    pub async fn keyframe_wanted(&self) {
        self.taps.keyframe_wanted.notified().await;
    }

    /// The tap is open while there is anybody.
    fn turn_tap(&self) {
        let readers = || self.taps.ring.receiver_count();
        self.tell(|live, _| live.tap(readers() > 0));
    }
}
