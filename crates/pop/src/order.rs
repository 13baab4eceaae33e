//! A plan to fetch, kept past the guest call that made it.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use weir_edge_abi::{Class, Fields, Forward, Serve};

/// An owned [`Serve`].
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) class: Class,
    pub(crate) target: Arc<str>,
    /// Header fields of an answer that is no error.
    pub(crate) fields: HeaderMap,
    pub(crate) fresh: Duration,
    pub(crate) error: Duration,
    pub(crate) stale: Duration,
    pub(crate) wait: Duration,
    pub(crate) held: bool,
}

impl Order {
    pub(crate) fn new(class: Class, serve: &Serve<'_>) -> Self {
        let mut fields = header_map(&serve.fields);
        if let Ok(cache_control) = HeaderValue::from_str(serve.cache_control) {
            fields.insert(header::CACHE_CONTROL, cache_control);
        }
        Self {
            class,
            target: Arc::from(&*serve.target),
            fields,
            fresh: ms(serve.fresh_ms),
            error: ms(serve.error_ms),
            stale: ms(serve.stale_ms),
            wait: ms(serve.wait_ms),
            held: serve.held,
        }
    }

    /// Whether the answer may be passed on while it comes: of segments, those alone are held that
    /// are asked for before they are complete.
    pub(crate) fn grows(&self) -> bool {
        self.held && self.class == Class::Segment
    }
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
}

impl Errand {
    pub(crate) fn new(class: Class, method: Method, forward: &Forward<'_>) -> Self {
        Self {
            method,
            class,
            target: Arc::from(&*forward.target),
            fields: header_map(&forward.fields),
            wait: ms(forward.wait_ms),
            max_body: forward.max_body as usize,
            body: forward.body,
            country: forward.country,
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
