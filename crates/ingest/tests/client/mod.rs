//! An `rml_rtmp` client and our session, joined through memory.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use bytes::Bytes;
use rml_rtmp::{
    handshake::{Handshake, HandshakeProcessResult, PeerType},
    sessions::{
        ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult,
        PublishRequestType, StreamMetadata,
    },
    time::RtmpTimestamp,
};
use weir_ingest::rtmp::{Event, Limits, Session};

/// The client and what it was told.
pub(crate) struct Client {
    session: ClientSession,
    to_send: Vec<u8>,
    pub(crate) events: Vec<ClientSessionEvent>,
}

impl Client {
    fn new() -> Self {
        let (session, results) = ClientSession::new(ClientSessionConfig::new()).unwrap();
        let mut client = Self {
            session,
            to_send: Vec::new(),
            events: Vec::new(),
        };
        client.take(results);
        client
    }

    /// A client that gets these bytes of a chunk stream without having asked for anything.
    pub(crate) fn reading(bytes: &[u8]) -> Self {
        let mut client = Self::new();
        let results = client.session.handle_input(bytes).unwrap();
        client.take(results);
        client
    }

    pub(crate) fn saw(&self, event: &ClientSessionEvent) -> bool {
        self.events.contains(event)
    }

    fn take(&mut self, results: Vec<ClientSessionResult>) {
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => {
                    self.to_send.extend(packet.bytes);
                }
                ClientSessionResult::RaisedEvent(event) => self.events.push(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
    }
}

/// Both ends. Time stands still.
pub(crate) struct Joined {
    pub(crate) client: Client,
    pub(crate) session: Session,
    pub(crate) now: Instant,
    handshake: Option<Handshake>,
    events: Vec<Event>,
}

impl Joined {
    /// Nothing was sent yet.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            client: Client::new(),
            session: Session::new(now, "live", Limits::default()),
            now,
            handshake: Some(Handshake::new(PeerType::Client)),
            events: Vec::new(),
        }
    }

    /// Shakes hands and asks for the application.
    pub(crate) fn connect(&mut self, app: &str) {
        let mut handshake = self.handshake.take().unwrap();
        let mut to_server = handshake.generate_outbound_p0_and_p1().unwrap();
        loop {
            self.session.handle_input(self.now, &to_server);
            match handshake
                .process_bytes(&self.session.take_output())
                .unwrap()
            {
                HandshakeProcessResult::InProgress { response_bytes } => to_server = response_bytes,
                HandshakeProcessResult::Completed {
                    response_bytes,
                    remaining_bytes,
                } => {
                    assert!(remaining_bytes.is_empty());
                    self.session.handle_input(self.now, &response_bytes);
                    break;
                }
            }
        }
        self.request(|client| client.request_connection(app.into()).map(|r| vec![r]));
    }

    pub(crate) fn request_publishing(&mut self, key: &str) {
        let kind = PublishRequestType::Live;
        self.request(|client| client.request_publishing(key.into(), kind).map(|r| vec![r]));
    }

    pub(crate) fn request_playback(&mut self, key: &str) {
        self.request(|client| client.request_playback(key.into()).map(|r| vec![r]));
    }

    pub(crate) fn stop_publishing(&mut self) {
        self.request(ClientSession::stop_publishing);
    }

    pub(crate) fn metadata(&mut self, encoder: &str) {
        let mut metadata = StreamMetadata::new();
        metadata.encoder = Some(encoder.into());
        self.request(|client| client.publish_metadata(&metadata).map(|r| vec![r]));
    }

    pub(crate) fn video(&mut self, ms: u32, tag: Bytes) {
        let time = RtmpTimestamp::new(ms);
        self.request(|client| client.publish_video_data(tag, time, false).map(|r| vec![r]));
    }

    pub(crate) fn audio(&mut self, ms: u32, tag: Bytes) {
        let time = RtmpTimestamp::new(ms);
        self.request(|client| client.publish_audio_data(tag, time, false).map(|r| vec![r]));
    }

    /// Moves bytes both ways until neither end has any.
    pub(crate) fn pump(&mut self) {
        loop {
            let to_server = std::mem::take(&mut self.client.to_send);
            self.session.handle_input(self.now, &to_server);
            self.events
                .extend(std::iter::from_fn(|| self.session.poll_event()));
            let to_client = self.session.take_output();
            if to_server.is_empty() && to_client.is_empty() {
                return;
            }
            let results = self.client.session.handle_input(&to_client).unwrap();
            self.client.take(results);
        }
    }

    /// What happened on the server's side since the last time.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        self.events
            .extend(std::iter::from_fn(|| self.session.poll_event()));
        std::mem::take(&mut self.events)
    }

    fn request<E: std::fmt::Debug>(
        &mut self,
        act: impl FnOnce(&mut ClientSession) -> Result<Vec<ClientSessionResult>, E>,
    ) {
        let results = act(&mut self.client.session).unwrap();
        self.client.take(results);
        self.pump();
    }
}
