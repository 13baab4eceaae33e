//! What is no plain request: hyper serves it, and whatever comes with it.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{MissedTickBehavior, interval},
};

use super::{
    super::{Doorway, Leave, MAX_HEAD_BYTES, body::Sent, socket::Socket},
    MAX_HEAD_FIELDS,
};
use crate::metrics::Protocol;

/// How often a connection is looked at. One on which no request is under way then is taken back.
const LOOK: Duration = Duration::from_millis(500);

/// Serves requests until the connection ends, or gives it back when it is free.
pub(super) async fn serve<S>(
    doorway: &Arc<Doorway>,
    socket: Socket<S>,
    peer: SocketAddr,
    leave: &mut Leave,
) -> Result<Option<Socket<S>>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let attendance = socket.attendance().clone();
    let service = service_fn(|request: Request<Incoming>| {
        let doorway = doorway.clone();
        let visit = attendance.visit();
        async move {
            let method = request.method().clone();
            let response = doorway.respond(Protocol::Http1, peer, request).await;
            Ok::<_, Infallible>(response.map(|body| Sent::whole(body, visit, &method)))
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(doorway.config.head_timeout)
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
                if attendance.is_free() {
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
