//! What waits for a transcoder child.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use weir_media::unit::{Media, Timestamp, TrackConfig, TrackKind, Unit};

/// How much media of a track may wait for the child. A child further behind than this will not
/// catch up within its segment, so what waits is dropped and it goes on at the next IDR.
const BOUND: Timestamp = Timestamp::from_ms(2_500);

/// Units on their way to a child, at most 2.5 s of each track. The named answer to full: all video
/// up to the next IDR, or all audio that waits, is dropped and counted. Neither is dropped for the
/// other.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    /// For the one taker.
    changed: Notify,
    closed: CancellationToken,
    dropped: Counter,
}

#[derive(Debug, Default)]
struct State {
    video: Option<TrackConfig>,
    audio: Option<TrackConfig>,
    items: VecDeque<Item>,
    /// Video before the next IDR is of no use to the child.
    skipping: bool,
}

/// One thing for the child.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// How the units that follow are coded.
    Config(TrackConfig),
    /// The next unit, and whether a segment begins with it.
    Unit(Unit, bool),
}

impl Item {
    fn kind(&self) -> TrackKind {
        match self {
            Self::Config(config) => config.kind(),
            Self::Unit(unit, _) => unit.kind,
        }
    }
}

impl Queue {
    /// An empty queue that counts what it drops.
    pub fn new(dropped: Counter) -> Self {
        let state = State {
            skipping: true,
            ..State::default()
        };
        let (changed, closed) = (Notify::new(), CancellationToken::new());
        Self {
            state: Mutex::new(state),
            changed,
            closed,
            dropped,
        }
    }

    /// Adds what the source brings.
    pub fn push(&self, media: Media, cut: bool) {
        if self.closed.is_cancelled() {
            return;
        }
        let mut state = self.lock();
        match media {
            Media::Config(config) => {
                *state.config(config.kind()) = Some(config.clone());
                state.items.push_back(Item::Config(config));
            }
            Media::Unit(unit) => {
                let dropped = state.push_unit(unit, cut);
                self.dropped.inc_by(dropped);
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The next item, waiting for one; `None` once the queue is closed and empty. For one taker
    /// at a time.
    pub async fn pop(&self) -> Option<Item> {
        loop {
            let closed = self.closed.is_cancelled();
            if let Some(item) = self.lock().items.pop_front() {
                return Some(item);
            }
            if closed {
                return None;
            }
            tokio::select! {
                () = self.changed.notified() => {}
                () = self.closed.cancelled() => {}
            }
        }
    }

    /// Takes nothing more in; what waits can still be taken out.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// Whether [`Queue::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Completes once the queue is closed.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn config(&mut self, kind: TrackKind) -> &mut Option<TrackConfig> {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }

    /// Returns how many units were dropped.
    fn push_unit(&mut self, unit: Unit, cut: bool) -> u64 {
        let mut dropped = 0;
        let first = self.items.iter().find_map(|item| match item {
            Item::Unit(waiting, _) if waiting.kind == unit.kind => Some(waiting.dts),
            _ => None,
        });
        if first.is_some_and(|first| unit.dts.0.saturating_sub(first.0) > BOUND.0) {
            dropped += self.drop_waiting(unit.kind);
            self.skipping |= unit.kind == TrackKind::Video;
        }
        if unit.kind == TrackKind::Video {
            if self.skipping && !unit.keyframe {
                return dropped + 1;
            }
            self.skipping = false;
        }
        self.items.push_back(Item::Unit(unit, cut));
        dropped
    }

    /// All that waits of a track, but for how it is coded.
    fn drop_waiting(&mut self, kind: TrackKind) -> u64 {
        let of_track = |item: &&Item| matches!(item, Item::Unit(unit, _) if unit.kind == kind);
        let dropped = self.items.iter().filter(of_track).count();
        self.items.retain(|item| item.kind() != kind);
        let config = self.config(kind).clone();
        self.items.extend(config.map(Item::Config));
        dropped as u64
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn unit(ms: i64, keyframe: bool) -> Media {
        unit_of(TrackKind::Video, ms, keyframe)
    }

    fn unit_of(kind: TrackKind, ms: i64, keyframe: bool) -> Media {
        let at = Timestamp::from_ms(ms);
        let data = Bytes::from_static(b"x");
        Media::Unit(Unit {
            kind,
            dts: at,
            pts: at,
            keyframe,
            data,
        })
    }

    fn waiting_ms(queue: &Queue) -> Vec<i64> {
        waiting_ms_of(TrackKind::Video, queue)
    }

    fn waiting_ms_of(kind: TrackKind, queue: &Queue) -> Vec<i64> {
        let items = &queue.lock().items;
        let units = items.iter().filter_map(|item| match item {
            Item::Unit(unit, _) if unit.kind == kind => Some(unit.dts.0 / 90),
            _ => None,
        });
        units.collect()
    }

    #[test]
    fn a_full_queue_drops_up_to_the_next_idr_and_counts() {
        let queue = Queue::new(Counter::default());
        for ms in (0..=3000).step_by(500) {
            queue.push(unit(ms, ms == 0), false);
        }
        assert!(waiting_ms(&queue).is_empty(), "3 s would wait");
        queue.push(unit(3500, false), false);
        queue.push(unit(4000, true), true);
        queue.push(unit(4500, false), false);
        assert_eq!(waiting_ms(&queue), [4000, 4500]);
        assert_eq!(queue.dropped.get(), 8);
    }

    #[test]
    fn neither_track_is_dropped_for_the_other() {
        let queue = Queue::new(Counter::default());
        queue.push(unit(0, true), true);
        for ms in (0..=2600).step_by(200) {
            queue.push(unit_of(TrackKind::Audio, ms, true), false);
        }
        assert_eq!(waiting_ms(&queue), [0]);
        assert_eq!(waiting_ms_of(TrackKind::Audio, &queue), [2600]);
        assert_eq!(queue.dropped.get(), 13);

        queue.push(unit(2600, false), false);
        assert!(waiting_ms(&queue).is_empty(), "from 0 on");
        queue.push(unit_of(TrackKind::Audio, 2700, true), false);
        queue.push(unit(2700, false), false);
        assert!(waiting_ms(&queue).is_empty(), "audio begins no GOP");
        assert_eq!(waiting_ms_of(TrackKind::Audio, &queue), [2600, 2700]);
    }

    #[tokio::test]
    async fn a_closed_queue_gives_what_it_holds_and_then_nothing() {
        let queue = Queue::new(Counter::default());
        queue.push(unit(0, true), true);
        queue.close();
        queue.push(unit(100, false), false);
        assert!(matches!(queue.pop().await, Some(Item::Unit(_, true))));
        assert_eq!(queue.pop().await, None);
    }
}
