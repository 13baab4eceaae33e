//! An answer, in few bytes.
//!
//! What hyper gives as a header value is a slice of the buffer that it was read into, and kept as
//! it is would keep that buffer; so all that is stored is copied. And most fields of an answer are
//! those of its plan, which is the same for thousands of answers; they are kept once.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::shelf::Life;

/// An answer of the origin, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

/// A stored answer, and how long it may be served.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) stored: Arc<Stored>,
    pub(crate) life: Life,
}

/// The header fields of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Those of the plan, shared by all answers to such a plan.
    planned: Arc<HeaderMap>,
    /// Those of the origin, without any that the plan names.
    own: Box<[(HeaderName, HeaderValue)]>,
}

impl Head {
    /// The fields of `own` are copied, but for those that are `planned`.
    pub(crate) fn new(planned: Arc<HeaderMap>, own: &HeaderMap) -> Self {
        let copied = |(name, value): (&HeaderName, &HeaderValue)| {
            (!planned.contains_key(name)).then(|| (name.clone(), copy(value)))
        };
        Self {
            own: own.iter().filter_map(copied).collect(),
            planned,
        }
    }

    /// The first field of that name.
    pub(crate) fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let own = self.own.iter().find(|(own, _)| own == name);
        own.map(|(_, value)| value)
            .or_else(|| self.planned.get(name))
    }

    pub(crate) fn planned(&self) -> &HeaderMap {
        &self.planned
    }

    pub(crate) fn own(&self) -> &[(HeaderName, HeaderValue)] {
        &self.own
    }

    /// All of them, in a map with room for a few more.
    pub(crate) fn to_map(&self) -> HeaderMap {
        const MORE: usize = 4;
        let mut map = HeaderMap::with_capacity(self.planned.len() + self.own.len() + MORE);
        for (name, value) in &*self.planned {
            map.append(name, value.clone());
        }
        for (name, value) in &*self.own {
            map.append(name, value.clone());
        }
        map
    }
}

/// Values that nearly every answer has one of.
const COMMON: [&str; 12] = [
    "application/vnd.apple.mpegurl",
    "application/dash+xml",
    "application/json",
    "video/mp4",
    "audio/mp4",
    "video/iso.segment",
    "text/html",
    "text/css",
    "text/javascript",
    "application/wasm",
    "gzip",
    "br",
];

/// The same value in memory of its own, or in none.
fn copy(value: &HeaderValue) -> HeaderValue {
    let common = COMMON.iter().find(|common| value == *common);
    match common {
        Some(common) => HeaderValue::from_static(common),
        // A header value always is one.
        None => HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone()),
    }
}

/// Plans' header fields, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Templates(Mutex<Vec<Arc<HeaderMap>>>);

/// Plans differ in class and in little else.
const MOST_TEMPLATES: usize = 64;

impl Templates {
    /// The one copy of `fields`.
    pub(crate) fn intern(&self, fields: HeaderMap) -> Arc<HeaderMap> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.iter().find(|known| ***known == fields) {
            return known.clone();
        }
        let fields = Arc::new(fields);
        if known.len() < MOST_TEMPLATES {
            known.push(fields.clone());
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};

    use super::*;

    fn map(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let fields = fields.iter().cloned();
        fields
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_plan_goes_before_the_origin() {
        let templates = Templates::default();
        let planned = || templates.intern(map(&[(CACHE_CONTROL, "no-cache")]));
        let head = Head::new(
            planned(),
            &map(&[(CACHE_CONTROL, "private"), (ETAG, "\"a\"")]),
        );
        assert_eq!(
            head.to_map(),
            map(&[(CACHE_CONTROL, "no-cache"), (ETAG, "\"a\"")])
        );
        assert_eq!(head.get(&CACHE_CONTROL).unwrap(), "no-cache");
        assert_eq!(head.get(&ETAG).unwrap(), "\"a\"");
        assert_eq!(head.get(&CONTENT_TYPE), None);
        let other = Head::new(planned(), &HeaderMap::new());
        assert!(Arc::ptr_eq(&head.planned, &other.planned));
    }

    #[test]
    fn nothing_of_the_buffer_that_it_was_read_into_is_kept() {
        let read = Bytes::from(b"etag: \"a\"".to_vec());
        let value = HeaderValue::from_maybe_shared(read.slice(6..)).unwrap();
        let mut origin = HeaderMap::new();
        origin.insert(ETAG, value);
        let head = Head::new(Arc::default(), &origin);
        drop(origin);
        assert!(read.is_unique());
        assert_eq!(head.get(&ETAG).unwrap(), "\"a\"");
    }
}
