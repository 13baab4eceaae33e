//! The Durable Object that holds a room, or a part of its viewers. It may be put to sleep between any
//! two calls: the window of messages is in its storage, how far a client is in that client's socket.

use std::cell::{Cell, RefCell};

use serde::{Deserialize, Serialize};
use weir_edge_worker::room::{Client, Delivery, Limits, News, Room};
use weir_model::room::{Acknowledgement, Frame, MAX_FROM_CLIENT, NO_FRAME, Report, TOO_SLOW};
use worker::{
    DurableObject, Env, Error, Method, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, WebSocketPair, durable_object,
};

use crate::frame::{Kept, backfill_frames, messages, news_frames};

/// Where the window is in storage.
const WINDOW: &str = "window";

/// What a socket keeps while the object sleeps.
#[derive(Serialize, Deserialize)]
struct Attachment {
    sent: u64,
    acknowledged: u64,
}

#[durable_object(websocket)]
struct ChatRoom {
    state: State,
    room: RefCell<Option<Room>>,
    /// How many watch everywhere, as the origin last said; 0 if it has not since the object woke.
    viewers: Cell<u64>,
}

impl DurableObject for ChatRoom {
    fn new(state: State, _env: Env) -> Self {
        Self {
            state,
            room: RefCell::new(None),
            viewers: Cell::new(0),
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        self.wake().await?;
        if request.method() == Method::Post {
            let frame = request.text().await?;
            return self.take(&frame).await;
        }
        let url = request.url()?;
        let after = url.query_pairs().find(|(name, _)| name == "after");
        let after = after.and_then(|(_, seq)| seq.parse().ok());
        let pair = WebSocketPair::new()?;
        self.state.accept_web_socket(&pair.server);
        self.welcome(&pair.server, after)?;
        Response::from_websocket(pair.client)
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        let acknowledgement = match &message {
            WebSocketIncomingMessage::String(text) if text.len() <= MAX_FROM_CLIENT => {
                serde_json::from_str::<Acknowledgement>(text).ok()
            }
            _ => None,
        };
        let Some(Acknowledgement { acknowledge }) = acknowledgement else {
            return socket.close(Some(NO_FRAME), Some("this is no frame"));
        };
        let mut client = client_of(&socket)?;
        client.acknowledge(acknowledge);
        keep(&socket, client)
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        _code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> Result<()> {
        // The other half of the closing handshake; the runtime may have sent it already.
        let _ = socket.close(Some(NORMAL), None::<&str>);
        Ok(())
    }

    async fn websocket_error(&self, _socket: WebSocket, _error: Error) -> Result<()> {
        Ok(())
    }
}

/// Close code of a connection that has served its purpose (RFC 6455 section 7.4.1).
const NORMAL: u16 = 1000;

impl ChatRoom {
    /// Reads the window, if the object has just woken.
    async fn wake(&self) -> Result<()> {
        if self.room.borrow().is_some() {
            return Ok(());
        }
        let window = self.state.storage().get::<Vec<Kept>>(WINDOW).await?;
        let mut room = Room::new(Limits::default());
        room.accept_batch(window.unwrap_or_default().into_iter().map(Kept::into));
        // Another call may have woken it meanwhile, and taken messages since.
        self.room.borrow_mut().get_or_insert(room);
        Ok(())
    }

    /// Takes what the origin posts.
    async fn take(&self, text: &str) -> Result<Response> {
        let Ok(frame) = serde_json::from_str::<Frame>(text) else {
            return Response::error("this is no frame", 400);
        };
        match frame {
            Frame::Messages { messages: comments } => {
                let batch = messages(&comments)?;
                let (news, window) = {
                    let mut room = self.room.borrow_mut();
                    let room = room.get_or_insert_default();
                    (room.accept_batch(batch), room.backfill(None).messages)
                };
                if !news.messages.is_empty() {
                    let window: Vec<Kept> = window.into_iter().map(Kept::from).collect();
                    self.state.storage().put(WINDOW, window).await?;
                    self.tell(&news, &news_frames(&news)?);
                }
            }
            Frame::Reactions { .. } | Frame::Notice { .. } => {
                self.tell(&News::default(), &[text.to_owned()]);
            }
            Frame::Viewers { viewers } => {
                self.viewers.set(viewers);
                self.tell(&News::default(), &[text.to_owned()]);
            }
            Frame::Hello { .. } | Frame::Hole { .. } => {
                return Response::error("such a frame is the room's own to send", 400);
            }
        }
        let viewers = self.sockets();
        Response::from_json(&Report { viewers })
    }

    fn tell(&self, news: &News, frames: &[String]) {
        for socket in self.state.get_websockets() {
            // A socket that is closing refuses; the others are not to suffer for it.
            if deliver(&socket, news, frames).is_err() {
                let _ = socket.close(Some(TOO_SLOW), Some("cannot be reached"));
            }
        }
    }

    fn welcome(&self, socket: &WebSocket, after: Option<u64>) -> Result<()> {
        let (seq, backfill) = {
            let room = self.room.borrow();
            let room = room.as_ref();
            let seq = room.map_or(0, Room::last);
            (
                seq,
                room.map(|room| room.backfill(after)).unwrap_or_default(),
            )
        };
        let viewers = self.viewers.get().max(self.sockets());
        socket.send(&Frame::Hello { seq, viewers })?;
        for frame in backfill_frames(after, &backfill)? {
            socket.send_with_str(frame)?;
        }
        // It cannot have what there is not yet.
        let known = after.unwrap_or(0).min(seq);
        let mut client = Client {
            sent: known,
            acknowledged: known,
        };
        // What a new client was not sent it need not acknowledge.
        if let (Some(first), Some(last)) = (backfill.messages.first(), backfill.messages.last()) {
            client.acknowledged = first.seq.saturating_sub(1);
            client.sent = last.seq;
        }
        keep(socket, client)
    }

    fn sockets(&self) -> u64 {
        self.state.get_websockets().len() as u64
    }
}

fn deliver(socket: &WebSocket, news: &News, frames: &[String]) -> Result<()> {
    let mut client = client_of(socket)?;
    match client.deliver(news, Limits::default()) {
        Delivery::Send => {
            for frame in frames {
                socket.send_with_str(frame)?;
            }
            keep(socket, client)
        }
        Delivery::Drop { after } => {
            socket.send(&Frame::Hole { after })?;
            socket.close(Some(TOO_SLOW), Some("too slow"))
        }
    }
}

fn client_of(socket: &WebSocket) -> Result<Client> {
    let attachment = socket.deserialize_attachment::<Attachment>()?;
    Ok(
        attachment.map_or(Client::default(), |Attachment { sent, acknowledged }| {
            Client { sent, acknowledged }
        }),
    )
}

fn keep(socket: &WebSocket, Client { sent, acknowledged }: Client) -> Result<()> {
    socket.serialize_attachment(Attachment { sent, acknowledged })
}
