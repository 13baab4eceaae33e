//! The way out of packets.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use str0m::net::{DatagramSend, Protocol, Transmit};
use tokio::{net::UdpSocket, sync::mpsc};
use tracing::debug;

/// How many packets may wait for a TCP connection that is slow: a second of 6 Mbit/s.
const QUEUE: usize = 640;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on its way.
    Away,
    /// It is lost, as the peer's connection does not keep up. More would be lost too.
    NoRoom,
}

/// The sockets, to write to.
#[derive(Debug)]
pub(super) struct Outlet {
    udp: UdpSocket,
    tcp: Mutex<HashMap<SocketAddr, mpsc::Sender<DatagramSend>>>,
}

impl Outlet {
    pub(super) fn new(udp: UdpSocket) -> Self {
        Self {
            udp,
            tcp: Mutex::default(),
        }
    }

    pub(super) fn udp(&self) -> &UdpSocket {
        &self.udp
    }

    /// Sends a packet.
    pub(super) async fn send(&self, transmit: Transmit) -> Sent {
        if transmit.proto == Protocol::Udp {
            let sent = self.udp.send_to(&transmit.contents, transmit.destination);
            // Such as that nobody listens there any more: lost, as on the way.
            if let Err(error) = sent.await {
                debug!(%error, "packet not sent");
            }
            return Sent::Away;
        }
        let connection = self.lock().get(&transmit.destination).cloned();
        match connection.map(|connection| connection.try_send(transmit.contents)) {
            Some(Err(mpsc::error::TrySendError::Full(_))) => Sent::NoRoom,
            // A connection that is gone loses everything; its session finds out.
            Some(_) | None => Sent::Away,
        }
    }

    /// A TCP connection is there: what is to be sent over it.
    pub(super) fn connect(&self, peer: SocketAddr) -> mpsc::Receiver<DatagramSend> {
        let (sender, packets) = mpsc::channel(QUEUE);
        self.lock().insert(peer, sender);
        packets
    }

    /// It is gone.
    pub(super) fn disconnect(&self, peer: SocketAddr) {
        self.lock().remove(&peer);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, mpsc::Sender<DatagramSend>>> {
        self.tcp.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
