//! HTTP/3: the endpoint, one connection, one request.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use h3::{
    error::{Code, ConnectionError, StreamError},
    server::{self, RequestResolver, RequestStream},
};
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_LENGTH, DATE},
};
use http_body::Body;
use http_body_util::BodyExt;
use quinn::{
    EndpointConfig, IdleTimeout, TokioRuntime, TransportConfig, VarInt,
    crypto::rustls::{NoInitialCipherSuite, QuicServerConfig},
};
use thiserror::Error;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_rustls::rustls::ServerConfig;
use tracing::debug;

use crate::{
    metrics::{Bound, Protocol},
    respond::{ViewerBody, ViewerResponse},
};

use super::{
    CONNECTION_WINDOW, Doorway, FAREWELL, Leave, MAX_HEAD_BYTES, MAX_STREAMS, STREAM_WINDOW,
    attendance::{Attendance, Verdict, Visit, Watchman},
    body::Sent,
    drain::Drain,
    fit_streams,
    quic::{BidiStream, SendStream, Stopped, Transport},
    seats::{Burden, Seat},
    upload::Upload,
};

/// Streams besides those of requests: control, two of QPACK, and what a peer tries out.
const MAX_SIDES: u32 = 8;
/// How long a peer may be silent.
const IDLE: VarInt = VarInt::from_u32(30_000);
/// Most bytes of answers on one connection that are sent and not acknowledged: half a second of
/// 16 Mbit/s.
const SEND_WINDOW: u64 = 1 << 20;
/// Packets of connections that wait to be accepted.
const MAX_WAITING_BYTES: u64 = 4 << 20;
const LOOK: Duration = Duration::from_secs(1);
/// How much longer than any other piece the last ones of an answer may take: as much as
/// [`SEND_WINDOW`] is longer than a piece, within reason.
const LAST_PIECES: u32 = 4;

/// Why HTTP/3 cannot be offered.
#[derive(Debug, Error)]
pub enum Http3Error {
    /// The TLS configuration has no cipher suite that QUIC begins with.
    #[error("TLS as it is configured is of no use to QUIC")]
    Tls(#[from] NoInitialCipherSuite),
    /// The socket cannot be used.
    #[error("the UDP socket cannot be used")]
    Socket(#[source] io::Error),
}

/// The door of HTTP/3.
#[derive(Debug)]
pub struct Http3 {
    endpoint: quinn::Endpoint,
}

impl Http3 {
    /// Opens it on `socket`, with the certificate of `tls`. Needs a tokio runtime. A request that
    /// comes before the handshake is complete (0-RTT) is not taken: it could be a copy.
    pub fn open(socket: UdpSocket, tls: &ServerConfig) -> Result<Self, Http3Error> {
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![Protocol::Http3.as_str().as_bytes().to_vec()];
        tls.max_early_data_size = 0;

        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(MAX_STREAMS.into())
            .max_concurrent_uni_streams(MAX_SIDES.into())
            .stream_receive_window(STREAM_WINDOW.into())
            .receive_window(CONNECTION_WINDOW.into())
            .send_window(SEND_WINDOW)
            .max_idle_timeout(Some(IdleTimeout::from(IDLE)))
            .datagram_receive_buffer_size(None);
        let crypto = QuicServerConfig::try_from(tls)?;
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        server
            .transport_config(Arc::new(transport))
            .incoming_buffer_size_total(MAX_WAITING_BYTES);
        let endpoint = quinn::Endpoint::new(
            EndpointConfig::default(),
            Some(server),
            socket,
            Arc::new(TokioRuntime),
        )
        .map_err(Http3Error::Socket)?;
        Ok(Self { endpoint })
    }

    /// Takes connections in until `shutdown` completes; who is inside stays.
    pub(crate) async fn accept(
        &self,
        doorway: &Arc<Doorway>,
        drain: &Drain,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let incoming = tokio::select! {
                () = &mut shutdown => break,
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => incoming,
                    None => break,
                },
            };
            let Some(seat) = doorway.seats.try_take(Burden::Http3) else {
                doorway.metrics().ran_into(Bound::Connections);
                incoming.refuse();
                continue;
            };
            // Once the house is half full, whoever comes has to show that its address is its own.
            let crowded = doorway.seats.are_half_taken();
            if crowded && incoming.may_retry() && !incoming.remote_address_validated() {
                // What may be retried can be.
                let _ = incoming.retry();
                continue;
            }
            let arrival = arrive(doorway.clone(), incoming, seat, drain.leave());
            tokio::spawn(arrival);
        }
        self.endpoint.set_server_config(None);
    }

    /// Closes what is still open.
    pub(crate) async fn close(self) {
        let code = Code::H3_NO_ERROR.value();
        let code = VarInt::from_u64(code).unwrap_or(VarInt::MAX);
        self.endpoint.close(code, b"");
        // Peers that are gone cannot be told.
        let _ = timeout(FAREWELL, self.endpoint.wait_idle()).await;
    }
}

async fn arrive(doorway: Arc<Doorway>, incoming: quinn::Incoming, seat: Seat, leave: Leave) {
    let handshake = async { incoming.accept()?.await };
    let connection = match timeout(doorway.config.head_timeout, handshake).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return debug!(%error, "QUIC handshake failed"),
        Err(error) => return debug!(%error, "QUIC handshake took too long"),
    };
    let _connected = doorway.metrics().connected(Protocol::Http3);
    if let Err(error) = attend(&doorway, &connection, leave).await {
        debug!(%error, "connection ended");
    }
    drop(seat);
}

/// Serves a connection to its end.
async fn attend(
    doorway: &Arc<Doorway>,
    connection: &quinn::Connection,
    mut leave: Leave,
) -> Result<(), ConnectionError> {
    let transport = Transport::new(connection);
    let last_request = transport.last_request();
    let mut http: server::Connection<_, Bytes> = server::builder()
        .max_field_section_size(MAX_HEAD_BYTES as u64)
        .send_grease(false)
        .build(transport)
        .await?;
    let now = Instant::now();
    let config = &doorway.config;
    let attendance = Attendance::new(doorway.metrics().bytes_out.clone(), now);
    let mut watchman = Watchman::new(attendance.clone(), config.write_timeout, now);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut requests = JoinSet::new();
    let mut leaving = false;
    let mut left = std::pin::pin!(sleep(Duration::ZERO));
    loop {
        tokio::select! {
            accepted = http.accept() => {
                let (Some(resolver), Some(stopped)) = (accepted?, last_request.take()) else {
                    return Ok(());
                };
                let visit = attendance.visit();
                let peer = connection.remote_address();
                requests.spawn(request(doorway.clone(), resolver, stopped, peer, visit));
            }
            Some(_) = requests.join_next() => {}
            () = leave.asked(), if !leaving => {
                leaving = true;
                // The next request as well: the peer may have sent it before it hears of this.
                http.shutdown(1).await?;
                left.as_mut().reset((Instant::now() + 2 * connection.rtt()).into());
            }
            // Dropping it tells the peer that nothing went wrong.
            () = &mut left, if leaving && requests.is_empty() => return Ok(()),
            () = attendance.flooded() => {
                doorway.metrics().ran_into(Bound::Resets);
                let code = Code::H3_EXCESSIVE_LOAD.value();
                connection.close(VarInt::from_u64(code).unwrap_or(VarInt::MAX), b"");
                return Ok(());
            }
            _ = look.tick() => {
                if matches!(watchman.look(Instant::now()), Verdict::Quiet(span) if span > doorway.idle_limit()) {
                    http.shutdown(0).await?;
                    return Ok(());
                }
            }
        }
    }
}

/// Answers one request, and stays until the peer has the answer.
async fn request(
    doorway: Arc<Doorway>,
    resolver: RequestResolver<Transport, Bytes>,
    mut stopped: Stopped,
    peer: SocketAddr,
    visit: Visit,
) {
    let patience = doorway.config.write_timeout;
    let answered = tokio::select! {
        // The peer wants no answer any more.
        _ = &mut stopped => return,
        answered = answer(&doorway, resolver, peer, visit) => answered,
    };
    match answered {
        Ok(()) => {
            if timeout(LAST_PIECES * patience, stopped).await.is_err() {
                doorway.metrics().ran_into(Bound::Patience);
            }
        }
        Err(RequestError::Patience) => doorway.metrics().ran_into(Bound::Patience),
        Err(error) => debug!(%error, "request ended"),
    }
}

/// Why a request was not answered.
#[derive(Debug, Error)]
enum RequestError {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error("the head did not come in time")]
    Head,
    #[error("the peer takes nothing")]
    Patience,
    #[error("the answer was cut short")]
    Body(#[source] <ViewerBody as Body>::Error),
}

async fn answer(
    doorway: &Doorway,
    resolver: RequestResolver<Transport, Bytes>,
    peer: SocketAddr,
    visit: Visit,
) -> Result<(), RequestError> {
    let head = timeout(doorway.config.head_timeout, resolver.resolve_request());
    let (request, stream): (_, RequestStream<BidiStream<Bytes>, Bytes>) =
        head.await.map_err(|_| RequestError::Head)??;
    let (mut out, body) = stream.split();
    let method = request.method().clone();
    // What has no body ends when the answer does: dropped before, it would tell the peer to stop.
    let (body, _end) = match method {
        Method::GET | Method::HEAD | Method::OPTIONS => (Upload::none(), Some(body)),
        _ => (Upload::new(body), None),
    };
    let request = request.map(|()| body);
    let response = doorway.respond(Protocol::Http3, peer, request).await;
    let sent = send(
        &mut out,
        response,
        visit,
        &method,
        doorway.config.write_timeout,
    )
    .await;
    if sent.is_err() {
        out.stop_stream(Code::H3_INTERNAL_ERROR);
    }
    sent
}

async fn send(
    out: &mut RequestStream<SendStream<Bytes>, Bytes>,
    mut response: ViewerResponse,
    visit: Visit,
    method: &Method,
    patience: Duration,
) -> Result<(), RequestError> {
    fit_streams(&mut response, method);
    let (mut head, body) = response.into_parts();
    if let Some(len) = body.size_hint().exact()
        && head.status != StatusCode::NOT_MODIFIED
    {
        let len = HeaderValue::from(len);
        head.headers.entry(CONTENT_LENGTH).or_insert(len);
    }
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now())) {
        head.headers.insert(DATE, date);
    }
    out.send_response(Response::from_parts(head, ())).await?;
    let mut body = Sent::paced(body, visit, method);
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(RequestError::Body)?.into_data() else {
            continue;
        };
        let sent = timeout(patience, out.send_data(piece)).await;
        sent.map_err(|_| RequestError::Patience)??;
    }
    out.finish().await?;
    Ok(())
}
