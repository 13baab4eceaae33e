//! A UDP socket on which SRT callers are answered.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use crate::{
    Connection, Passphrase, Reject,
    ffi::{self, Opt, Socket, SrtError},
};

/// Callers that are through the handshake and wait to be accepted; more are turned away.
const BACKLOG: i32 = 64;

/// How a listener treats its callers.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a lost packet may take to be sent again: every packet is handed out this much
    /// after it was sent. A caller that asks for more gets more.
    pub latency: Duration,
    /// With a passphrase, callers have to encrypt with it, with keys of whatever length they
    /// like. Without, they may not encrypt.
    pub passphrase: Option<Passphrase>,
    /// How long [`Connection::receive`] waits for data.
    pub receive_timeout: Duration,
}

/// Decides about a caller by its stream id and its address, before it is let in. It runs on the
/// thread that receives for all connections of the listener, so it has to be quick.
pub type Gate = dyn Fn(&str, SocketAddr) -> Result<(), Reject> + Send + Sync;

/// A socket that is open. It answers callers from [`listen`](Self::listen) on, and no more once
/// it is dropped or [closed](Self::close).
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: SocketAddr,
}

impl Listener {
    /// Opens the socket.
    ///
    /// # Errors
    /// Those of a UDP socket; an [`SrtError`] of libsrt is of the kind `Other`.
    pub fn bind(address: SocketAddr, options: &Options) -> io::Result<Self> {
        // Not by libsrt, which would share a port that another process has.
        let udp = UdpSocket::bind(address)?;
        let address = udp.local_addr()?;
        let socket = Self::open(udp, options).map_err(io::Error::other)?;
        Ok(Self { socket, address })
    }

    fn open(udp: UdpSocket, options: &Options) -> Result<Socket, SrtError> {
        const UNLIMITED: i64 = -1;
        let socket = Socket::create()?;
        socket.set_int(Opt::RcvLatency, milliseconds(options.latency))?;
        socket.set_int(Opt::RcvTimeo, milliseconds(options.receive_timeout))?;
        socket.set_int64(Opt::MaxBw, UNLIMITED)?;
        if let Some(passphrase) = &options.passphrase {
            socket.set_bytes(Opt::Passphrase, passphrase.as_bytes())?;
        }
        socket.bind(udp)?;
        Ok(socket)
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Begins to answer callers, and to ask `gate` about each.
    ///
    /// # Errors
    /// If libsrt refuses, such as for want of a thread.
    pub fn listen(&self, gate: Box<Gate>) -> Result<(), SrtError> {
        self.socket.set_gate(gate)?;
        self.socket.listen(BACKLOG)
    }

    /// Waits for the next caller that the gate let in. `None` once the listener is closed.
    ///
    /// # Errors
    /// If there is one but libsrt has no room for it; the next one may do better.
    pub fn accept(&self) -> Result<Option<Connection>, SrtError> {
        match self.socket.accept() {
            Ok((socket, peer)) => Ok(Some(Connection::new(socket, peer))),
            Err(error) if error.code() == ffi::code::CLOSED || self.socket.is_closed() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Answers no more callers, and wakes who waits in [`accept`](Self::accept). Connections
    /// stay.
    pub fn close(&self) {
        self.socket.close();
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
