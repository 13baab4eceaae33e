//! The Durable Object of one room. It may be put to sleep between any two calls: the window of
//! messages is in its storage, how far a client is in that client's socket.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use weir_edge_worker::room::{Accepted, Client, Delivery, Limits, Message, Room};
use worker::{
    DurableObject, Env, Error, Method, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, WebSocketPair, durable_object,
};

use crate::frame::{FromClient, Posted, ToClient, backfill_frames};

/// Where the window is in storage.
const WINDOW: &str = "window";
/// Longest message in bytes.
const MAX_TEXT: usize = 4096;
/// Close code of a client that was too slow ("try again later").
const TOO_SLOW: u16 = 1013;

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
}

impl DurableObject for ChatRoom {
    fn new(state: State, _env: Env) -> Self {
        Self {
            state,
            room: RefCell::new(None),
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        self.wake().await?;
        if request.method() == Method::Post {
            let Ok(posted) = request.json::<Posted>().await else {
                return Response::error("a message has a seq and a text", 400);
            };
            if posted.text.len() > MAX_TEXT {
                return Response::error("the text is too long", 413);
            }
            return self.take(posted.into()).await;
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
        let WebSocketIncomingMessage::String(text) = message else {
            return Ok(());
        };
        if let Ok(FromClient { acknowledge }) = serde_json::from_str(&text) {
            let mut client = client_of(&socket)?;
            client.acknowledge(acknowledge);
            keep(&socket, client)?;
        }
        Ok(())
    }

    async fn websocket_close(
        &self,
        _socket: WebSocket,
        _code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> Result<()> {
        Ok(())
    }

    async fn websocket_error(&self, _socket: WebSocket, _error: Error) -> Result<()> {
        Ok(())
    }
}

impl ChatRoom {
    /// Reads the window, if the object has just woken.
    async fn wake(&self) -> Result<()> {
        if self.room.borrow().is_some() {
            return Ok(());
        }
        let window = self.state.storage().get::<Vec<Posted>>(WINDOW).await?;
        let mut room = Room::new(Limits::default());
        for posted in window.unwrap_or_default() {
            room.accept(posted.into());
        }
        // Another call may have woken it meanwhile, and taken messages since.
        self.room.borrow_mut().get_or_insert(room);
        Ok(())
    }

    async fn take(&self, message: Message) -> Result<Response> {
        let (accepted, window) = {
            let mut room = self.room.borrow_mut();
            let room = room.get_or_insert_default();
            let accepted = room.accept(message.clone());
            (accepted, room.backfill(None).messages)
        };
        if accepted == Accepted::Known {
            return Response::empty();
        }
        let window: Vec<Posted> = window.into_iter().map(Posted::from).collect();
        self.state.storage().put(WINDOW, window).await?;
        for socket in self.state.get_websockets() {
            // A socket that is closing refuses; the others are not to suffer for it.
            if deliver(&socket, &message, accepted).is_err() {
                let _ = socket.close(Some(TOO_SLOW), Some("cannot be reached"));
            }
        }
        Response::empty()
    }

    fn welcome(&self, socket: &WebSocket, after: Option<u64>) -> Result<()> {
        let backfill = self
            .room
            .borrow()
            .as_ref()
            .map(|room| room.backfill(after))
            .unwrap_or_default();
        for frame in backfill_frames(after, &backfill) {
            socket.send(&frame)?;
        }
        let acknowledged = after.unwrap_or(0);
        let sent = backfill
            .messages
            .last()
            .map_or(acknowledged, |message| message.seq);
        // What a new client was not sent it need not acknowledge.
        let acknowledged = backfill
            .messages
            .first()
            .map_or(acknowledged, |message| message.seq - 1);
        keep(socket, Client { sent, acknowledged })
    }
}

fn deliver(socket: &WebSocket, message: &Message, accepted: Accepted) -> Result<()> {
    let mut client = client_of(socket)?;
    match client.deliver(message.seq, accepted, Limits::default()) {
        Delivery::Send => {
            if let Accepted::AfterHole { expected } = accepted {
                socket.send(&ToClient::Hole {
                    after: expected - 1,
                })?;
            }
            socket.send(&ToClient::Message {
                seq: message.seq,
                text: &message.text,
            })?;
            keep(socket, client)
        }
        Delivery::Drop { after } => {
            socket.send(&ToClient::Hole { after })?;
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
