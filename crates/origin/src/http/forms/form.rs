//! One rendering, in every encoding that was asked for.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use super::{Kind, encoding::Encoding};
use crate::metrics::Metrics;

/// Half of a SHA-256: what a body is known by.
pub type Digest = [u8; 16];

/// What a renderer made.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The whole of it.
    pub body: Bytes,
    /// Its media type.
    pub content_type: HeaderValue,
    /// How long it stays true.
    pub cache_control: HeaderValue,
}

impl Rendered {
    /// What it is known by, header fields included.
    pub fn digest(&self) -> Digest {
        let hash = Sha256::new()
            .chain_update(&self.content_type)
            .chain_update([b'\n'])
            .chain_update(&self.cache_control)
            .chain_update([b'\n'])
            .chain_update(&self.body)
            .finalize();
        std::array::from_fn(|i| hash[i])
    }
}

/// A rendering, and what it is compressed. Compressing is done once for each encoding, by a thread
/// that may block, when the first one asks for it.
#[derive(Debug)]
pub struct Form {
    kind: Kind,
    rendered: Rendered,
    tag: String,
    gzip: OnceCell<Option<Bytes>>,
    brotli: OnceCell<Option<Bytes>>,
    metrics: Metrics,
}

impl Form {
    pub(super) fn new(kind: Kind, rendered: Rendered, metrics: &Metrics) -> Self {
        metrics.rendered(kind.as_str(), Encoding::Identity.as_str());
        Self {
            kind,
            tag: HEXLOWER.encode(&rendered.digest()),
            rendered,
            gzip: OnceCell::new(),
            brotli: OnceCell::new(),
            metrics: metrics.clone(),
        }
    }

    /// Bytes of the body as it was rendered.
    pub fn size(&self) -> usize {
        self.rendered.body.len()
    }

    /// The answer to a request with this head: in the encoding that it likes best, or 304.
    pub async fn answer(&self, request: &HeaderMap) -> Response {
        let wanted = Encoding::accepted(request);
        let (encoding, body) = match self.compressed(wanted).await {
            Some(body) => (wanted, body),
            None => (Encoding::Identity, self.rendered.body.clone()),
        };
        let tag = match encoding {
            Encoding::Identity => format!("\"{}\"", self.tag),
            other => format!("\"{}-{}\"", self.tag, other.as_str()),
        };
        let is_known = knows(request, &tag);
        let mut response = match is_known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => Body::from(body).into_response(),
        };
        let head = response.headers_mut();
        let mut set = |name: HeaderName, value: HeaderValue| head.insert(name, value);
        set(header::CACHE_CONTROL, self.rendered.cache_control.clone());
        set(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            set(header::ETAG, tag);
        }
        if !is_known {
            set(header::CONTENT_TYPE, self.rendered.content_type.clone());
            if encoding != Encoding::Identity {
                let coding = HeaderValue::from_static(encoding.as_str());
                set(header::CONTENT_ENCODING, coding);
            }
        }
        response
    }

    /// The body in this encoding, unless that is no smaller.
    async fn compressed(&self, encoding: Encoding) -> Option<Bytes> {
        let cell = match encoding {
            Encoding::Identity => return None,
            Encoding::Gzip => &self.gzip,
            Encoding::Brotli => &self.brotli,
        };
        let compress = || async {
            self.metrics.rendered(self.kind.as_str(), encoding.as_str());
            let body = self.rendered.body.clone();
            let task = tokio::task::spawn_blocking(move || encoding.encode(&body));
            // A task that panicked leaves it as it is.
            task.await.ok().flatten().map(Bytes::from)
        };
        cell.get_or_init(compress).await.clone()
    }
}

/// Whether `If-None-Match` names this entity tag (RFC 9110 section 13.1.2).
fn knows(request: &HeaderMap, tag: &str) -> bool {
    let fields = request.get_all(header::IF_NONE_MATCH).iter();
    let known = fields.filter_map(|field| field.to_str().ok());
    known.flat_map(|field| field.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}
