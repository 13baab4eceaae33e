//! The broadcasts: what they make and when, as their origins would.

use weir_model::{Access, Epoch, Msn, PartIndex, VideoId};

use super::queue::Micros;

/// Parts of a segment.
pub(crate) const PARTS: u64 = 6;
/// Length of a segment in microseconds.
pub(crate) const SEGMENT: Micros = 2_000_000;
/// Number of a part that is complete at the beginning: broadcasts have been on for a while.
const FIRST_PART: u64 = PARTS * 500;

/// What a broadcast offers: pictures from the best down, and sound.
pub(crate) const RENDITIONS: [Rendition; 5] = [
    rendition("source", 6000),
    rendition("720p", 3000),
    rendition("480p", 1200),
    rendition("240p", 400),
    rendition("audio", 128),
];
/// Its place among them.
pub(crate) const AUDIO: usize = RENDITIONS.len() - 1;

/// A rendition of every broadcast.
pub(crate) struct Rendition {
    pub(crate) name: &'static str,
    pub(crate) kbps: u32,
}

const fn rendition(name: &'static str, kbps: u32) -> Rendition {
    Rendition { name, kbps }
}

/// One rendition of one broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stream(pub(crate) u32);

impl Stream {
    pub(crate) fn new(broadcast: u32, rendition: usize) -> Self {
        Self(broadcast * RENDITIONS.len() as u32 + rendition as u32)
    }

    pub(crate) fn broadcast(self) -> u32 {
        self.0 / RENDITIONS.len() as u32
    }

    pub(crate) fn rendition(self) -> &'static Rendition {
        &RENDITIONS[self.0 as usize % RENDITIONS.len()]
    }

    pub(crate) fn is_audio(self) -> bool {
        self.0 as usize % RENDITIONS.len() == AUDIO
    }

    /// The audio that goes with it.
    pub(crate) fn audio(self) -> Self {
        Self::new(self.broadcast(), AUDIO)
    }
}

/// One broadcast.
pub(crate) struct Broadcast {
    pub(crate) video: VideoId,
    /// Which origin it is on air at.
    pub(crate) origin: u16,
    /// A segment begins so long after the beginning.
    phase: Micros,
}

impl Broadcast {
    pub(crate) const EPOCH: Epoch = Epoch(1);

    pub(crate) fn new(random: &mut fastrand::Rng, origin: u16) -> Self {
        Self {
            video: VideoId::from_random(random.u64(..), Access::Open),
            origin,
            phase: random.u64(..SEGMENT),
        }
    }

    /// When part `k`, counted through all segments, is complete at its origin. What was complete
    /// before the beginning is so at 0.
    pub(crate) fn complete_at(&self, k: u64) -> Micros {
        let since = (k + 1).saturating_sub(FIRST_PART);
        match since {
            0 => 0,
            since => (self.phase + since * SEGMENT / PARTS).saturating_sub(SEGMENT),
        }
    }

    /// The last part that is complete at `at`.
    pub(crate) fn last_part(&self, at: Micros) -> u64 {
        let parts = (at + SEGMENT - self.phase) * PARTS / SEGMENT;
        let mut last = FIRST_PART + parts - 1;
        // Part lengths are no whole microseconds.
        while self.complete_at(last + 1) <= at {
            last += 1;
        }
        while last >= FIRST_PART && self.complete_at(last) > at {
            last -= 1;
        }
        last
    }
}

/// The position of part `k` in its segment.
pub(crate) fn position(k: u64) -> (Msn, PartIndex) {
    (Msn(k / PARTS), PartIndex((k % PARTS) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_complete_one_after_the_other() {
        let broadcast = Broadcast::new(&mut fastrand::Rng::with_seed(7), 0);
        let mut last = 0;
        for at in (0..10 * SEGMENT).step_by(997) {
            let k = broadcast.last_part(at);
            assert!(broadcast.complete_at(k) <= at && broadcast.complete_at(k + 1) > at);
            assert!(last == 0 || k == last || k == last + 1);
            last = k;
        }
        let (a, b) = (FIRST_PART + 12, FIRST_PART + 18);
        assert_eq!(broadcast.complete_at(b) - broadcast.complete_at(a), SEGMENT);
    }
}
