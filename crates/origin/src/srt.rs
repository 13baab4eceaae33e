//! The SRT listener: libsrt's sockets around [`weir_ingest::ts::Demuxer`].
//!
//! - [`serve`]: answers callers, one task each, until told to stop
//! - `gate`: who is turned away before a connection stands, and with which code
//! - `stream_id`: what callers put into their stream id
//! - `connection`: one encoder's connection
//! - `reader`: the thread on which a connection is read
//!
//! Everything else is as with RTMP: the same stream keys, and one publisher for each lane of a
//! video, whatever it speaks. libsrt's calls block, so that they have threads of their own: one for all callers,
//! and one for each connection next to the one that libsrt itself has for it.

mod connection;
mod gate;
mod reader;
mod stream_id;

use std::{io, net::SocketAddr, sync::Arc, thread, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use weir_srt::{Connection, Options};
pub use weir_srt::{InvalidPassphrase, Listener, Passphrase};

use crate::rtmp::{Claims, Publishers, redacted};

/// Most connections at a time. libsrt holds up to 12 MB for each, and a thread, as we do.
pub const MAX_CONNECTIONS: usize = 256;

/// How often a thread that reads a silent connection looks whether it is still wanted.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(500);
/// Pause after a failed accept, such as for want of memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait for their task.
const ACCEPTED: usize = 16;

/// Where encoders call, and how they are treated.
#[derive(Clone, Debug)]
pub struct Config {
    /// The UDP port.
    pub address: SocketAddr,
    /// How long a lost packet may take to be sent again. An encoder that asks for more gets more.
    pub latency: Duration,
    /// What every encoder has to encrypt with, if anything.
    pub passphrase: Option<Passphrase>,
}

/// Opens the socket.
///
/// # Errors
/// Those of a UDP socket, and libsrt's.
pub fn bind(config: &Config) -> io::Result<Listener> {
    let options = Options {
        latency: config.latency,
        passphrase: config.passphrase.clone(),
        receive_timeout: RECEIVE_TIMEOUT,
    };
    Listener::bind(config.address, &options)
}

/// Answers encoders until `shutdown` is cancelled, then ends their connections and returns once
/// they are closed. Must be called within a tokio runtime of several threads. Listeners that
/// share `claims` have one publisher for each lane of a video among them.
pub async fn serve(
    listener: Listener,
    publishers: Arc<dyn Publishers>,
    claims: Arc<Claims>,
    shutdown: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let gate = gate::Gate {
        publishers: Arc::clone(&publishers),
        claims: Arc::clone(&claims),
        room: Arc::clone(&room),
        runtime: Handle::current(),
    };
    let asked = move |stream_id: &str, peer: SocketAddr| gate.ask(stream_id, peer);
    if let Err(error) = listener.listen(Box::new(asked)) {
        error!(%error, "SRT callers are not answered");
        return;
    }
    let listener = Arc::new(listener);
    let closer = Closer(Arc::clone(&listener));
    let (sender, mut accepted) = mpsc::channel(ACCEPTED);
    thread::spawn(move || accept(&listener, &sender));
    let mut connections = JoinSet::new();
    loop {
        let connection = tokio::select! {
            Some(connection) = accepted.recv() => connection,
            Some(_) = connections.join_next() => continue,
            () = shutdown.cancelled() => break,
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let context = connection::Context {
            publishers: Arc::clone(&publishers),
            claims: Arc::clone(&claims),
            shutdown: shutdown.clone(),
        };
        connections.spawn(async move {
            handle(connection, context).await;
            drop(permit);
        });
    }
    drop(closer);
    // Until the thread has ended, which has the other end.
    while accepted.recv().await.is_some() {}
    while connections.join_next().await.is_some() {}
}

/// Closes the listener however [`serve`] ends, so that the thread that waits on it ends too.
struct Closer(Arc<Listener>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn accept(listener: &Listener, accepted: &mpsc::Sender<Connection>) {
    loop {
        match listener.accept() {
            Ok(Some(connection)) => {
                if accepted.blocking_send(connection).is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                warn!(%error, "accepting an SRT connection failed");
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

async fn handle(connection: Connection, context: connection::Context) {
    let peer = redacted(connection.peer().ip());
    let closed = connection::run(connection, &peer, context).await;
    let reason = closed.reason;
    match closed.publication {
        Some((video, repairs, damage)) => {
            info!(peer, %video, reason, ?repairs, ?damage, "SRT connection ended");
        }
        None => warn!(peer, reason, "SRT connection refused"),
    }
}
