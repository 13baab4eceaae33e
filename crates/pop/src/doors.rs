//! How viewers come in: over HTTP/1.1, HTTP/2 and HTTP/3.
//!
//! Every door brings requests to the one [`Handler`] and takes its answers out, and bounds what a
//! viewer may hold: connections, streams, heads, the time to send and to take.
//!
//! - `tcp`: HTTP/1.1 and HTTP/2: accept, TLS, what ALPN chose
//! - `http1`: one connection, which costs next to nothing while it is idle or waits
//! - `http2`: one connection
//! - `http3`: HTTP/3: the endpoint, one connection, one request
//! - `quic`: QUIC as the HTTP/3 library wants it, with bounds on what a peer may send
//! - `upload`: a request's body over HTTP/3
//! - `socket`: a viewer's socket
//! - `outlet`: what answers are written to, and whether the kernel sends pages there by itself
//! - `body`: an answer's body on its way out
//! - `seats`: places in the house, and the memory that whoever is inside takes
//! - `attendance`: who is there on one connection, and whether they behave
//! - `drain`: how doors close

mod attendance;
mod body;
mod drain;
mod http1;
mod http2;
pub(crate) mod http3;
mod outlet;
mod quic;
mod seats;
mod socket;
pub(crate) mod tcp;
mod upload;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::Either;
use http::{
    HeaderValue, Method, Request,
    header::{ALT_SVC, CONNECTION, CONTENT_LENGTH},
};
use http_body::Body;
use http_body_util::Full;
use tracing::{Instrument, info, info_span};
use weir_model::{TraceParent, trace::redacted};

use crate::{
    Config,
    handler::{Answering, Handler},
    metrics::{Metrics, Protocol},
    respond::{Reply, ViewerBody, ViewerResponse},
    trace::Tracer,
};

pub(crate) use self::{
    drain::{Drain, Leave},
    seats::Seats,
};

/// Most bytes of a request's head.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Most requests at a time on one connection (RFC 9113 section 6.5.2 wants no fewer).
const MAX_STREAMS: u32 = 100;
/// Most bytes of requests' bodies that may be under way on one stream.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same on one connection.
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// Bytes of an answer that are given to a stream at a time.
const PIECE_BYTES: usize = 64 * 1024;
/// How long a connection over HTTP/2 or HTTP/3 may be idle once seats are scarce. Whoever watches live
/// asks several times a second.
const IDLE_WHEN_SCARCE: Duration = Duration::from_secs(5);
/// How long a connection's end may take to be told.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a door knows of a request besides its head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) address: IpAddr,
    pub(crate) came: Instant,
    /// The request's place in a trace, if it has one.
    pub(crate) trace: Option<TraceParent>,
}

/// What a door needs of the PoP that it leads into.
#[derive(Clone)]
pub(crate) struct Doorway {
    pub(crate) config: Arc<Config>,
    pub(crate) handler: Arc<Handler>,
    pub(crate) tracer: Arc<Tracer>,
    /// For connections of all doors together.
    pub(crate) seats: Arc<Seats>,
    /// Where else viewers may come in.
    pub(crate) alt_svc: Option<HeaderValue>,
}

impl Doorway {
    fn metrics(&self) -> &Metrics {
        &self.handler.metrics
    }

    /// How long a connection that others' requests could come over may be idle.
    fn idle_limit(&self) -> Duration {
        let usual = self.config.head_timeout;
        match self.seats.are_scarce() {
            true => usual.min(IDLE_WHEN_SCARCE),
            false => usual,
        }
    }

    /// Has a request answered: on the spot, if nothing has to be waited for.
    fn answer<B>(&self, protocol: Protocol, peer: SocketAddr, request: Request<B>) -> Answering
    where
        B: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static,
    {
        self.metrics().came_over(protocol);
        let came = Instant::now();
        let trace = self.tracer.place(request.headers(), came);
        let caller = Caller {
            address: peer.ip(),
            came,
            trace,
        };
        match trace.filter(|place| place.sampled) {
            None => self.handler.answer(request, caller),
            Some(place) => {
                let handler = self.handler.clone();
                Either::Right(Box::pin(followed(
                    handler, protocol, place, request, caller,
                )))
            }
        }
    }

    /// The same, as the libraries take it.
    async fn respond<B>(
        &self,
        protocol: Protocol,
        peer: SocketAddr,
        request: Request<B>,
    ) -> ViewerResponse
    where
        B: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static,
    {
        let reply = self.answer(protocol, peer, request).await;
        let mut response = reply.into_response();
        if let Some(alt_svc) = &self.alt_svc {
            response.headers_mut().insert(ALT_SVC, alt_svc.clone());
        }
        response
    }
}

/// Has a request answered and logs that.
async fn followed<B>(
    handler: Arc<Handler>,
    protocol: Protocol,
    place: TraceParent,
    request: Request<B>,
    caller: Caller,
) -> Reply
where
    B: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static,
{
    let span = info_span!("viewer", trace = %place.trace_id());
    let answering = async {
        let method = request.method().clone();
        let path = redacted(request.uri().path());
        let reply = handler.answer(request, caller).await;
        info!(
            protocol = protocol.as_str(),
            %method,
            path,
            status = reply.content.status().as_u16(),
            ms = caller.came.elapsed().as_millis() as u64,
            "answered"
        );
        reply
    };
    answering.instrument(span).await
}

/// Has an answer fit HTTP/2 and HTTP/3, where hyper or nobody sees to what HTTP/1.1 gets for free:
/// no field is about the connection (RFC 9113 section 8.2.2, RFC 9114 section 4.2), and an answer to
/// `HEAD` has the length of what it leaves off.
fn fit_streams(response: &mut ViewerResponse, method: &Method) {
    response.headers_mut().remove(CONNECTION);
    if *method != Method::HEAD {
        return;
    }
    if let Some(len) = response.body().size_hint().exact() {
        let len = HeaderValue::from(len);
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(len);
    }
    *response.body_mut() = ViewerBody::Left(Full::default());
}

/// Says that HTTP/3 is spoken on `port` of the same host.
pub(crate) fn alt_svc(port: u16) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("h3=\":{port}\"; ma=86400")).ok()
}
