//! A room on Cloudflare as a listener. A Durable Object cannot sleep while a socket of its own making
//! is open, so that the origin calls: it posts each frame to `{url}/rooms/{video}/frames`.
//!
//! One room's frames go one after the other, each tried a few times. What does not get through, or
//! finds the queue full, is dropped; the room sees by the next number that there is a hole and tells
//! its clients, which read what they miss over HTTP.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use thiserror::Error;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tracing::{debug, warn};
use weir_model::{VideoId, room::Report};

use super::Item;
use crate::metrics::Metrics;

/// Most frames of a room that wait for being posted.
const MAX_WAITING: usize = 64;
/// How long a post may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often a frame is posted at most.
const ATTEMPTS: u32 = 3;
/// First pause before it is posted again; it doubles.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest answer in bytes.
const MAX_ANSWER: usize = 1024;

/// Where the rooms are.
#[derive(Clone)]
pub struct Config {
    /// Of the Worker, such as `https://weir-rooms.example.workers.dev`.
    pub url: Uri,
    /// The secret that it knows the origin by.
    pub secret: String,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Why nothing can be posted.
#[derive(Debug, Error)]
pub enum RelayError {
    /// The URL is not `http://…` or `https://…`.
    #[error("the rooms' URL is to be http:// or https:// and a host, not {0}")]
    Url(Uri),
    /// The secret has characters that no header field takes.
    #[error("the rooms' secret cannot stand in a header field")]
    Secret,
    /// There is no version of TLS to speak.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The system has no certificate authorities to check the rooms' certificate against.
    #[error("no certificate authorities were found on this system")]
    NoAuthorities,
}

/// Why a frame was not taken.
#[derive(Debug, Error)]
enum PostError {
    #[error("the rooms cannot be reached: {0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("the rooms did not answer in {TIMEOUT:?}")]
    TimedOut,
    #[error("the rooms answered {0}")]
    Refused(StatusCode),
    #[error("the rooms' answer broke off or is too long")]
    Answer,
    #[error("the request can't be made: {0}")]
    Request(#[from] http::Error),
}

impl PostError {
    /// Whether the same frame may get through later.
    fn passes(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut => true,
            Self::Refused(status) => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Answer | Self::Request(_) => false,
        }
    }
}

/// Posts to rooms on Cloudflare. Clones share connections and the budget for retries.
#[derive(Clone)]
pub struct Relay(Arc<Shared>);

struct Shared {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
    budget: Mutex<Budget>,
    metrics: Metrics,
}

impl Relay {
    /// Connects to nobody yet.
    pub fn new(config: &Config, metrics: Metrics) -> Result<Self, RelayError> {
        let known = matches!(config.url.scheme_str(), Some("http" | "https"));
        if !known || config.url.authority().is_none() {
            return Err(RelayError::Url(config.url.clone()));
        }
        let authorization = HeaderValue::try_from(format!("Bearer {}", config.secret));
        let mut authorization = authorization.map_err(|_| RelayError::Secret)?;
        authorization.set_sensitive(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&config.url)?)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .build(connector);
        Ok(Self(Arc::new(Shared {
            client,
            base: config.url.to_string().trim_end_matches('/').to_owned(),
            authorization,
            budget: Mutex::default(),
            metrics,
        })))
    }

    /// Posts what it is given to the room of `video`, until the sender is dropped. `report` hears how
    /// many viewers the room serves. Must be called within a tokio runtime.
    pub(super) fn open(
        &self,
        video: VideoId,
        report: impl Fn(u64) + Send + 'static,
    ) -> mpsc::Sender<Item> {
        let (sender, mut items) = mpsc::channel(MAX_WAITING);
        let relay = self.clone();
        tokio::spawn(async move {
            while let Some(item) = items.recv().await {
                let frame = match item {
                    Item::Messages { frame, .. } | Item::Other(frame) => frame,
                    Item::Newest(_) => continue,
                };
                let frame = Bytes::copy_from_slice(frame.as_str().as_bytes());
                match relay.post(video, frame).await {
                    Ok(viewers) => report(viewers),
                    Err(error) => {
                        relay.0.metrics.room_frames_dropped.inc();
                        warn!(%video, %error, "frame not posted");
                    }
                }
            }
        });
        sender
    }

    async fn post(&self, video: VideoId, frame: Bytes) -> Result<u64, PostError> {
        self.budget(Budget::deposit);
        let mut attempt = 1;
        loop {
            let error = match self.try_post(video, frame.clone()).await {
                Ok(viewers) => return Ok(viewers),
                Err(error) => error,
            };
            if !error.passes() || attempt == ATTEMPTS || !self.budget(Budget::withdraw) {
                return Err(error);
            }
            debug!(%video, attempt, %error, "frame is posted again");
            sleep(PAUSE * (1 << (attempt - 1))).await;
            attempt += 1;
        }
    }

    async fn try_post(&self, video: VideoId, frame: Bytes) -> Result<u64, PostError> {
        let request = Request::post(format!("{}/rooms/{video}/frames", self.0.base))
            .header(AUTHORIZATION, self.0.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(frame))?;
        let exchange = async {
            let response = self.0.client.request(request).await?;
            if !response.status().is_success() {
                return Err(PostError::Refused(response.status()));
            }
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await;
            let body = body.map_err(|error| {
                debug!(too_long = error.is::<LengthLimitError>(), "answer not read");
                PostError::Answer
            })?;
            let report: Report =
                serde_json::from_slice(&body.to_bytes()).map_err(|_| PostError::Answer)?;
            Ok(report.viewers)
        };
        timeout(TIMEOUT, exchange)
            .await
            .unwrap_or(Err(PostError::TimedOut))
    }

    fn budget<T>(&self, change: impl FnOnce(&mut Budget) -> T) -> T {
        let budget = &self.0.budget;
        change(&mut budget.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What certificates are checked against: the system's authorities, if any is to be shown.
fn tls(url: &Uri) -> Result<ClientConfig, RelayError> {
    let mut roots = RootCertStore::empty();
    if url.scheme_str() == Some("https") {
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            return Err(RelayError::NoAuthorities);
        }
    }
    let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Retries may be a tenth of all posts, and ten at once: rooms that are down are not buried under
/// them. Pure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Budget {
    /// In tenths of a retry.
    tenths: u32,
}

impl Budget {
    const MOST: u32 = 100;

    fn deposit(&mut self) {
        self.tenths = (self.tenths + 1).min(Self::MOST);
    }

    fn withdraw(&mut self) -> bool {
        let left = self.tenths.checked_sub(10);
        self.tenths = left.unwrap_or(self.tenths);
        left.is_some()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { tenths: Self::MOST }
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
