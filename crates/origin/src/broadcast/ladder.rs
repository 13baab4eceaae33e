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

/// Spaces out the starts of transcoders that keep dying. One that ends because its encoder left or
/// changed its coding is no death.
#[derive(Debug, Default)]
pub(super) struct Births {
    /// When the newest one began, unless it has died.
    born: Option<WallTime>,
    delay: Duration,
}

impl Births {
    /// A transcoder that lived this long has earned an immediate successor.
    const PROVEN: Duration = Duration::from_secs(10);
    /// Longest wait before a start.
    const SLOWEST: Duration = Duration::from_secs(30);

    /// The newest one has died.
    fn died(&mut self, now: WallTime) {
        let proven = self.has_lived(now);
        self.born = None;
        self.delay = match proven {
            true => Duration::ZERO,
            // The first time may have been bad luck.
            false if self.delay.is_zero() => Duration::from_millis(50),
            false => (self.delay * 4).min(Self::SLOWEST),
        };
    }

    /// Another one begins after this.
    fn next_delay(&mut self, now: WallTime) -> Duration {
        if self.has_lived(now) {
            self.delay = Duration::ZERO;
        }
        self.born = Some(now.plus(self.delay));
        self.delay
    }

    fn has_lived(&self, now: WallTime) -> bool {
        self.born
            .is_some_and(|born| now.since(born) >= Self::PROVEN)
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
            let now = broadcast.surroundings.clock.now();
            broadcast.lock().births.died(now);
            broadcast.tell(|live, now| live.transcoder_lost(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: WallTime = WallTime(1_795_000_000_000);

    fn at(seconds: u64) -> WallTime {
        BEGIN.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn restarts_that_an_encoder_causes_hold_nobody_back() {
        let mut births = Births::default();
        for second in 0..60 {
            assert_eq!(births.next_delay(at(second)), Duration::ZERO);
        }
        births.died(at(71));
        assert_eq!(births.next_delay(at(72)), Duration::ZERO);
    }

    #[test]
    fn those_that_keep_dying_wait_longer_until_one_lives() {
        let mut births = Births::default();
        let mut now = BEGIN;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait = births.next_delay(now);
            waits.push(wait.as_millis());
            now = now.plus(wait + Duration::from_secs(1));
            births.died(now);
        }
        assert_eq!(waits, [0, 50, 200, 800, 3200, 12_800, 30_000, 30_000]);
        // One that is told to end before it has proven itself changes nothing.
        assert_eq!(births.next_delay(now), Births::SLOWEST);
        assert_eq!(births.next_delay(now), Births::SLOWEST);
        let later = now.plus(Births::SLOWEST + Births::PROVEN);
        assert_eq!(births.next_delay(later), Duration::ZERO);
    }
}
