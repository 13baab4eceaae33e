//! One connection that speaks HTTP/1.1.
//!
//! Viewers keep connections open between requests, thousands of them, and hyper keeps 16 KiB and
//! more for each. So a connection that has been quiet for a moment is taken out of hyper's hands:
//! until its next byte there is but the socket and a task that waits for it.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::debug;

use crate::metrics::Protocol;

use super::{
    Doorway, FAREWELL, Leave, MAX_HEAD_BYTES,
    attendance::{Verdict, Watchman},
    body::Sent,
    socket::Socket,
};

/// Most fields of a request's head.
const MAX_HEAD_FIELDS: usize = 64;
/// How often a connection is looked at. One that was quiet since the last look is taken back.
const LOOK: Duration = Duration::from_millis(500);

/// Serves the connection to its end.
pub(super) async fn attend<S>(
    doorway: &Arc<Doorway>,
    mut socket: Socket<S>,
    peer: SocketAddr,
    mut leave: Leave,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    loop {
        let stirred = tokio::select! {
            biased;
            () = leave.asked() => false,
            stirred = timeout(doorway.config.head_timeout, socket.stirs()) => {
                matches!(stirred, Ok(Ok(true)))
            }
        };
        if !stirred {
            // A peer who is gone hears nothing of it.
            let _ = timeout(FAREWELL, socket.shutdown()).await;
            return;
        }
        // Boxed, so that nothing of it is kept while the connection is quiet.
        match Box::pin(serve(doorway, socket, peer, &mut leave)).await {
            Ok(Some(quiet)) => socket = quiet,
            Ok(None) => return,
            Err(error) => {
                debug!(%error, "connection ended");
                return;
            }
        }
    }
}

/// Serves requests until the connection ends, or gives it back when it is quiet.
async fn serve<S>(
    doorway: &Arc<Doorway>,
    socket: Socket<S>,
    peer: SocketAddr,
    leave: &mut Leave,
) -> Result<Option<Socket<S>>, hyper::Error>
where
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
            let response = doorway.answer(Protocol::Http1, peer, request).await;
            Ok::<_, Infallible>(response.map(|body| Sent::whole(body, visit, &method)))
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.head_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEAD_FIELDS)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();

    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.reset();
    let mut leaving = false;
    loop {
        tokio::select! {
            ended = &mut connection => return ended.map(|()| None),
            () = leave.asked(), if !leaving => {
                leaving = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            _ = look.tick(), if !leaving => {
                // What hyper has written is with the system by now: it writes before it waits, and
                // a socket that takes no more counts as busy.
                if matches!(watchman.look(Instant::now()), Verdict::Quiet(span) if !span.is_zero()) {
                    break;
                }
            }
        }
    }
    Ok(connection.into_parts().map(|parts| {
        let mut socket = parts.io.into_inner();
        socket.put_back(parts.read_buf);
        socket
    }))
}
