//! Packets as sockets and sessions hand them to each other.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use str0m::net::Protocol;

/// Longest packet that is taken, in bytes; str0m makes none longer than 1500.
pub(super) const MAX_PACKET_LEN: usize = 2000;

/// Addresses that one client may send from; the oldest is forgotten for a new one.
pub(super) const MOST_SOURCES: usize = 8;

/// Where packets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub(super) protocol: Protocol,
    pub(super) address: SocketAddr,
}

/// A packet that came.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) source: Source,
    pub(super) contents: Bytes,
    pub(super) received: Instant,
}
