//! A broadcast's transcoder: started, started again when it dies, and listened to.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use weir_media::{
    framing::{LadderJob, RungState},
    unit::{Media, Timestamp},
};
use weir_model::{RenditionId, WallTime};

use super::{Broadcast, Inner};
use crate::transcode::{self, Transcoder};

impl Broadcast {
    pub(super) fn start_transcoder(&self, inner: &mut Inner, job: LadderJob) {
        let (Some(program), Some(this)) = (&self.surroundings.transcoder, self.this.upgrade())
        else {
            return;
        };
        let output = Arc::new(FromTranscoder(Arc::downgrade(&this)));
        let delay = inner.births.next_delay(self.surroundings.clock.now());
        let metrics = &self.surroundings.metrics;
        let program = program.clone();
        inner.transcoder = Some(Transcoder::start(
            program, self.video, job, delay, output, metrics,
        ));
    }
}

/// Spaces out the starts of transcoders that keep dying.
#[derive(Debug, Default)]
pub(super) struct Births {
    last: Option<WallTime>,
    delay: Duration,
}

impl Births {
    /// A transcoder that lived this long has earned an immediate successor.
    const PROVEN: Duration = Duration::from_secs(10);
    /// Longest wait before a start.
    const SLOWEST: Duration = Duration::from_secs(30);

    fn next_delay(&mut self, now: WallTime) -> Duration {
        let died_young = self
            .last
            .is_some_and(|last| now.since(last) < self.delay + Self::PROVEN);
        self.delay = match died_young {
            // The first time may have been bad luck.
            true if self.delay.is_zero() => Duration::from_millis(50),
            true => (self.delay * 4).min(Self::SLOWEST),
            false => Duration::ZERO,
        };
        self.last = Some(now);
        self.delay
    }
}

/// The way back from the transcoder.
struct FromTranscoder(Weak<Broadcast>);

impl transcode::Output for FromTranscoder {
    fn media(&self, rendition: RenditionId, media: Media) {
        if let Some(broadcast) = self.0.upgrade() {
            broadcast.tell(|live, now| live.push_rendition(now, rendition, media));
        }
    }

    fn rung(&self, rendition: RenditionId, state: RungState, at: Timestamp) {
        if let Some(broadcast) = self.0.upgrade() {
            if state == RungState::Shed {
                broadcast.surroundings.metrics.rungs_shed.inc();
            }
            broadcast.tell(|live, now| live.rung_changed(now, rendition, state, at));
        }
    }

    fn undecodable(&self) {
        if let Some(broadcast) = self.0.upgrade() {
            broadcast.tell(|live, now| live.source_undecodable(now));
        }
    }

    fn lost(&self) {
        if let Some(broadcast) = self.0.upgrade() {
            broadcast.tell(|live, now| live.transcoder_lost(now));
        }
    }
}
