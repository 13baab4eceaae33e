//! HTTP/1.1 and HTTP/2: accept, TLS, what ALPN chose.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use socket2::SockRef;
use tokio::{
    io::AsyncRead,
    net::{TcpListener, TcpStream},
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
    outlet::Outlet,
    seats::{Burden, Seat},
    socket::{Place, Socket},
};

/// Bytes that a socket holds ready to be sent, beyond those that are on their way. What it takes more
/// of waits in the system's memory and is sent no sooner; and the faster a peer is, the longer the
/// queue in which its data grows cold in the processor's caches (bench/README.md).
const UNSENT_BYTES: u32 = 64 * 1024;
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
    bound_unsent(&listener);
    let mut shutdown = std::pin::pin!(shutdown);
    let burden = match tls {
        None => Burden::Plain,
        Some(_) => Burden::Http2,
    };
    loop {
        let accepted = async {
            if doorway.seats.are_taken(burden) {
                doorway.metrics().ran_into(Bound::Connections);
            }
            let seat = doorway.seats.take(burden).await?;
            Some((seat, listener.accept().await))
        };
        let (seat, stream, peer) = tokio::select! {
            () = &mut shutdown => return,
            accepted = accepted => match accepted {
                Some((seat, Ok((stream, peer)))) => (seat, stream, peer),
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
            seat,
            peer,
            leave: drain.leave(),
        };
        match tls.clone() {
            None => tokio::spawn(arrival.attend(stream, Protocol::Http1)),
            Some(tls) => tokio::spawn(arrival.shake_hands(tls, stream)),
        };
    }
}

/// Bounds what the sockets that `listener` accepts hold ready: they have its options.
fn bound_unsent(listener: &TcpListener) {
    if let Err(error) = SockRef::from(listener).set_tcp_notsent_lowat(UNSENT_BYTES) {
        warn!(%error, "sockets hold as much unsent as they like");
    }
}

/// A connection that was accepted.
struct Arrival {
    doorway: Arc<Doorway>,
    seat: Seat,
    peer: SocketAddr,
    leave: Leave,
}

impl Arrival {
    async fn shake_hands(mut self, tls: TlsAcceptor, stream: TcpStream) {
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
                if protocol == Protocol::Http1 {
                    self.seat.lighten(Burden::Secure);
                }
                // Boxed, so that a task that waits does not hold several places for it.
                self.attend(Box::new(stream), protocol).await;
            }
            Ok(Err(error)) => debug!(%error, "TLS handshake failed"),
            Err(error) => debug!(%error, "TLS handshake took too long"),
        }
    }

    async fn attend<S>(self, stream: S, protocol: Protocol)
    where
        S: AsyncRead + Outlet + Send + 'static,
    {
        let Self {
            doorway,
            seat,
            peer,
            leave,
        } = self;
        let metrics = doorway.metrics();
        let attendance = Attendance::new(metrics.bytes_out.clone(), Instant::now());
        let place = Place {
            _seat: seat,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_accepted_holds_little_unsent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        bound_unsent(&listener);
        let address = listener.local_addr().unwrap();
        let (viewer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (accepted, _) = accepted.unwrap();
        let unsent = SockRef::from(&accepted).tcp_notsent_lowat().unwrap();
        assert_eq!(unsent, UNSENT_BYTES);
        drop(viewer);
    }
}
