//! One viewer's socket: takes frames out of the hall at its own speed, and is dropped when that is
//! too slow.

use std::{ops::ControlFlow, time::Duration};

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};
use weir_model::room::{Acknowledgement, GOING_AWAY, MAX_FROM_CLIENT, NO_FRAME, TOO_SLOW};

use super::{
    hall::Hall,
    hub::{Next, Seat},
    metrics::RoomMetrics,
};

/// How often a viewer is asked whether it is there. One that lets two of these pass in silence is
/// not.
const PING_EVERY: Duration = Duration::from_secs(25);
/// Most frames that a viewer may send between two pings.
const MAX_FRAMES: u32 = 100;
/// How long a viewer may take nothing at all.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a last word may take.
const LAST_WORD: Duration = Duration::from_secs(1);
/// What is read at a time: acknowledgements are short, and a thousand sockets have a thousand of
/// these.
const READ_BUFFER: usize = 512;

pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The socket over an upgraded connection.
pub(super) async fn socket(upgraded: Upgraded) -> Socket {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(MAX_FROM_CLIENT))
        .max_frame_size(Some(MAX_FROM_CLIENT));
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await
}

/// Serves a viewer until one of both goes.
pub(super) async fn attend(
    socket: Socket,
    hall: &Hall,
    seat: Seat,
    first: Vec<Utf8Bytes>,
    mut draining: watch::Receiver<bool>,
    metrics: &RoomMetrics,
) {
    let mut head = hall.head();
    let mut viewer = Viewer {
        socket,
        hall,
        seat,
        metrics,
        heard: MAX_FRAMES,
        silent: 0,
    };
    // Errors are those of sockets that are gone: there is nobody to tell.
    let _ = viewer.serve(first, &mut head, &mut draining).await;
}

struct Viewer<'a> {
    socket: Socket,
    hall: &'a Hall,
    seat: Seat,
    metrics: &'a RoomMetrics,
    /// How many more frames it may send until the next ping.
    heard: u32,
    /// Pings since it last sent anything.
    silent: u32,
}

impl Viewer<'_> {
    async fn serve(
        &mut self,
        first: Vec<Utf8Bytes>,
        head: &mut watch::Receiver<u64>,
        draining: &mut watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        for frame in first {
            self.feed(frame).await?;
        }
        loop {
            head.mark_unchanged();
            if self.catch_up().await?.is_break() {
                return Ok(());
            }
            tokio::select! {
                _ = head.changed() => {}
                // What is given back holds a lock, which must be gone before the next wait.
                () = async { drop(draining.wait_for(|draining| *draining).await) } => {
                    return self.close(GOING_AWAY, "the server goes down").await;
                }
                message = self.socket.next() => match message {
                    Some(message) => match self.hear(message?) {
                        ControlFlow::Continue(()) => {}
                        ControlFlow::Break(None) => return Ok(()),
                        ControlFlow::Break(Some(reason)) => {
                            return self.close(NO_FRAME, reason).await;
                        }
                    },
                    None => return Ok(()),
                },
                _ = pings.tick() => {
                    if self.silent >= 2 {
                        return Ok(());
                    }
                    self.silent += 1;
                    self.heard = MAX_FRAMES;
                    self.socket.feed(Message::Ping(Default::default())).await?;
                }
            }
        }
    }

    /// Sends all that is there.
    async fn catch_up(&mut self) -> Result<ControlFlow<()>, Error> {
        loop {
            match self.hall.ask(|hub| hub.next(&mut self.seat)) {
                Next::Send(frame) => self.feed(frame).await?,
                Next::Wait => break,
                Next::Behind(marker) => {
                    self.metrics.slow.inc();
                    let last_words = async {
                        self.feed(marker).await?;
                        self.close(TOO_SLOW, "too slow").await
                    };
                    let _ = timeout(LAST_WORD, last_words).await;
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(match timeout(WRITE_TIMEOUT, self.socket.flush()).await {
            Ok(flushed) => flushed.map(|()| ControlFlow::Continue(()))?,
            Err(_) => {
                self.metrics.slow.inc();
                ControlFlow::Break(())
            }
        })
    }

    async fn feed(&mut self, frame: Utf8Bytes) -> Result<(), Error> {
        self.metrics.frames.inc();
        self.metrics.frame_bytes.inc_by(frame.len() as u64);
        self.socket.feed(Message::Text(frame)).await
    }

    /// Breaks with a reason if the viewer sends what it should not.
    fn hear(&mut self, message: Message) -> ControlFlow<Option<&'static str>> {
        self.silent = 0;
        let Some(heard) = self.heard.checked_sub(1) else {
            return ControlFlow::Break(Some("too many frames"));
        };
        self.heard = heard;
        match message {
            // How far it is the socket tells better; it is a sign of life.
            Message::Text(text) if serde_json::from_str::<Acknowledgement>(&text).is_ok() => {
                ControlFlow::Continue(())
            }
            Message::Text(_) | Message::Binary(_) => ControlFlow::Break(Some("not a frame")),
            Message::Close(_) => ControlFlow::Break(None),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => ControlFlow::Continue(()),
        }
    }

    async fn close(&mut self, code: u16, reason: &'static str) -> Result<(), Error> {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        let closing = async {
            self.socket.close(Some(frame)).await?;
            // The other side's answer ends the connection in good order (RFC 6455 section 7.1.1).
            while let Some(Ok(_)) = self.socket.next().await {}
            Ok(())
        };
        timeout(LAST_WORD, closing).await.unwrap_or(Ok(()))
    }
}
