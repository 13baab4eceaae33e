//! One caller that was let in.

use std::net::SocketAddr;

use crate::ffi::{Socket, SrtError, code};

/// A connection. It is closed when dropped or by [`close`](Self::close); the caller then sees it
/// break.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    peer: SocketAddr,
}

/// What came of waiting for data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// One packet's payload of so many bytes, at the front of the buffer.
    Data(usize),
    /// Nothing came in time.
    Nothing,
    /// The caller has gone, or was silent for 5 s, or the connection was closed here.
    Ended,
}

impl Connection {
    /// Most bytes in a packet: an Ethernet frame's, without the headers of IPv4, UDP and SRT.
    pub const MAX_PACKET_LEN: usize = 1456;

    pub(crate) fn new(socket: Socket, peer: SocketAddr) -> Self {
        Self { socket, peer }
    }

    /// Where the caller is.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What the caller calls itself, up to 512 bytes.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn stream_id(&self) -> Result<String, SrtError> {
        self.socket.stream_id()
    }

    /// Waits for the next packet, in the order in which they were sent; packets that are lost for
    /// good are left out. Waits for as long as the listener's options say.
    ///
    /// # Errors
    /// For whatever is neither data nor the end; the connection is of no use then.
    pub fn receive(&self, buffer: &mut [u8; Self::MAX_PACKET_LEN]) -> Result<Received, SrtError> {
        match self.socket.receive(buffer) {
            Ok(0) => Ok(Received::Ended),
            Ok(len) => Ok(Received::Data(len)),
            Err(error) => match error.code() {
                code::WOULD_BLOCK | code::TIMEOUT => Ok(Received::Nothing),
                code::CONNECTION_LOST | code::NO_CONNECTION | code::INVALID_SOCKET => {
                    Ok(Received::Ended)
                }
                _ => Err(error),
            },
        }
    }

    /// Ends the connection, and wakes who waits in [`receive`](Self::receive).
    pub fn close(&self) {
        self.socket.close();
    }
}
