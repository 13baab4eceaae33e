//! HTTP/1.1 and HTTP/2: accept, TLS, what ALPN chose.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::metrics::{Bound, Protocol};

use super::{
    Doorway, Leave,
    attendance::Attendance,
    drain::Drain,
    http1, http2,
    socket::{Place, Socket},
};

/// Pause after an `accept` that failed, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes connections in until `shutdown` completes; who is inside stays.
pub(crate) async fn accept(
    doorway: &Arc<Doorway>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    drain: &Drain,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = async {
            if doorway.room.available_permits() == 0 {
                doorway.metrics().ran_into(Bound::Connections);
            }
            // The semaphore is never closed.
            let permit = doorway.room.clone().acquire_owned().await.ok()?;
            Some((permit, listener.accept().await))
        };
        let (room, stream, peer) = tokio::select! {
            () = &mut shutdown => return,
            accepted = accepted => match accepted {
                Some((room, Ok((stream, peer)))) => (room, stream, peer),
                Some((_, Err(error))) => {
                    warn!(%error, "accept failed");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
                None => return,
            },
        };
        // Answers are written whole, so there is nothing to gain from waiting for more.
        let _ = stream.set_nodelay(true);
        let arrival = Arrival {
            doorway: doorway.clone(),
            room,
            peer,
            leave: drain.leave(),
        };
        match tls.clone() {
            None => tokio::spawn(arrival.attend(stream, Protocol::Http1)),
            Some(tls) => tokio::spawn(arrival.shake_hands(tls, stream)),
        };
    }
}

/// A connection that was accepted.
struct Arrival {
    doorway: Arc<Doorway>,
    room: OwnedSemaphorePermit,
    peer: SocketAddr,
    leave: Leave,
}

impl Arrival {
    async fn shake_hands(self, tls: TlsAcceptor, stream: TcpStream) {
        // Boxed, so that its buffers are gone with it.
        let handshake = Box::pin(timeout(
            self.doorway.config.head_timeout,
            tls.accept(stream),
        ));
        match handshake.await {
            Ok(Ok(stream)) => {
                let protocol = match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => Protocol::Http2,
                    _ => Protocol::Http1,
                };
                // Boxed, so that a task that waits does not hold several places for it.
                self.attend(Box::new(stream), protocol).await;
            }
            Ok(Err(error)) => debug!(%error, "TLS handshake failed"),
            Err(error) => debug!(%error, "TLS handshake took too long"),
        }
    }

    async fn attend<S>(self, stream: S, protocol: Protocol)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self {
            doorway,
            room,
            peer,
            leave,
        } = self;
        let metrics = doorway.metrics();
        let attendance = Attendance::new(metrics.bytes_out.clone(), Instant::now());
        let place = Place {
            _room: room,
            _connected: metrics.connected(protocol),
            _leave: leave.clone(),
        };
        let socket = Socket::new(stream, doorway.config.write_timeout, attendance, place);
        match protocol {
            Protocol::Http2 => Box::pin(http2::attend(&doorway, socket, peer, leave)).await,
            _ => http1::attend(&doorway, socket, peer, leave).await,
        }
    }
}
