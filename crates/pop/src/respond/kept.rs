//! An answer out of the cache, as it goes to one viewer.
//!
//! It stays what it is in the cache until a door sends it: as a map of fields for the libraries that
//! speak HTTP/2 and HTTP/3, or as the lines of HTTP/1.1, of which most are stored as such.

use std::{ops::RangeInclusive, sync::Arc, time::Instant};

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT_RANGES, AGE, CONTENT_RANGE},
};

use super::{
    Asked, LIVE_EDGE, ViewerResponse,
    cache_status::{CACHE_STATUS, CacheStatus},
    precondition::not_modified,
    response, whole,
};
use crate::cache::{Body, Hit, Stored};

/// A stored answer to one `GET` or `HEAD`.
#[derive(Debug)]
pub(crate) struct Kept {
    stored: Arc<Stored>,
    extent: Extent,
    cache: CacheStatus,
    age_s: Option<u64>,
    to_pop: bool,
}

/// How much of the stored answer goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Extent {
    /// All of it.
    Whole,
    /// The viewer has it.
    NotModified,
    /// This part of the body.
    Range(RangeInclusive<usize>),
    /// The body has no byte of what is wanted.
    Unsatisfiable,
}

impl Kept {
    /// `hit`, as far as it is `asked` for.
    pub(crate) fn new(hit: Hit, asked: Asked<'_>, cache: CacheStatus, now: Instant) -> Self {
        let stored = hit.stored;
        let extent = if stored.status != StatusCode::OK {
            Extent::Whole
        } else if not_modified(&stored.head, asked.head) {
            Extent::NotModified
        } else {
            match asked.range(&stored.head) {
                None => Extent::Whole,
                Some(range) => range
                    .within(stored.body.len())
                    .map_or(Extent::Unsatisfiable, Extent::Range),
            }
        };
        let is_old = matches!(cache, CacheStatus::Hit { .. } | CacheStatus::Stale);
        Self {
            stored,
            extent,
            cache,
            age_s: is_old.then(|| hit.life.age(now).as_secs()),
            to_pop: asked.by_pop,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self.extent {
            Extent::Whole => self.stored.status,
            Extent::NotModified => StatusCode::NOT_MODIFIED,
            Extent::Range(_) => StatusCode::PARTIAL_CONTENT,
            Extent::Unsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        }
    }

    /// The body that goes with that to a `GET`.
    pub(crate) fn into_body(self) -> Body {
        match &self.extent {
            Extent::Whole => self.stored.body.clone(),
            Extent::Range(range) => self.stored.body.part(range.clone()),
            Extent::NotModified | Extent::Unsatisfiable => Body::default(),
        }
    }

    /// Its fields as lines of HTTP/1.1.
    pub(crate) fn push_lines(&self, lines: &mut Vec<u8>) {
        let live_edge = LIVE_EDGE;
        let left_out = (!self.to_pop).then_some(&live_edge);
        self.stored.head.push_lines(lines, left_out);
        self.each_field(|name, value| {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.extend_from_slice(b": ");
            lines.extend_from_slice(value);
            lines.extend_from_slice(b"\r\n");
        });
    }

    pub(super) fn into_response(self) -> ViewerResponse {
        let mut head = self.stored.head.to_map();
        if !self.to_pop {
            head.remove(LIVE_EDGE);
        }
        self.add_fields(&mut head);
        response(self.status(), head, whole(self.into_body().into_bytes()))
    }

    fn add_fields(&self, head: &mut HeaderMap) {
        self.each_field(|name, value| {
            // Numbers and words are valid.
            if let Ok(value) = HeaderValue::from_bytes(value) {
                head.insert(name, value);
            }
        });
    }

    /// The fields that are not stored.
    fn each_field(&self, mut field: impl FnMut(HeaderName, &[u8])) {
        let mut status = Vec::with_capacity(48);
        self.cache.push(&mut status);
        field(CACHE_STATUS, &status);
        if let Some(age) = self.age_s {
            field(AGE, itoa::Buffer::new().format(age).as_bytes());
        }
        if self.stored.status == StatusCode::OK && self.extent != Extent::NotModified {
            field(ACCEPT_RANGES, b"bytes");
        }
        let len = self.stored.body.len();
        let range = match &self.extent {
            Extent::Range(range) => format!("bytes {}-{}/{len}", range.start(), range.end()),
            Extent::Unsatisfiable => format!("bytes */{len}"),
            Extent::Whole | Extent::NotModified => return,
        };
        field(CONTENT_RANGE, range.as_bytes());
    }
}
