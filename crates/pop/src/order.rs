//! A plan to fetch, kept past the guest call that made it.

use std::{borrow::Cow, fmt::Write, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use weir_edge_abi::{Class, Encoding, Fields, Forward, Position, Serve};
use weir_model::{TraceParent, edge::Hops};

use crate::shelf::Terms;

/// An owned [`Serve`].
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) class: Class,
    /// What to ask the origin for.
    pub(crate) target: Arc<str>,
    /// What the answer is kept under.
    pub(crate) key: Arc<str>,
    /// What the origin is asked for as `Accept-Encoding`.
    pub(crate) encoding: Encoding,
    /// Header fields of an answer that is no error.
    pub(crate) fields: HeaderMap,
    pub(crate) terms: Terms,
    pub(crate) wait: Duration,
    pub(crate) held: bool,
    /// The live stream that the answer may tell the edge of.
    pub(crate) stream: Option<Box<str>>,
    /// The points of presence that the request came through.
    pub(crate) hops: Hops,
    /// Its place in a trace.
    pub(crate) trace: Option<TraceParent>,
}

impl Order {
    /// What `serve` is for, planned by the generation with this namespace.
    pub(crate) fn new(class: Class, serve: &Serve<'_>, namespace: &str, hops: Hops) -> Self {
        let mut fields = header_map(&serve.fields);
        if let Ok(cache_control) = HeaderValue::from_str(serve.cache_control) {
            fields.insert(header::CACHE_CONTROL, cache_control);
        }
        if is_negotiated(class) {
            fields.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        Self {
            class,
            target: Arc::from(&*serve.target),
            key: Arc::from(cache_key(namespace, serve)),
            encoding: serve.encoding,
            fields,
            terms: Terms {
                fresh: ms(serve.fresh_ms),
                stale: ms(serve.stale_ms),
                error: ms(serve.error_ms),
            },
            wait: ms(serve.wait_ms),
            held: serve.held,
            stream: serve
                .position
                .as_ref()
                .map(|position| stream_key(namespace, position).into()),
            hops,
            trace: None,
        }
    }

    /// Whether the answer may be passed on while it comes: of segments, those alone are held that
    /// are asked for before they are complete.
    pub(crate) fn grows(&self) -> bool {
        self.held && self.class == Class::Segment
    }

    /// Whether the answer is worth a place on a disk: media that are asked for later than a moment
    /// after they came to be, and what may stand in for an origin that is away. Parts are in their
    /// segment, and playlists of live video are old before they are read again.
    pub(crate) fn is_lasting(&self) -> bool {
        let media = matches!(self.class, Class::Init | Class::Segment | Class::Span);
        media || !self.terms.stale.is_zero()
    }
}

/// What an answer to `serve` is kept under: the target, behind the namespace of the generation that
/// made the plan and the encoding, which never begin with the target's slash.
pub(crate) fn cache_key<'s>(namespace: &str, serve: &'s Serve<'_>) -> Cow<'s, str> {
    if namespace.is_empty() && serve.encoding == Encoding::Identity {
        return Cow::Borrowed(&serve.target);
    }
    let mut key = String::with_capacity(namespace.len() + serve.target.len() + 8);
    key.push_str(namespace);
    if serve.encoding != Encoding::Identity {
        // Writing to a string cannot fail.
        let _ = write!(key, "+{}", serve.encoding.as_str());
    }
    key.push_str(&serve.target);
    Cow::Owned(key)
}

/// What is known of a live stream is kept under this, in the same namespace as its answers: what a
/// candidate makes a stream's edge out to be is nothing to the stable generation. A stream that is in
/// no namespace has one slash, between video and rendition.
pub(crate) fn stream_key<'s>(namespace: &str, position: &'s Position<'_>) -> Cow<'s, str> {
    match namespace {
        "" => Cow::Borrowed(&position.stream),
        namespace => [namespace, "/", &position.stream].concat().into(),
    }
}

/// Whether the edge module chooses an encoding for answers of this class.
fn is_negotiated(class: Class) -> bool {
    matches!(class, Class::Playlist | Class::Multivariant | Class::Api)
}

/// An owned [`Forward`].
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    pub(crate) method: Method,
    pub(crate) class: Class,
    pub(crate) target: Arc<str>,
    /// Header fields of the answer.
    pub(crate) fields: HeaderMap,
    pub(crate) wait: Duration,
    pub(crate) max_body: usize,
    pub(crate) body: weir_edge_abi::BodyKind,
    pub(crate) country: Option<weir_edge_abi::Country>,
    /// The points of presence that the request came through.
    pub(crate) hops: Hops,
    /// Its place in a trace.
    pub(crate) trace: Option<TraceParent>,
}

impl Errand {
    pub(crate) fn new(class: Class, method: Method, forward: &Forward<'_>, hops: Hops) -> Self {
        Self {
            method,
            class,
            target: Arc::from(&*forward.target),
            fields: header_map(&forward.fields),
            wait: ms(forward.wait_ms),
            max_body: forward.max_body as usize,
            body: forward.body,
            country: forward.country,
            hops,
            trace: None,
        }
    }
}

/// The fields that are valid in HTTP; a guest that names others loses them.
pub(crate) fn header_map(fields: &Fields<'_>) -> HeaderMap {
    let valid = |(name, value): (&str, &str)| {
        Some((
            HeaderName::try_from(name).ok()?,
            HeaderValue::from_str(value).ok()?,
        ))
    };
    fields.iter().filter_map(valid).collect()
}

fn ms(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_has_entries_and_live_edges_of_its_own() {
        let position = Position {
            stream: "oabcdefghijk/480p".into(),
            msn: 7,
            part: None,
        };
        let serve = Serve {
            target: "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7".into(),
            cache_control: "no-cache",
            fields: Fields::new(&[]),
            fresh_ms: 0,
            error_ms: 0,
            stale_ms: 0,
            wait_ms: 0,
            held: true,
            encoding: Encoding::Gzip,
            position: Some(position),
        };
        let order = |namespace| Order::new(Class::Playlist, &serve, namespace, Hops::default());
        let (stable, candidate) = (order(""), order("c0ffee"));
        assert_eq!(
            (&*stable.key, stable.stream.as_deref()),
            (
                "+gzip/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7",
                Some("oabcdefghijk/480p")
            )
        );
        assert_eq!(
            (&*candidate.key, candidate.stream.as_deref()),
            (
                "c0ffee+gzip/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7",
                Some("c0ffee/oabcdefghijk/480p")
            )
        );
        assert_eq!(stable.target, candidate.target, "the origin is asked alike");
    }
}
