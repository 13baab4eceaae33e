//! The thread on which a connection is read.

use std::{io, sync::Arc, thread};

use bytes::Bytes;
use tokio::sync::mpsc;
use tracing::warn;
use weir_srt::{Connection, Received};

/// How many packets may wait to be demultiplexed, each of up to 1456 bytes. When there is no room
/// they wait with libsrt, which drops what comes too late.
const QUEUE: usize = 256;

/// A connection that is being read. Dropping it ends the connection.
pub(super) struct Reader {
    connection: Arc<Connection>,
    packets: mpsc::Receiver<Bytes>,
}

impl Reader {
    /// Begins to read.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub(super) fn start(connection: Connection) -> io::Result<Self> {
        let connection = Arc::new(connection);
        let (sender, packets) = mpsc::channel(QUEUE);
        let read = Arc::clone(&connection);
        thread::Builder::new()
            .name("srt-reader".to_owned())
            .spawn(move || forward(&read, &sender))?;
        Ok(Self {
            connection,
            packets,
        })
    }

    /// Waits for packets, and takes up to `most` of those that are there. None once the encoder
    /// is gone. Nothing is lost if the wait is given up.
    pub(super) async fn receive(&mut self, most: usize) -> Vec<Bytes> {
        let mut packets = Vec::new();
        self.packets.recv_many(&mut packets, most).await;
        packets
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.connection.close();
    }
}

fn forward(connection: &Connection, packets: &mpsc::Sender<Bytes>) {
    let mut buffer = [0; Connection::MAX_PACKET_LEN];
    loop {
        match connection.receive(&mut buffer) {
            Ok(Received::Data(len)) => {
                let packet = Bytes::copy_from_slice(&buffer[..len]);
                if packets.blocking_send(packet).is_err() {
                    return;
                }
            }
            Ok(Received::Nothing) if packets.is_closed() => return,
            Ok(Received::Nothing) => {}
            Ok(Received::Ended) => return,
            Err(error) => {
                warn!(%error, "SRT connection can't be read");
                return;
            }
        }
    }
}
