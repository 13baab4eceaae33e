//! Answers by target, bounded in bytes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use quick_cache::Weighter;

use crate::growth::Grown;

/// What an answer consists of.
#[derive(Clone, Debug)]
pub(crate) enum StoredBody {
    /// All of it.
    Whole(Bytes),
    /// What has come of it, and what comes.
    Growing(Grown),
}

/// An answer of the origin, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) head: HeaderMap,
    pub(crate) body: StoredBody,
    /// When it came.
    pub(crate) at: Instant,
    fresh_until: Instant,
    stale_until: Instant,
    /// Whether it stands in for a newer answer that could not be had.
    pub(crate) stands_in: bool,
}

impl Stored {
    /// An answer that is fresh for `fresh` and may stand in for `stale` after that.
    pub(crate) fn new(
        status: StatusCode,
        head: HeaderMap,
        body: StoredBody,
        fresh: Duration,
        stale: Duration,
    ) -> Self {
        let at = Instant::now();
        let fresh_until = at + fresh;
        Self {
            status,
            head,
            body,
            at,
            fresh_until,
            stale_until: fresh_until + stale,
            stands_in: false,
        }
    }

    /// The same with all of its body.
    pub(crate) fn completed(&self, body: Bytes) -> Self {
        Self {
            body: StoredBody::Whole(body),
            ..self.clone()
        }
    }

    fn is_fresh(&self) -> bool {
        let broken = matches!(&self.body, StoredBody::Growing(grown) if grown.is_broken());
        Instant::now() < self.fresh_until && !broken
    }

    /// This answer in place of a newer one for `span`, unless it is too old for that.
    fn stand_in(&self, span: Duration) -> Option<Self> {
        let now = Instant::now();
        let fresh_until = (now + span).min(self.stale_until);
        (now < self.stale_until).then(|| Self {
            fresh_until,
            stands_in: true,
            ..self.clone()
        })
    }
}

/// The bodies weigh, and what comes with each.
#[derive(Clone)]
struct ByBytes;

/// About what key, header and bookkeeping of an entry take.
const ENTRY_BYTES: u64 = 1024;

impl Weighter<Arc<str>, Arc<Stored>> for ByBytes {
    fn weight(&self, target: &Arc<str>, stored: &Arc<Stored>) -> u64 {
        // What grows is weighed when it is whole.
        let body = match &stored.body {
            StoredBody::Whole(body) => body.len(),
            StoredBody::Growing(_) => 0,
        };
        (target.len() + body) as u64 + ENTRY_BYTES
    }
}

/// The cache of one PoP.
pub(crate) struct Cache(quick_cache::sync::Cache<Arc<str>, Arc<Stored>, ByBytes>);

impl Cache {
    pub(crate) fn new(bytes: u64) -> Self {
        let about_entries = usize::try_from(bytes / (64 * ENTRY_BYTES)).unwrap_or(usize::MAX);
        Self(quick_cache::sync::Cache::with_weighter(
            about_entries,
            bytes,
            ByBytes,
        ))
    }

    /// A fresh answer to `target`.
    pub(crate) fn fresh(&self, target: &str) -> Option<Arc<Stored>> {
        self.0.get(target).filter(|stored| stored.is_fresh())
    }

    /// Puts the last answer to `target` in the place of one that could not be had, for `span`.
    pub(crate) fn stand_in(&self, target: &Arc<str>, span: Duration) -> Option<Arc<Stored>> {
        let stored = Arc::new(self.0.get(target)?.stand_in(span)?);
        self.0.insert(target.clone(), stored.clone());
        Some(stored)
    }

    pub(crate) fn insert(&self, target: Arc<str>, stored: Arc<Stored>) {
        self.0.insert(target, stored);
    }

    /// Bytes that the answers take.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.weight()
    }
}
