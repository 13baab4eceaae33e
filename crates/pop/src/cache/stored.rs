//! An answer, in few bytes.
//!
//! What hyper gives as a header value is a slice of the buffer that it was read into, and kept as
//! it is would keep that buffer; so all that is stored is copied. And most fields of an answer are
//! those of its plan, which is the same for thousands of answers; they are kept once, as a map and as
//! the lines that HTTP/1.1 makes of them.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Body;
use crate::{respond::OURS, shelf::Life};

/// An answer of the origin, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) head: Head,
    pub(crate) body: Body,
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
    planned: Arc<Planned>,
    /// Those of the origin, without any that the plan names.
    own: Box<[(HeaderName, HeaderValue)]>,
}

/// The header fields that a plan names.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    map: HeaderMap,
    lines: Box<[u8]>,
}

impl From<HeaderMap> for Planned {
    fn from(map: HeaderMap) -> Self {
        let mut lines = Vec::new();
        for (name, value) in &map {
            push_line(&mut lines, name, value);
        }
        let lines = lines.into();
        Self { map, lines }
    }
}

impl Head {
    /// The fields of `own` are copied, but for those that are `planned`.
    pub(crate) fn new(planned: Arc<Planned>, own: &HeaderMap) -> Self {
        let copied = |(name, value): (&HeaderName, &HeaderValue)| {
            let leave = planned.map.contains_key(name) || OURS.contains(name);
            (!leave).then(|| (name.clone(), copy(value)))
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
            .or_else(|| self.planned.map.get(name))
    }

    pub(crate) fn planned(&self) -> &HeaderMap {
        &self.planned.map
    }

    pub(crate) fn own(&self) -> &[(HeaderName, HeaderValue)] {
        &self.own
    }

    /// All of them, in a map with room for a few more.
    pub(crate) fn to_map(&self) -> HeaderMap {
        const MORE: usize = 4;
        let planned = &self.planned.map;
        let mut map = HeaderMap::with_capacity(planned.len() + self.own.len() + MORE);
        for (name, value) in planned {
            map.append(name, value.clone());
        }
        for (name, value) in &*self.own {
            map.append(name, value.clone());
        }
        map
    }

    /// The same as lines of HTTP/1.1, but for the field `left_out` of the origin.
    pub(crate) fn push_lines(&self, lines: &mut Vec<u8>, left_out: Option<&HeaderName>) {
        lines.extend_from_slice(&self.planned.lines);
        for (name, value) in &*self.own {
            if Some(name) != left_out {
                push_line(lines, name, value);
            }
        }
    }
}

/// A field line (RFC 9112 section 5).
pub(crate) fn push_line(lines: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    lines.extend_from_slice(name.as_str().as_bytes());
    lines.extend_from_slice(b": ");
    lines.extend_from_slice(value.as_bytes());
    lines.extend_from_slice(b"\r\n");
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
pub(crate) struct Templates(Mutex<Vec<Arc<Planned>>>);

/// Plans differ in class and in little else.
const MOST_TEMPLATES: usize = 64;

impl Templates {
    /// The one copy of `fields`, without those that say what became of the answer here: a plan
    /// cannot know.
    pub(crate) fn intern(&self, mut fields: HeaderMap) -> Arc<Planned> {
        for ours in &OURS {
            fields.remove(ours);
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.iter().find(|known| known.map == fields) {
            return known.clone();
        }
        let planned = Arc::new(Planned::from(fields));
        if known.len() < MOST_TEMPLATES {
            known.push(planned.clone());
        }
        planned
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, TRANSFER_ENCODING};

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
        let lines = |left_out| {
            let mut lines = Vec::new();
            head.push_lines(&mut lines, left_out);
            String::from_utf8(lines).unwrap()
        };
        assert_eq!(lines(None), "cache-control: no-cache\r\netag: \"a\"\r\n");
        assert_eq!(lines(Some(&ETAG)), "cache-control: no-cache\r\n");
        let other = Head::new(planned(), &HeaderMap::new());
        assert!(Arc::ptr_eq(&head.planned, &other.planned));
    }

    #[test]
    fn nobody_else_says_what_became_of_the_answer_here() {
        let fields = [(CONTENT_LENGTH, "7"), (TRANSFER_ENCODING, "chunked")];
        let planned = Templates::default().intern(map(&fields));
        let head = Head::new(planned, &map(&fields));
        assert!(head.to_map().is_empty());
        let mut lines = Vec::new();
        head.push_lines(&mut lines, None);
        assert!(lines.is_empty());
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
