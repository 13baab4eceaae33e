//! The session of one publisher.

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use weir_media::{track::FromTrack, unit::Media};
use weir_model::Lane;

use super::{
    chunk::{MAX_COMMAND_LEN, Reader},
    handshake::Handshake,
    media::MediaReader,
    message::{Aggregate, Message, kind},
    metadata,
    outcome::{End, Refusal, SessionError, Wait},
    reply::Replies,
};
use crate::{
    amf0::{self, Value},
    flv::RefusedTrack,
    repair::Repairs,
};

/// What a session puts up with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte to the end of the handshake.
    pub handshake: Duration,
    /// From the handshake to a request to publish.
    pub publish: Duration,
    /// Without a byte while publishing.
    pub idle: Duration,
    /// Longest media message, in bytes. Before publishing is accepted nothing longer than
    /// [`MAX_COMMAND_LEN`] is taken.
    pub max_media_len: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            publish: Duration::from_secs(10),
            idle: Duration::from_secs(15),
            max_media_len: 8 * 1024 * 1024,
        }
    }
}

/// What happens in a session.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// The encoder wants to publish. Answer with [`Session::accept`] or [`Session::reject`].
    PublishRequested(PublishRequest),
    /// Media of the tracks that lead, once publishing was accepted.
    Media(Media),
    /// Media of a further track, or what a track is called.
    Track(FromTrack),
    /// The encoder sends a track that is not taken; what else it sends is.
    TrackRefused(RefusedTrack),
    /// The session is over. Send what [`Session::take_output`] still yields and close the
    /// connection; no event follows.
    Ended(End),
}

/// What an encoder wants to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRequest {
    /// The application's name.
    pub app: String,
    /// The stream's name, which is the stream key. What an encoder adds after a `?` is dropped.
    pub key: StreamKey,
    /// Which of the video's publishers it says it is, with `backup=1` in the query behind the
    /// stream's name, the application's, or in `tcUrl`.
    pub lane: Lane,
}

/// A stream key. It is a secret: its `Debug` form doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamKey(String);

impl StreamKey {
    /// The key as the encoder sent it; unchecked, up to 64 KiB.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for StreamKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(…)")
    }
}

/// The server's side of one publisher's connection.
///
/// Feed it with [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout) and
/// [`handle_eof`](Self::handle_eof). After each of these and after [`accept`](Self::accept) and
/// [`reject`](Self::reject), send what [`take_output`](Self::take_output) yields, act on
/// [`poll_event`](Self::poll_event) until it is `None`, and ask
/// [`poll_timeout`](Self::poll_timeout) again.
///
/// It holds at most about twice [`Limits::max_media_len`], and before publishing is accepted about
/// 1 MiB, beside events and output, which are in proportion to the input they come from.
#[derive(Debug)]
pub struct Session {
    app: String,
    limits: Limits,
    stage: Stage,
    /// When the stage began.
    since: Instant,
    last_input: Instant,
    reader: Reader,
    replies: Replies,
    events: VecDeque<Event>,
    media: MediaReader,
    encoder: Option<String>,
    /// As the query of the application or of its URL says.
    lane: Lane,
}

#[derive(Debug)]
enum Stage {
    Handshake(Handshake),
    /// Chunks flow, `connect` has not come.
    Open,
    Connected,
    /// Publishing was asked for on this message stream, and is being decided.
    Requested(u32),
    Publishing(u32),
    Over,
}

/// Longest piece of a peer's text that goes into a log line or a reply, in characters.
const MAX_QUOTED: usize = 64;

impl Session {
    /// A session that begins at `now` and takes streams for the application `app`.
    pub fn new(now: Instant, app: &str, limits: Limits) -> Self {
        Self {
            app: app.to_owned(),
            limits,
            stage: Stage::Handshake(Handshake::default()),
            since: now,
            last_input: now,
            reader: Reader::new(MAX_COMMAND_LEN),
            replies: Replies::default(),
            events: VecDeque::new(),
            media: MediaReader::default(),
            encoder: None,
            lane: Lane::default(),
        }
    }

    /// Takes bytes that came from the peer.
    pub fn handle_input(&mut self, now: Instant, mut input: &[u8]) {
        if matches!(self.stage, Stage::Over) || input.is_empty() {
            return;
        }
        self.last_input = now;
        self.replies.received(input.len());
        if let Err(end) = self.process(now, &mut input) {
            self.end(end);
        }
        if !matches!(self.stage, Stage::Over) {
            self.replies.acknowledge();
        }
    }

    /// The peer closed its side.
    pub fn handle_eof(&mut self) {
        self.end(End::Disconnected);
    }

    /// Call it when [`poll_timeout`](Self::poll_timeout)'s time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return;
        }
        self.end(match self.stage {
            Stage::Handshake(_) => End::TimedOut(self.limits.handshake, Wait::Handshake),
            Stage::Open | Stage::Connected => End::TimedOut(self.limits.publish, Wait::Publish),
            _ => End::TimedOut(self.limits.idle, Wait::Bytes),
        });
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` while it is up to the caller
    /// to accept or reject, and at the end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Handshake(_) => Some(self.since + self.limits.handshake),
            Stage::Open | Stage::Connected => Some(self.since + self.limits.publish),
            Stage::Publishing(_) => Some(self.last_input + self.limits.idle),
            Stage::Requested(_) | Stage::Over => None,
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes to send; empty if there are none.
    pub fn take_output(&mut self) -> Bytes {
        self.replies.take()
    }

    /// Lets the encoder that asked go on. Without effect if none asks.
    pub fn accept(&mut self, now: Instant) {
        if let Stage::Requested(stream_id) = self.stage {
            self.replies.publish_started(stream_id);
            self.reader.set_max_media_len(self.limits.max_media_len);
            self.last_input = now;
            self.stage = Stage::Publishing(stream_id);
        }
    }

    /// Refuses the encoder that asked, or stops one that publishes.
    pub fn reject(&mut self, refusal: Refusal) {
        if let Stage::Requested(stream_id) | Stage::Publishing(stream_id) = self.stage {
            self.replies
                .status(stream_id, "error", refusal.code(), refusal.description());
            self.end(End::Refused(refusal));
        }
    }

    /// Whether media was accepted and the session isn't over.
    pub fn is_publishing(&self) -> bool {
        matches!(self.stage, Stage::Publishing(_))
    }

    /// What was repaired so far.
    pub fn repairs(&self) -> Repairs {
        self.media.repairs()
    }

    /// What the encoder calls itself in its metadata.
    pub fn encoder(&self) -> Option<&str> {
        self.encoder.as_deref()
    }

    fn end(&mut self, end: End) {
        if !matches!(self.stage, Stage::Over) {
            self.stage = Stage::Over;
            self.reader = Reader::new(0);
            self.events.push_back(Event::Ended(end));
        }
    }

    fn process(&mut self, now: Instant, input: &mut &[u8]) -> Result<(), End> {
        if let Stage::Handshake(handshake) = &mut self.stage {
            let done = handshake
                .handle(input, self.replies.raw())
                .map_err(SessionError::from)?;
            if !done {
                return Ok(());
            }
            self.stage = Stage::Open;
            self.since = now;
        }
        while let Some(message) = self.reader.read(input).map_err(SessionError::from)? {
            self.message(now, message)?;
        }
        Ok(())
    }

    fn message(&mut self, now: Instant, message: Message) -> Result<(), End> {
        match message.kind {
            kind::AUDIO | kind::VIDEO => self.media(now, message),
            kind::AGGREGATE => {
                for inner in Aggregate::new(message) {
                    let inner = inner.map_err(SessionError::from)?;
                    if matches!(inner.kind, kind::AUDIO | kind::VIDEO) {
                        self.media(now, inner)?;
                    }
                }
                Ok(())
            }
            kind::COMMAND_AMF0 => self.command(&message.payload, message.stream_id),
            kind::COMMAND_AMF3 => self.command(
                message.payload.get(1..).unwrap_or_default(),
                message.stream_id,
            ),
            kind::DATA_AMF0 => {
                self.data(&message.payload);
                Ok(())
            }
            kind::DATA_AMF3 => {
                self.data(message.payload.get(1..).unwrap_or_default());
                Ok(())
            }
            kind::USER_CONTROL => {
                self.replies.user_control(&message.payload);
                Ok(())
            }
            kind::WINDOW_ACKNOWLEDGEMENT_SIZE => {
                if let Some(window) = message.payload.first_chunk() {
                    self.replies.set_window(u32::from_be_bytes(*window));
                }
                Ok(())
            }
            // Acknowledgement, Set Peer Bandwidth, shared objects: nothing to do for a publisher.
            _ => Ok(()),
        }
    }

    fn media(&mut self, now: Instant, message: Message) -> Result<(), End> {
        // Media before the answer is lost, as the encoder could know.
        let Stage::Publishing(stream_id) = self.stage else {
            return Ok(());
        };
        let read = self.media.read(now, message);
        while let Some(track) = self.media.poll_refused() {
            // Level warning: the other tracks go on.
            self.replies.status(
                stream_id,
                "warning",
                "NetStream.Publish.TrackRejected",
                &track.to_string(),
            );
            self.events.push_back(Event::TrackRefused(track));
        }
        let media = std::iter::from_fn(|| self.media.poll_event());
        self.events.extend(media);
        read.map_err(|error| {
            let description = error.to_string();
            self.replies.status(
                stream_id,
                "error",
                "NetStream.Publish.Rejected",
                &description,
            );
            SessionError::from(error).into()
        })
    }

    /// `@setDataFrame`, `onMetaData`, properties; or without the first. What isn't understood
    /// doesn't matter.
    fn data(&mut self, payload: &[u8]) {
        let Ok(values) = amf0::read(payload) else {
            return;
        };
        let values = match values.first().and_then(Value::as_str) {
            Some("@setDataFrame") => &values[1..],
            _ => &values[..],
        };
        if let [Value::String(name), properties, ..] = values
            && name == "onMetaData"
        {
            if let Some(encoder) = properties.get("encoder").and_then(Value::as_str) {
                self.encoder = Some(quotable(encoder));
            }
            if matches!(self.stage, Stage::Publishing(_)) {
                let labels = metadata::labels(properties);
                self.events.extend(labels.into_iter().map(Event::Track));
            }
        }
    }

    fn command(&mut self, payload: &[u8], stream_id: u32) -> Result<(), End> {
        let values = amf0::read(payload).map_err(SessionError::from)?;
        let name = values.first().and_then(Value::as_str).unwrap_or_default();
        let transaction = values.get(1).and_then(Value::as_number).unwrap_or_default();
        let argument = |at: usize| values.get(at).and_then(Value::as_str);
        match name {
            "connect" => self.connect(transaction, values.get(2)),
            "createStream" => {
                self.connected("createStream")?;
                self.replies.stream_created(transaction);
                Ok(())
            }
            "releaseStream" | "FCPublish" | "_checkbw" => {
                self.replies.done(transaction);
                Ok(())
            }
            "publish" => {
                let missing = SessionError::MissingArgument {
                    command: "publish",
                    argument: "stream name",
                };
                self.publish(stream_id, argument(3).ok_or(missing)?)
            }
            "play" | "play2" => {
                self.replies.status(
                    stream_id,
                    "error",
                    "NetStream.Play.Failed",
                    "streams are only taken in here; watch over HTTP",
                );
                Err(End::PlayRequested)
            }
            "FCUnpublish" | "closeStream" | "deleteStream" => match self.stage {
                Stage::Publishing(stream_id) => {
                    self.replies.status(
                        stream_id,
                        "status",
                        "NetStream.Unpublish.Success",
                        "the stream has stopped",
                    );
                    Err(End::Unpublished)
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn connect(&mut self, transaction: f64, properties: Option<&Value>) -> Result<(), End> {
        if !matches!(self.stage, Stage::Open) {
            return Ok(());
        }
        let app = properties
            .and_then(|p| p.get("app"))
            .and_then(Value::as_str)
            .ok_or(SessionError::MissingArgument {
                command: "connect",
                argument: "app",
            })?;
        let (app, query) = app.split_once('?').unwrap_or((app, ""));
        let app = app.trim_matches('/');
        if app != self.app {
            // Someone may have put the stream key behind the application's name.
            let app = match app.split_once('/') {
                Some((first, _)) => format!("{}/…", quotable(first)),
                None => quotable(app),
            };
            self.replies.connection_refused(
                transaction,
                &format!(
                    "application {app:?} is unknown; use rtmp://<host>/{}",
                    self.app
                ),
            );
            return Err(End::WrongApplication { app });
        }
        // Some encoders cut the query off the application's name, but not off the URL.
        let url = properties
            .and_then(|p| p.get("tcUrl"))
            .and_then(Value::as_str)
            .and_then(|url| url.split_once('?'));
        let of_url = url.map_or("", |(_, query)| query);
        self.lane = Lane::of_query(query).max(Lane::of_query(of_url));
        self.replies.connected(transaction);
        self.stage = Stage::Connected;
        Ok(())
    }

    fn publish(&mut self, stream_id: u32, name: &str) -> Result<(), End> {
        self.connected("publish")?;
        if !matches!(self.stage, Stage::Connected) {
            return Ok(());
        }
        let (key, query) = name.split_once('?').unwrap_or((name, ""));
        let lane = self.lane.max(Lane::of_query(query));
        self.stage = Stage::Requested(stream_id);
        self.events
            .push_back(Event::PublishRequested(PublishRequest {
                app: self.app.clone(),
                key: StreamKey(key.to_owned()),
                lane,
            }));
        Ok(())
    }

    fn connected(&self, command: &'static str) -> Result<(), SessionError> {
        match self.stage {
            Stage::Open => Err(SessionError::OutOfOrder {
                command,
                needs: "connect",
            }),
            _ => Ok(()),
        }
    }
}

/// A peer's text, fit to be shown: short and without control characters.
fn quotable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_QUOTED)
        .collect()
}
