//! Which generation decides what.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sha2::{Digest, Sha256};
use weir_model::token;

use super::Module;

/// One edge module in use.
pub(crate) struct Generation {
    pub(super) module: Module,
    pub(super) namespace: Box<str>,
    /// Its own in this process.
    pub(super) number: u64,
}

impl Generation {
    /// `module` with cache keys that begin with `namespace`.
    pub(crate) fn new(module: Module, namespace: String) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Self {
            module,
            namespace: namespace.into(),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// The generations in use at a time.
pub(super) struct LineUp {
    /// Counts line-ups.
    pub(super) change: u64,
    pub(super) stable: Arc<Generation>,
    pub(super) trial: Option<Trial>,
}

impl LineUp {
    pub(super) fn new(stable: Generation) -> Self {
        Self {
            change: 0,
            stable: Arc::new(stable),
            trial: None,
        }
    }

    pub(super) fn is_on_trial(&self, generation: u64) -> bool {
        let number = self.trial.as_ref().map(|trial| trial.generation.number);
        number == Some(generation)
    }
}

/// A candidate and what it decides.
#[derive(Clone)]
pub(super) struct Trial {
    pub(super) generation: Arc<Generation>,
    pub(super) share: Share,
}

impl Trial {
    /// Whether the candidate decides about a request for `path`. A video is its or not, whatever
    /// is asked of it, here as at every other PoP; what is of no video comes last of all.
    pub(super) fn decides(&self, path: &str) -> bool {
        match (self.share, video(path)) {
            (Share::ALL, _) => true,
            (_, None) => false,
            (share, Some(video)) => place(&self.generation.namespace, video) < share.0,
        }
    }
}

/// A part of all videos, in ten-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u16);

impl Share {
    /// All videos, and requests for what is of none.
    pub(crate) const ALL: Self = Self(10_000);

    /// So many of a hundred videos.
    pub(crate) const fn percent(percent: u16) -> Self {
        Self(percent * 100)
    }

    /// In ten-thousandths.
    pub(crate) fn ten_thousandths(self) -> u16 {
        self.0
    }

    /// The share that lies `done` (0 to 1) of the way from this one to `to`.
    pub(crate) fn towards(self, to: Self, done: f64) -> Self {
        let way = f64::from(to.0) - f64::from(self.0);
        Self((f64::from(self.0) + way * done.clamp(0.0, 1.0)) as u16)
    }
}

/// Where a video stands in the order in which a candidate is given all of them, below 10,000.
/// Each candidate has an order of its own, so that no video is always the first.
fn place(namespace: &str, video: &str) -> u16 {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(namespace)
        .chain_update([0])
        .chain_update(video)
        .finalize()
        .into();
    let [a, b, c, d, ..] = digest;
    (u32::from_le_bytes([a, b, c, d]) % u32::from(Share::ALL.0)) as u16
}

/// The id of the video that a path is about, as it is written there.
fn video(path: &str) -> Option<&str> {
    let path = token::bare(path);
    let of_video = path
        .strip_prefix("/v/")
        .or_else(|| path.strip_prefix("/api/v1/videos/"));
    of_video?.split('/').next().filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_is_found_in_all_that_is_asked_of_it() {
        let check = |path, expected| assert_eq!(video(path), expected, "{path}");
        check("/v/oabc/index.m3u8", Some("oabc"));
        check("/v/oabc/3/480p/1.m4s", Some("oabc"));
        check("/t/a.b.c/v/oabc/index.m3u8", Some("oabc"));
        check("/api/v1/videos/oabc", Some("oabc"));
        check("/t/a.b.c/api/v1/videos/oabc/room", Some("oabc"));
        check("/api/v1/videos/oabc/comments", Some("oabc"));
        for path in [
            "/",
            "/v/",
            "/v//x",
            "/t/a.b.c",
            "/api/v1/videos",
            "/api/v1/stats",
            "/watch/oabc",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn shares_grow_and_hold_as_many_videos_as_they_say() {
        let videos: Vec<_> = (0..20_000).map(|n| format!("o{n}")).collect();
        let within = |share: Share| {
            videos
                .iter()
                .filter(move |video| place("a", video) < share.0)
        };
        let (one, ten) = (
            within(Share::percent(1)).count(),
            within(Share::percent(10)).count(),
        );
        assert!((150..250).contains(&one), "{one}");
        assert!((1800..2200).contains(&ten), "{ten}");
        // Another candidate begins with other videos.
        let again = within(Share::percent(10)).filter(|video| place("b", video) < 1000);
        assert!(again.count() < ten / 5);
    }

    #[test]
    fn a_share_goes_from_one_to_the_next() {
        let (ten, all) = (Share::percent(10), Share::ALL);
        assert_eq!(ten.towards(all, 0.0), ten);
        assert_eq!(ten.towards(all, 0.5), Share::percent(55));
        assert_eq!(ten.towards(all, 2.0), all);
    }
}
