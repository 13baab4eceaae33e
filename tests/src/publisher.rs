//! An RTMP publisher that sends what it is told when it is told, wrong or right.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use rml_rtmp::{
    handshake::{Handshake, HandshakeProcessResult, PeerType},
    sessions::{
        ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult,
        PublishRequestType,
    },
    time::RtmpTimestamp,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedWriteHalf},
    task::JoinHandle,
};

use crate::flv::Tag;

const READ_LEN: usize = 16 * 1024;

/// A connection that publishes. Dropping it closes the connection without a word.
pub struct Publisher {
    session: ClientSession,
    writer: OwnedWriteHalf,
    drain: JoinHandle<()>,
}

impl Publisher {
    /// Connects and asks to publish.
    ///
    /// # Errors
    /// If the server refuses, or hangs up.
    pub async fn connect(server: SocketAddr, app: &str, stream_key: String) -> Result<Self> {
        let mut socket = TcpStream::connect(server).await.context("connect")?;
        socket.set_nodelay(true)?;
        let rest = shake_hands(&mut socket).await.context("handshake")?;
        let (mut session, first) = ClientSession::new(ClientSessionConfig::new())?;
        send(&mut socket, first).await?;
        send(&mut socket, session.handle_input(&rest)?).await?;
        let connect = session.request_connection(app.to_owned())?;
        send(&mut socket, vec![connect]).await?;
        wait_for(
            &mut socket,
            &mut session,
            &ClientSessionEvent::ConnectionRequestAccepted,
        )
        .await?;
        let publish = session.request_publishing(stream_key, PublishRequestType::Live)?;
        send(&mut socket, vec![publish]).await?;
        wait_for(
            &mut socket,
            &mut session,
            &ClientSessionEvent::PublishRequestAccepted,
        )
        .await?;
        let (mut reader, writer) = socket.into_split();
        // What the server says from here on (acknowledgements) is read and dropped.
        let drain = tokio::spawn(async move {
            let mut buffer = [0; 512];
            while reader.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
        });
        Ok(Self {
            session,
            writer,
            drain,
        })
    }

    /// Sends a tag under its time.
    ///
    /// # Errors
    /// If the server has closed the connection.
    pub async fn send(&mut self, tag: &Tag) -> Result<()> {
        let chunks = self.chunks(tag)?;
        self.send_bytes(&chunks).await
    }

    /// Sends bytes as they are, whatever they mean to the server.
    ///
    /// # Errors
    /// If the server has closed the connection.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = self.writer.write_all(bytes).await;
        sent.context("the server closed the stream")
    }

    /// The tag as [`send`](Self::send) would put it on the wire.
    ///
    /// # Errors
    /// If it can't be put into chunks.
    pub fn chunks(&mut self, tag: &Tag) -> Result<Bytes> {
        let (body, time) = (tag.body.clone(), RtmpTimestamp::new(tag.time_ms));
        let message = if tag.video {
            self.session.publish_video_data(body, time, false)?
        } else {
            self.session.publish_audio_data(body, time, false)?
        };
        Ok(match message {
            ClientSessionResult::OutboundResponse(packet) => packet.bytes.into(),
            _ => Bytes::new(),
        })
    }

    /// Ends the connection by a reset (RST), as a router does that has forgotten it.
    ///
    /// # Errors
    /// If the system doesn't allow it.
    pub fn reset(self) -> Result<()> {
        let socket: &TcpStream = self.writer.as_ref();
        socket.set_zero_linger().context("SO_LINGER")
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.drain.abort();
    }
}

async fn shake_hands(socket: &mut TcpStream) -> Result<Vec<u8>> {
    let mut handshake = Handshake::new(PeerType::Client);
    socket
        .write_all(&handshake.generate_outbound_p0_and_p1()?)
        .await?;
    let mut buffer = vec![0; READ_LEN];
    loop {
        let n = socket.read(&mut buffer).await?;
        if n == 0 {
            bail!("the server closed the connection");
        }
        match handshake.process_bytes(&buffer[..n])? {
            HandshakeProcessResult::InProgress { response_bytes } => {
                socket.write_all(&response_bytes).await?;
            }
            HandshakeProcessResult::Completed {
                response_bytes,
                remaining_bytes,
            } => {
                socket.write_all(&response_bytes).await?;
                return Ok(remaining_bytes);
            }
        }
    }
}

async fn send(socket: &mut TcpStream, results: Vec<ClientSessionResult>) -> Result<()> {
    for result in results {
        if let ClientSessionResult::OutboundResponse(packet) = result {
            socket.write_all(&packet.bytes).await?;
        }
    }
    Ok(())
}

async fn wait_for(
    socket: &mut TcpStream,
    session: &mut ClientSession,
    wanted: &ClientSessionEvent,
) -> Result<()> {
    let mut buffer = vec![0; READ_LEN];
    loop {
        let n = socket.read(&mut buffer).await?;
        if n == 0 {
            bail!("the server closed the connection while {wanted:?} was due");
        }
        // The event may stand before packets that must go out, such as the new chunk size.
        let mut came = false;
        for result in session.handle_input(&buffer[..n])? {
            match result {
                ClientSessionResult::RaisedEvent(event) => came |= event == *wanted,
                other => send(socket, vec![other]).await?,
            }
        }
        if came {
            return Ok(());
        }
    }
}
