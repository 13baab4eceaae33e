//! Which origin has which video: what origins say themselves, and what was learned by asking.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use weir_model::{
    Epoch, VideoId,
    edge::{Lease, Leases, MAX_LEASES},
};

/// Number of an origin, in the order in which they were named.
pub type OriginId = usize;

/// How long what a search found is believed. An origin that has the video no more says so.
const FOUND_FOR: Duration = Duration::from_secs(600);
/// How long a video that no origin has is not searched for again.
const NOWHERE_FOR: Duration = Duration::from_secs(1);
/// Most results of searches that are kept.
const MOST_FOUND: usize = 65_536;

/// What is known of a video's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// This origin has it.
    At(OriginId),
    /// A moment ago no origin had it.
    Nowhere,
    /// Nobody has been asked yet.
    Unknown,
}

/// The directory of leases: video → (origin, epoch).
///
/// Each origin tells which videos are on air there. Where two claim the same one, as during a move,
/// the higher epoch is right, and of equal ones the origin that was named first. Others (recordings,
/// videos that wait) are found by asking the origins in order, and remembered.
#[derive(Debug)]
pub struct Directory {
    on_air: Vec<OnAir>,
    found: HashMap<VideoId, Found>,
}

#[derive(Debug, Default)]
struct OnAir {
    version: Option<u64>,
    epochs: HashMap<VideoId, Option<Epoch>>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    origin: Option<OriginId>,
    until: Instant,
}

impl Directory {
    /// A directory of so many origins; with one, everything is there.
    pub fn new(origins: usize) -> Self {
        Self {
            on_air: (0..origins).map(|_| OnAir::default()).collect(),
            found: HashMap::new(),
        }
    }

    /// Where `video` is.
    pub fn look_up(&self, video: VideoId, now: Instant) -> Place {
        if self.on_air.len() == 1 {
            return Place::At(0);
        }
        if let Some((origin, _)) = self.leased(video) {
            return Place::At(origin);
        }
        match self.found.get(&video) {
            Some(found) if now < found.until => found.origin.map_or(Place::Nowhere, Place::At),
            _ => Place::Unknown,
        }
    }

    /// The lease of a video that is on air.
    pub fn leased(&self, video: VideoId) -> Option<(OriginId, Option<Epoch>)> {
        let claims = self.on_air.iter().enumerate().rev();
        claims
            .filter_map(|(origin, on_air)| Some((origin, *on_air.epochs.get(&video)?)))
            // The last of equals, and so the first that was named.
            .max_by_key(|(_, epoch)| *epoch)
    }

    /// The version of the list that `origin` told last.
    pub fn version(&self, origin: OriginId) -> Option<u64> {
        self.on_air.get(origin)?.version
    }

    /// How many videos are on air at `origin`.
    pub fn count(&self, origin: OriginId) -> usize {
        self.on_air
            .get(origin)
            .map_or(0, |on_air| on_air.epochs.len())
    }

    /// `origin` told its list. What is longer than [`MAX_LEASES`] is cut.
    pub fn told(&mut self, origin: OriginId, leases: Leases) {
        let Some(on_air) = self.on_air.get_mut(origin) else {
            return;
        };
        on_air.version = Some(leases.version);
        let videos = leases.videos.into_iter().take(MAX_LEASES);
        on_air.epochs = videos
            .map(|Lease { video, epoch }| (video, epoch))
            .collect();
    }

    /// A search came to its end: `origin` has the video, or none has.
    pub fn searched(&mut self, video: VideoId, origin: Option<OriginId>, now: Instant) {
        if self.found.len() >= MOST_FOUND {
            self.found.retain(|_, found| now < found.until);
        }
        if self.found.len() >= MOST_FOUND {
            // Under so many at once, whose videos were asked for first says nothing.
            self.found.clear();
        }
        let keep = if origin.is_some() {
            FOUND_FOR
        } else {
            NOWHERE_FOR
        };
        let until = now + keep;
        self.found.insert(video, Found { origin, until });
    }

    /// `origin` says that it has not got the video.
    pub fn misdirected(&mut self, video: VideoId, origin: OriginId) {
        if let Some(on_air) = self.on_air.get_mut(origin) {
            on_air.epochs.remove(&video);
        }
        if self
            .found
            .get(&video)
            .is_some_and(|found| found.origin == Some(origin))
        {
            self.found.remove(&video);
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_model::Access;

    use super::*;

    fn video(n: u64) -> VideoId {
        VideoId::from_random(n, Access::Open)
    }

    fn leases(version: u64, videos: &[(u64, u32)]) -> Leases {
        let lease = |&(n, epoch): &(u64, u32)| Lease {
            video: video(n),
            epoch: Some(Epoch(epoch)),
        };
        Leases {
            version,
            videos: videos.iter().map(lease).collect(),
        }
    }

    #[test]
    fn with_one_origin_there_is_nothing_to_know() {
        let directory = Directory::new(1);
        assert_eq!(directory.look_up(video(1), Instant::now()), Place::At(0));
    }

    #[test]
    fn origins_tell_and_the_higher_epoch_is_right() {
        let now = Instant::now();
        let mut directory = Directory::new(3);
        assert_eq!(directory.look_up(video(1), now), Place::Unknown);
        directory.told(0, leases(7, &[(1, 2)]));
        directory.told(1, leases(3, &[(1, 2), (2, 1)]));
        assert_eq!(directory.version(0), Some(7));
        assert_eq!(directory.look_up(video(1), now), Place::At(0));
        assert_eq!(directory.look_up(video(2), now), Place::At(1));
        directory.told(2, leases(1, &[(1, 3)]));
        assert_eq!(directory.leased(video(1)), Some((2, Some(Epoch(3)))));
        directory.told(1, leases(4, &[]));
        assert_eq!(directory.look_up(video(2), now), Place::Unknown);
        assert_eq!(directory.count(1), 0);
    }

    #[test]
    fn what_was_found_is_believed_until_the_origin_denies_it() {
        let now = Instant::now();
        let mut directory = Directory::new(2);
        directory.searched(video(1), Some(1), now);
        assert_eq!(directory.look_up(video(1), now), Place::At(1));
        directory.misdirected(video(1), 0);
        assert_eq!(directory.look_up(video(1), now), Place::At(1));
        directory.misdirected(video(1), 1);
        assert_eq!(directory.look_up(video(1), now), Place::Unknown);

        directory.searched(video(1), None, now);
        assert_eq!(directory.look_up(video(1), now), Place::Nowhere);
        assert_eq!(
            directory.look_up(video(1), now + NOWHERE_FOR),
            Place::Unknown
        );
    }

    #[test]
    fn searches_for_what_is_made_up_fill_no_memory() {
        let mut now = Instant::now();
        let mut directory = Directory::new(2);
        for n in 0..3 * MOST_FOUND as u64 {
            now += Duration::from_micros(1);
            directory.searched(video(n), None, now);
        }
        assert!(directory.found.len() <= MOST_FOUND);
    }
}
