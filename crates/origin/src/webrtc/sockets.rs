//! The sockets that all sessions share: one for UDP, and one that takes TCP connections for
//! clients whose networks let nothing else through (RFC 6544; packets are framed as in RFC 4571).

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use str0m::net::{DatagramSend, Protocol};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tracing::{debug, warn};

use super::{
    outlet::Outlet,
    packet::{MAX_PACKET_LEN, Packet, Source},
    routes::Routes,
};

/// Most TCP connections at a time.
const MOST_CONNECTIONS: usize = 2048;
/// Longest without a packet that belongs to a session, over TCP.
const IDLE: Duration = Duration::from_secs(15);
/// Packets over TCP that belong to no session before the connection is ended.
const MOST_STRAY: u32 = 16;
/// Pause after a socket failed, such as for want of memory.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a free port is looked for that both protocols have.
const BIND_ATTEMPTS: u32 = 16;

/// Opens both sockets on one port. Port 0 is one that is free for both.
///
/// # Errors
/// Those of sockets.
pub(super) async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempt = 1;
    loop {
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if address.port() != 0 || attempt == BIND_ATTEMPTS => return Err(error),
            Err(_) => attempt += 1,
        }
    }
}

/// Brings sessions what comes over UDP.
pub(super) async fn receive(outlet: &Outlet, routes: &Routes) {
    let mut buffer = [0; MAX_PACKET_LEN];
    loop {
        match outlet.udp().recv_from(&mut buffer).await {
            Ok((len, address)) => {
                routes.deliver(Packet {
                    source: Source {
                        protocol: Protocol::Udp,
                        address,
                    },
                    contents: Bytes::copy_from_slice(&buffer[..len]),
                    received: Instant::now(),
                });
            }
            // Somebody whom a packet was sent to has gone.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => {
                warn!(%error, "receiving over UDP failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Takes TCP connections and brings sessions what comes over them.
pub(super) async fn accept(listener: &TcpListener, outlet: &Arc<Outlet>, routes: &Arc<Routes>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) if connections.len() < MOST_CONNECTIONS => {
                let (outlet, routes) = (outlet.clone(), routes.clone());
                connections.spawn(async move {
                    let packets = outlet.connect(peer);
                    let end = converse(stream, peer, packets, &routes).await;
                    outlet.disconnect(peer);
                    debug!(reason = %end, "ICE-TCP connection ended");
                });
            }
            Ok(_) => warn!(
                limit = MOST_CONNECTIONS,
                "ICE-TCP connection refused: too many"
            ),
            Err(error) => {
                warn!(%error, "accepting an ICE-TCP connection failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Runs one TCP connection to its end, and tells why it ended.
async fn converse(
    mut stream: TcpStream,
    peer: SocketAddr,
    mut packets: mpsc::Receiver<DatagramSend>,
    routes: &Routes,
) -> io::Error {
    let _ = stream.set_nodelay(true);
    let (reader, mut writer) = stream.split();
    let read = async {
        let mut reader = BufReader::new(reader);
        let mut stray = 0;
        loop {
            let contents = match timeout(IDLE, read_frame(&mut reader)).await {
                Ok(Ok(contents)) => contents,
                Ok(Err(error)) => return error,
                Err(elapsed) => return elapsed.into(),
            };
            let known = routes.deliver(Packet {
                source: Source {
                    protocol: Protocol::Tcp,
                    address: peer,
                },
                contents,
                received: Instant::now(),
            });
            stray = if known { 0 } else { stray + 1 };
            if stray > MOST_STRAY {
                return io::Error::other("its packets belong to no session");
            }
        }
    };
    let write = async {
        let mut frame = Vec::with_capacity(MAX_PACKET_LEN);
        while let Some(packet) = packets.recv().await {
            frame.clear();
            let Ok(len) = u16::try_from(packet.len()) else {
                continue;
            };
            frame.extend_from_slice(&len.to_be_bytes());
            frame.extend_from_slice(&packet);
            if let Err(error) = writer.write_all(&frame).await {
                return error;
            }
        }
        io::ErrorKind::ConnectionAborted.into()
    };
    tokio::select! {
        error = read => error,
        error = write => error,
    }
}

async fn read_frame(reader: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Bytes> {
    let len = usize::from(reader.read_u16().await?);
    if len > MAX_PACKET_LEN {
        let why = format!("a packet of {len} bytes is longer than {MAX_PACKET_LEN}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let mut contents = vec![0; len];
    reader.read_exact(&mut contents).await?;
    Ok(contents.into())
}
