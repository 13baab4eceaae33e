//! The viewer plane over TLS.

use std::{future, net::SocketAddr, sync::Arc, time::Duration};

use axum::serve::Listener;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most handshakes at a time; further connections wait in the socket's backlog.
const HANDSHAKES: usize = 256;
/// Pause after an `accept` that failed, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Gives out connections whose handshake is over, so that a slow one holds up nobody else.
#[derive(Debug)]
pub(crate) struct TlsListener {
    address: SocketAddr,
    shaken: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    /// Accepts from `listener` until `shutdown` is cancelled. Must be called within a tokio runtime.
    pub(crate) fn new(
        listener: TcpListener,
        address: SocketAddr,
        tls: Arc<ServerConfig>,
        shutdown: CancellationToken,
    ) -> Self {
        let (ready, shaken) = mpsc::channel(1);
        let accepting = accept(listener, TlsAcceptor::from(tls), ready);
        tokio::spawn(async move {
            tokio::select! {
                () = accepting => {}
                () = shutdown.cancelled() => {}
            }
        });
        Self { address, shaken }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.shaken.recv().await {
            Some(connection) => connection,
            // Nobody else comes; whoever serves is asked to end, too.
            None => future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    // The semaphore is never closed.
    while let Ok(permit) = handshakes.clone().acquire_owned().await {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "accepting a point of presence failed");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Chunks of a growing segment must not wait for each other.
        let _ = stream.set_nodelay(true);
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                // A listener that is gone takes nobody.
                Ok(Ok(stream)) => drop(ready.send((stream, peer)).await),
                Ok(Err(error)) => debug!(%error, "TLS handshake failed"),
                Err(_) => debug!("TLS handshake took too long"),
            }
            drop(permit);
        });
    }
}
