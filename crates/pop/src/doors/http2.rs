//! One connection that speaks HTTP/2.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use http::Request;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{MissedTickBehavior, interval},
};
use tracing::debug;

use crate::metrics::{Bound, Protocol};

use super::{
    CONNECTION_WINDOW, Doorway, Leave, MAX_HEAD_BYTES, MAX_STREAMS, STREAM_WINDOW,
    attendance::{Verdict, Watchman},
    body::Sent,
    fit_streams,
    socket::Socket,
};

/// Most bytes of one answer that wait for the peer to take them, besides the piece that comes next.
const SEND_BUFFER: usize = 256 * 1024;
/// Streams that a peer may have us reset by its mistakes.
const MAX_MISTAKES: usize = 64;
/// How often a connection is looked at: a few times in each span that it is judged by.
const LOOKS: u32 = 4;
const MAX_LOOK: Duration = Duration::from_secs(5);

/// Serves the connection to its end.
pub(super) async fn attend<S>(
    doorway: &Arc<Doorway>,
    socket: Socket<S>,
    peer: SocketAddr,
    mut leave: Leave,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let attendance = socket.attendance().clone();
    let config = &doorway.config;
    let mut watchman = Watchman::new(attendance.clone(), config.write_timeout, Instant::now());
    let service = service_fn(|request: Request<Incoming>| {
        let doorway = doorway.clone();
        let visit = attendance.visit();
        async move {
            let method = request.method().clone();
            let mut response = doorway.respond(Protocol::Http2, peer, request).await;
            fit_streams(&mut response, &method);
            Ok::<_, Infallible>(response.map(|body| Sent::paced(body, visit, &method)))
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_local_error_reset_streams(MAX_MISTAKES)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);

    let span = config.write_timeout.min(config.head_timeout);
    let mut look = interval((span / LOOKS).min(MAX_LOOK));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.reset();
    let mut leaving = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    debug!(%error, "connection ended");
                }
                return;
            }
            () = leave.asked(), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            () = attendance.flooded() => {
                doorway.metrics().ran_into(Bound::Resets);
                debug!(%peer, "requests are taken back faster than they can be meant");
                return;
            }
            _ = look.tick() => match watchman.look(Instant::now()) {
                Verdict::Stalled => {
                    doorway.metrics().ran_into(Bound::Patience);
                    return;
                }
                // Streams that hyper has yet to end hold what the peer does not take.
                Verdict::Quiet(span) if span > 2 * config.head_timeout => return,
                Verdict::Quiet(span) if span > doorway.idle_limit() && !leaving => {
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
                Verdict::Quiet(_) | Verdict::Stays => {}
            },
        }
    }
}
