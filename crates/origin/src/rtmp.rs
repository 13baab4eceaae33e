//! The RTMP and RTMPS listeners: sockets around [`weir_ingest::rtmp::Session`].
//!
//! - [`serve`]: accepts connections, one task each, until told to stop
//! - [`Publishers`]: who may publish, and where the media goes; the origin implements it
//! - `connection`: one encoder's connection
//! - `claims`: one publisher per lane of a video; a dead one is replaced

mod claims;
mod connection;
#[cfg(test)]
mod tests;

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use weir_ingest::{
    repair::Repairs,
    rtmp::{End, Refusal, StreamKey},
};
use weir_media::{track::FromTrack, unit::Media};
use weir_model::{Lane, VideoId};

pub(crate) use self::claims::Claim;
pub use self::claims::Claims;

/// The application in `rtmp://host/live`.
pub const APP: &str = "live";
/// Most connections of one listener, publishing or not.
pub const MAX_CONNECTIONS: usize = 1024;

/// Longest that a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who may publish, and where the media goes.
pub trait Publishers: Send + Sync + 'static {
    /// The video that a stream key stands for.
    ///
    /// # Errors
    /// [`Refusal::UnknownKey`], [`Refusal::VideoEnded`] or [`Refusal::Unavailable`].
    fn authorize<'a>(&'a self, key: &'a StreamKey) -> BoxFuture<'a, Result<VideoId, Refusal>>;

    /// An encoder begins to publish on a lane of the video. It is the only one there: the channel
    /// of the one before has been closed after its [`FromEncoder::Ended`].
    ///
    /// Media waits for room in the channel, and the encoder with it. When the receiver is dropped
    /// the encoder is told that the video has ended.
    ///
    /// # Errors
    /// [`Refusal::VideoEnded`] or [`Refusal::Unavailable`].
    fn publish(
        &self,
        video: VideoId,
        lane: Lane,
    ) -> BoxFuture<'_, Result<mpsc::Sender<FromEncoder>, Refusal>>;
}

/// What comes from one encoder, in order.
#[derive(Debug, PartialEq)]
pub enum FromEncoder {
    /// Media of the tracks that lead.
    Media(Media),
    /// Media of a further track, or what a track is called.
    Track(FromTrack),
    /// The counters of repairs since the encoder began; sent when they changed.
    Repaired(Repairs),
    /// The encoder is gone; nothing follows. A channel that closes without it means the same.
    Ended(End),
}

/// Accepts encoders, over TLS if `tls` is given, until `shutdown` is cancelled, then ends their
/// connections and returns once they are closed. Listeners that share `claims` have one publisher
/// for each lane of a video among them.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    publishers: Arc<dyn Publishers>,
    claims: Arc<Claims>,
    shutdown: CancellationToken,
) {
    let tls = tls.map(TlsAcceptor::from);
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = shutdown.cancelled() => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "accepting an RTMP connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let peer = redacted(address.ip());
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            warn!(
                peer,
                limit = MAX_CONNECTIONS,
                "RTMP connection refused: too many"
            );
            continue;
        };
        let context = connection::Context {
            publishers: Arc::clone(&publishers),
            claims: Arc::clone(&claims),
            shutdown: shutdown.clone(),
        };
        // Answers are small and awaited; a failure here costs only milliseconds.
        let _ = stream.set_nodelay(true);
        let tls = tls.clone();
        connections.spawn(async move {
            match tls {
                None => handle(stream, peer, context).await,
                Some(tls) => handle_tls(tls, stream, peer, context).await,
            }
            drop(permit);
        });
    }
    while connections.join_next().await.is_some() {}
}

async fn handle_tls(
    tls: TlsAcceptor,
    stream: TcpStream,
    peer: String,
    context: connection::Context,
) {
    let shaken = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await;
    match shaken.unwrap_or_else(|elapsed| Err(elapsed.into())) {
        Ok(stream) => handle(stream, peer, context).await,
        Err(error) => warn!(peer, %error, "TLS handshake on the RTMPS port failed"),
    }
}

async fn handle<S>(stream: S, peer: String, context: connection::Context)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let closed = connection::run(stream, &peer, context).await;
    let video = closed.video.map(tracing::field::display);
    // Without a publication there is nothing to repair.
    let repairs = video
        .is_some()
        .then(|| tracing::field::debug(closed.repairs));
    let (encoder, reason) = (closed.encoder, closed.reason);
    if closed.orderly {
        info!(
            peer,
            video, encoder, reason, repairs, "RTMP connection ended"
        );
    } else if closed.silent {
        debug!(peer, reason, "RTMP connection closed without a byte");
    } else {
        warn!(
            peer,
            video, encoder, reason, repairs, "RTMP connection refused or broken"
        );
    }
}

/// The network an address is in: enough to tell encoders apart, too little to tell who it is.
pub(crate) fn redacted(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

/// Reads that fail and reads of nothing both mean that the peer is gone.
fn read_len(result: io::Result<usize>) -> usize {
    result.unwrap_or(0)
}
