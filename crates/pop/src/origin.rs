//! The client towards the origin.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{self, ACCEPT_ENCODING},
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::warn;
use weir_edge_abi::BodyKind;

use crate::{
    growth::Grower,
    metrics::Metrics,
    order::{Errand, Order},
    pop::LoadError,
};

/// How long a connection to the origin may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a body may take once its head is there.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// First pause before the origin is asked again; it doubles up to [`MAX_PAUSE`].
const MIN_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_millis(500);
/// How often the origin is asked for what it need not hold.
const ATTEMPTS: u32 = 2;

/// Header fields of the origin's answers that viewers get, besides `Weir-…`.
const PASSED_ON: [HeaderName; 12] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_TYPE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    HeaderName::from_static("cross-origin-embedder-policy"),
    HeaderName::from_static("cross-origin-opener-policy"),
    HeaderName::from_static("permissions-policy"),
];

/// Header fields of a viewer's request that is sent on which the origin gets.
fn sent_on(body: BodyKind) -> &'static [HeaderName] {
    match body {
        BodyKind::Events | BodyKind::Comment => &[header::CONTENT_TYPE],
        // A publisher's stream key, and which state of its session is meant.
        BodyKind::Session => &[
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            header::IF_MATCH,
        ],
    }
}

/// Why the origin's answer could not be had.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum FetchError {
    /// No connection, or it broke before the answer's head was there.
    #[error("the origin cannot be reached")]
    Unreachable,
    /// The answer's body ended before its end.
    #[error("the origin's answer was cut short")]
    CutShort,
    /// The origin took too long.
    #[error("the origin did not answer in time")]
    TimedOut,
    /// The answer is longer than this PoP takes.
    #[error("the origin's answer is longer than this PoP takes")]
    TooLong,
    /// The guest's plan names what is no target.
    #[error("the plan's target is no path")]
    InvalidTarget,
}

/// An answer of the origin.
#[derive(Debug)]
pub(crate) struct Answer<B> {
    pub(crate) status: StatusCode,
    /// The fields that viewers get.
    pub(crate) head: HeaderMap,
    pub(crate) body: B,
}

/// The body of what was fetched.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// All of it.
    Whole(Bytes),
    /// A segment that grows: to be taken by [`Origin::pass_on`].
    Growing(Incoming),
}

/// The origin behind one PoP.
pub(crate) struct Origin {
    client: Client<HttpConnector, Full<Bytes>>,
    authority: Authority,
    pop_name: HeaderValue,
    max_bytes: usize,
    draining: AtomicBool,
}

impl Origin {
    pub(crate) fn new(uri: &Uri, pop_name: &str, max_bytes: usize) -> Result<Self, LoadError> {
        let authority = uri
            .authority()
            .filter(|_| uri.scheme() == Some(&Scheme::HTTP));
        let Some(authority) = authority.cloned() else {
            return Err(LoadError::Origin(uri.clone()));
        };
        let pop_name =
            HeaderValue::from_str(pop_name).map_err(|_| LoadError::Name(pop_name.to_owned()))?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        let draining = AtomicBool::new(false);
        Ok(Self {
            client,
            authority,
            pop_name,
            max_bytes,
            draining,
        })
    }

    /// From now on nothing is asked for again: the PoP shuts down, and the origin perhaps with it.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Fetches what `order` names. What the origin holds is asked for again for as long as it may
    /// wait: the origin may be starting anew, and viewers go on when it is back. Anything else is
    /// asked for once more.
    pub(crate) async fn fetch(
        &self,
        order: &Order,
        metrics: &Metrics,
    ) -> Result<Answer<Fetched>, FetchError> {
        let deadline = Instant::now() + order.wait;
        let mut pause = MIN_PAUSE;
        let mut attempt = 0;
        loop {
            attempt += 1;
            metrics.asked_origin(order.class);
            let request = self.request(Method::GET, &order.target)?;
            let request = request.map(|()| Full::default());
            let error = match self.ask(request, deadline, order.grows()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let passing = matches!(error, FetchError::Unreachable | FetchError::CutShort);
            let draining = self.draining.load(Ordering::Relaxed);
            let again = passing && !draining && (order.held || attempt < ATTEMPTS);
            warn!(target = &*order.target, attempt, again, %error, "origin failed");
            if !again || Instant::now() + pause > deadline {
                return Err(error);
            }
            sleep(pause).await;
            pause = (2 * pause).min(MAX_PAUSE);
        }
    }

    /// Sends a viewer's request on, once: it may have done its work even if the answer is lost.
    pub(crate) async fn send(
        &self,
        errand: &Errand,
        head: &HeaderMap,
        body: Bytes,
        metrics: &Metrics,
    ) -> Result<Answer<Bytes>, FetchError> {
        metrics.asked_origin(errand.class);
        let mut request = self.request(errand.method.clone(), &errand.target)?;
        for name in sent_on(errand.body) {
            if let Some(value) = head.get(name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        if let Some(country) = errand
            .country
            .and_then(|c| HeaderValue::from_str(c.as_str()).ok())
        {
            request.headers_mut().insert("weir-country", country);
        }
        let deadline = Instant::now() + errand.wait;
        let response = self
            .head(request.map(|()| Full::new(body)), deadline)
            .await?;
        self.whole(response).await
    }

    /// Passes a growing body on as it comes, and gives the whole of it.
    pub(crate) async fn pass_on(
        &self,
        mut body: Incoming,
        grower: &Grower,
    ) -> Result<Bytes, FetchError> {
        let mut whole = BytesMut::new();
        let copy = async {
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(|_| FetchError::CutShort)?.into_data() else {
                    continue;
                };
                if whole.len() + data.len() > self.max_bytes {
                    return Err(FetchError::TooLong);
                }
                whole.extend_from_slice(&data);
                grower.push(data);
            }
            Ok(())
        };
        timeout(BODY_TIMEOUT, copy)
            .await
            .map_err(|_| FetchError::TimedOut)??;
        Ok(whole.freeze())
    }

    /// Nothing of the viewer's own request goes to the origin but what is put here.
    fn request(&self, method: Method, target: &str) -> Result<Request<()>, FetchError> {
        let target = PathAndQuery::try_from(target).map_err(|_| FetchError::InvalidTarget)?;
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(target)
            .build()
            .map_err(|_| FetchError::InvalidTarget)?;
        Request::builder()
            .method(method)
            .uri(uri)
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .header("weir-pop", self.pop_name.clone())
            .body(())
            .map_err(|_| FetchError::InvalidTarget)
    }

    async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
        may_grow: bool,
    ) -> Result<Answer<Fetched>, FetchError> {
        let response = self.head(request, deadline).await?;
        // Of what is complete the origin tells the length.
        let grows = may_grow
            && response.status() == StatusCode::OK
            && response.headers().contains_key(header::TRANSFER_ENCODING);
        if grows {
            let (parts, body) = response.into_parts();
            return Ok(Answer {
                status: parts.status,
                head: passed_on(&parts.headers),
                body: Fetched::Growing(body),
            });
        }
        let Answer { status, head, body } = self.whole(response).await?;
        let body = Fetched::Whole(body);
        Ok(Answer { status, head, body })
    }

    async fn head(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<Response<Incoming>, FetchError> {
        timeout_at(deadline, self.client.request(request))
            .await
            .map_err(|_| FetchError::TimedOut)?
            .map_err(|_| FetchError::Unreachable)
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Answer<Bytes>, FetchError> {
        timeout(BODY_TIMEOUT, self.read(response))
            .await
            .map_err(|_| FetchError::TimedOut)?
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Answer<Bytes>, FetchError> {
        let (parts, mut body) = response.into_parts();
        // Without a length or chunks a body ends with its connection, whole or not.
        let framed = parts.headers.contains_key(header::CONTENT_LENGTH)
            || parts.headers.contains_key(header::TRANSFER_ENCODING)
            || body.is_end_stream();
        if !framed {
            return Err(FetchError::CutShort);
        }
        let expected = body.size_hint().exact().unwrap_or(0);
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        if expected > self.max_bytes {
            return Err(FetchError::TooLong);
        }
        let mut whole = BytesMut::with_capacity(expected);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| FetchError::CutShort)?.into_data() else {
                continue;
            };
            if whole.len() + data.len() > self.max_bytes {
                return Err(FetchError::TooLong);
            }
            whole.extend_from_slice(&data);
        }
        Ok(Answer {
            status: parts.status,
            head: passed_on(&parts.headers),
            body: whole.freeze(),
        })
    }
}

/// The fields that viewers get.
fn passed_on(head: &HeaderMap) -> HeaderMap {
    let passed_on =
        |name: &HeaderName| PASSED_ON.contains(name) || name.as_str().starts_with("weir-");
    head.iter()
        .filter(|(name, _)| passed_on(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
