//! The operator's listener: probes, counters, how the PoP does, and its drain. Never where viewers
//! come in.
//!
//! - `status`: how a PoP does, as it is told

mod status;

use std::{convert::Infallible, fmt, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore},
    time::{sleep, timeout},
};
use tracing::{debug, error, info, warn};
use weir_model::{
    Code,
    problem::{self, Problem},
};

use crate::Pop;

/// How long a request's head may take, and an idle connection stay.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long answers may take once the listener closes.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Pause after an `accept` that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Most connections at a time.
const MAX_CONNECTIONS: usize = 64;

/// Tells whether what was presented is the operator's token.
pub type Authorize = dyn Fn(&str) -> bool + Send + Sync;

/// The operator's plane of one PoP.
#[derive(Clone)]
pub struct Operator {
    pop: Pop,
    registry: Arc<Registry>,
    authorize: Arc<Authorize>,
    drain: Arc<Notify>,
}

impl Operator {
    /// For `pop`, whose counters are in `registry`. Who presents a token that `authorize` takes may
    /// see how the PoP does, and drain it; anyone may see counters and probes.
    pub fn new(
        pop: Pop,
        registry: Registry,
        authorize: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            pop,
            registry: Arc::new(registry),
            authorize: Arc::new(authorize),
            drain: Arc::default(),
        }
    }

    /// Completes once the operator asked for the PoP's drain.
    pub async fn drain_asked(&self) {
        self.drain.notified().await;
    }

    /// Answers from `listener` until `shutdown` completes.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let accepted = async {
                let permit = room.clone().acquire_owned().await;
                (permit, listener.accept().await)
            };
            let (permit, stream) = tokio::select! {
                () = &mut shutdown => break,
                (permit, accepted) = accepted => match accepted {
                    Ok((stream, _)) => (permit, stream),
                    Err(error) => {
                        warn!(%error, "accept failed");
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let operator = self.clone();
            let service = service_fn(move |request| {
                let response = operator.answer(&request);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    debug!(%error, "operator's connection ended");
                }
                drop(permit);
            });
        }
        // Whoever still reads has had its time.
        let _ = timeout(LAST_ANSWERS, graceful.shutdown()).await;
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let get = matches!(*request.method(), Method::GET | Method::HEAD);
        match (request.uri().path(), get) {
            ("/healthz", true) => text("ok\n"),
            ("/readyz", true) if self.pop.is_draining() => {
                problem(Code::Unavailable, "the point of presence drains")
            }
            ("/readyz", true) => text("ready\n"),
            ("/metrics", true) => self.metrics(),
            ("/api/v1/pop", true) => self
                .authorized(request)
                .unwrap_or_else(|| json(StatusCode::OK, &self.pop.status())),
            ("/api/v1/pop/drain", _) if *request.method() == Method::POST => self
                .authorized(request)
                .unwrap_or_else(|| self.begin_drain()),
            ("/healthz" | "/readyz" | "/metrics" | "/api/v1/pop", false) => not_allowed("GET"),
            ("/api/v1/pop/drain", _) => not_allowed("POST"),
            _ => problem(Code::NotFound, "there is no such call"),
        }
    }

    /// The refusal of who is not the operator.
    fn authorized(&self, request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
        let presented = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let detail = match presented {
            Some(token) if (self.authorize)(token) => return None,
            Some(_) => "the operator token is wrong",
            None => "send the operator token as Authorization: Bearer <token>",
        };
        let mut refusal = problem(Code::Unauthorized, detail);
        let challenge = HeaderValue::from_static("Bearer");
        refusal.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        Some(refusal)
    }

    fn begin_drain(&self) -> Response<Full<Bytes>> {
        info!("the operator asks for a drain");
        self.pop.begin_drain();
        self.drain.notify_one();
        json(StatusCode::ACCEPTED, &self.pop.status())
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => response(StatusCode::OK, OPEN_METRICS, text),
            Err(error) => {
                error!(%error, "metrics not encoded");
                problem(Code::Internal, "the metrics can't be written down")
            }
        }
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator")
            .field("pop", &self.pop)
            .finish_non_exhaustive()
    }
}

fn text(text: &str) -> Response<Full<Bytes>> {
    response(StatusCode::OK, "text/plain; charset=utf-8", text.to_owned())
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_string(body) {
        Ok(body) => response(status, "application/json", body),
        Err(error) => {
            error!(%error, "answer not encoded");
            problem(Code::Internal, "the answer can't be written down")
        }
    }
}

fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut refusal = problem(Code::MethodNotAllowed, "the call has another method");
    let allowed = HeaderValue::from_static(allowed);
    refusal.headers_mut().insert(ALLOW, allowed);
    refusal
}

fn problem(code: Code, detail: &'static str) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem = Problem::new(code, detail);
    let body = serde_json::to_string(&problem).unwrap_or_default();
    response(status, problem::CONTENT_TYPE, body)
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let head = response.headers_mut();
    head.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
