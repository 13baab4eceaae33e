//! The whole player, without its hands: what happened and `now` go in, [`Command`]s and the time
//! of the next wake-up come out.
//!
//! After every call, take commands with [`Player::poll_command`] until there are none, and call
//! [`Player::handle_timeout`] no later than [`Player::poll_timeout`] says.

mod loading;
mod mishap;
mod opening;
mod playback;
mod sound;
mod track;

use std::collections::VecDeque;

use crate::abr::{Abr, Sample};
use crate::boxes;
use crate::command::{Body, Command, RequestId};
use crate::latency::LatencyControl;
use crate::meter::Meter;
use crate::outbox::{EventKind, Outbox};
use crate::retry::Retry;
pub use sound::Sound;
use sound::Sounds;
use track::{Item, Rendition, Track};

/// What to play and who plays it.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The multivariant playlist, absolute.
    pub url: String,
    /// The video's id, for events.
    pub video: String,
    /// The session's id, for events: 16 to 64 of `A-Za-z0-9_-`.
    pub session: String,
    /// Number of the next event of this session and video.
    pub next_seq: u64,
    /// Whether this session's view of the video is already counted.
    pub viewed: bool,
    /// Audio codecs that the browser cannot play, as RFC 6381 begins them: `mp4a`, `Opus`.
    pub lacks: Vec<String>,
}

/// The media element as the shim sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// `currentTime` in seconds.
    pub current_time_s: f64,
    /// `paused`.
    pub paused: bool,
    /// `seeking`.
    pub seeking: bool,
    /// `ended`.
    pub ended: bool,
    /// `readyState`, 0 to 4.
    pub ready_state: u8,
    /// `buffered`: where every track has media, in seconds, in order.
    pub buffered: Vec<(f64, f64)>,
}

/// How a body came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Transfer {
    /// Bytes of the body.
    pub bytes: u64,
    /// Bytes that came with the first read.
    pub first_bytes: u64,
    /// From the first read to the last, in ms.
    pub body_ms: f64,
}

/// Why a request brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The status was not 200.
    Status(u16),
    /// There was no answer, or it broke off.
    Network,
    /// It took too long.
    Timeout,
}

/// Where the player is, for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// On its way to the first frame.
    Loading,
    /// There is nothing to play yet; it asks again by itself.
    Waiting,
    /// It plays, or would if it were not paused.
    Ready,
    /// The encoder is away and may come back.
    Away,
    /// The end was reached.
    Ended,
    /// Requests fail; it tries again by itself.
    Trouble(Failure),
    /// It cannot be played at all.
    Unplayable,
}

/// What a request is for.
#[derive(Clone, Debug)]
enum Purpose {
    Multivariant,
    Playlist { track: usize, rendition: usize },
    Init { track: usize, url: String },
    Media { track: usize, item: Box<Item> },
}

impl Purpose {
    /// The track whose SourceBuffer gets the body.
    fn append_track(&self) -> Option<usize> {
        match self {
            Self::Init { track, .. } | Self::Media { track, .. } => Some(*track),
            Self::Multivariant | Self::Playlist { .. } => None,
        }
    }
}

#[derive(Clone, Debug)]
struct Request {
    id: RequestId,
    purpose: Purpose,
    /// How long it may go without a sign of life, in ms.
    patience_ms: u64,
    deadline: u64,
}

/// The player.
#[derive(Debug)]
pub struct Player {
    url: String,
    commands: VecDeque<Command>,
    next_id: u32,
    requests: Vec<Request>,
    phase: Phase,
    multivariant_retry: Retry,
    /// Video first, then audio if it comes on its own. Empty until the multivariant playlist is in.
    tracks: Vec<Track>,
    /// The instant at `currentTime` 0, once playback has a place.
    origin_ms: Option<f64>,
    /// `timestampOffset` by discontinuity sequence number, in seconds.
    offsets: Vec<(u64, f64)>,
    /// Timescale by URL of the initialisation segment.
    timescales: Vec<(String, u32)>,
    seen: Observation,
    paused_since: Option<u64>,
    /// A seek that the element has not carried out yet, in seconds, and when the element was first
    /// looked at after it was asked.
    pending_seek: Option<(f64, Option<u64>)>,
    /// Whether the element has not caught up with a seek.
    settling: bool,
    /// Whether to stay at the live edge.
    following: bool,
    last_jump_at: u64,
    rate: f64,
    evicted_at: u64,
    end_of_stream: bool,
    /// The rendition that the viewer insists on.
    chosen: Option<usize>,
    sounds: Sounds,
    abr: Abr,
    latency: LatencyControl,
    meter: Meter,
    outbox: Outbox,
    posting: bool,
    post_retry: Retry,
    viewed: bool,
    reported_at: u64,
    reported_watch_ms: u64,
    bytes: u64,
}

impl Player {
    /// Begins to load.
    pub fn new(now: u64, config: Config) -> Self {
        let outbox = Outbox::new(&config.session, &config.video, config.next_seq);
        let mut player = Self {
            url: config.url,
            commands: VecDeque::new(),
            next_id: 0,
            requests: Vec::new(),
            phase: Phase::Loading,
            multivariant_retry: Retry::new(1000, 3000),
            tracks: Vec::new(),
            origin_ms: None,
            offsets: Vec::new(),
            timescales: Vec::new(),
            seen: Observation {
                paused: true,
                ..Observation::default()
            },
            paused_since: None,
            pending_seek: None,
            settling: false,
            following: true,
            last_jump_at: 0,
            rate: 1.0,
            evicted_at: now,
            end_of_stream: false,
            chosen: None,
            sounds: Sounds::lacking(config.lacks),
            abr: Abr::default(),
            latency: LatencyControl::default(),
            meter: Meter::new(now),
            outbox,
            posting: false,
            post_retry: Retry::new(2000, 30_000),
            viewed: config.viewed,
            reported_at: now,
            reported_watch_ms: 0,
            bytes: 0,
        };
        player.plan(now);
        player
    }

    /// The next thing to do; call until there is none.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When to call [`Self::handle_timeout`], if nothing else happens before.
    pub fn poll_timeout(&self, now: u64) -> Option<u64> {
        let renditions = self.tracks.iter().flat_map(|track| {
            [track.active, track.wanted]
                .map(|r| &track.renditions[r])
                .into_iter()
        });
        let reloads = renditions
            .filter(|rendition| rendition.reload.is_none())
            .filter_map(|r| {
                r.retry
                    .due_at(now)
                    .max((r.reload_at > now).then_some(r.reload_at))
            });
        let deadlines = self.requests.iter().map(|request| request.deadline);
        let media = self
            .tracks
            .iter()
            .filter_map(|track| track.retry.due_at(now));
        let multivariant = self.multivariant_retry.due_at(now);
        reloads
            .chain(deadlines)
            .chain(media)
            .chain(multivariant)
            .chain(self.post_due_at(now))
            .min()
    }

    /// Does what time has made due.
    pub fn handle_timeout(&mut self, now: u64) {
        let late = |request: &&Request| request.deadline <= now;
        while let Some(id) = self.requests.iter().find(late).map(|request| request.id) {
            self.commands.push_back(Command::Abort { id });
            self.request_failed(now, id, Failure::Timeout);
        }
        self.plan(now);
    }

    /// The text that a [`Body::Text`] request brought.
    pub fn text(&mut self, now: u64, id: RequestId, text: &str) {
        let Some(request) = self.take_request(id) else {
            return;
        };
        match request.purpose {
            Purpose::Multivariant => self.multivariant(now, text),
            Purpose::Playlist { track, rendition } => self.playlist(now, track, rendition, text),
            Purpose::Init { .. } | Purpose::Media { .. } => {}
        }
        self.plan(now);
    }

    /// The first [`boxes::HEAD`] bytes (or all, if they are fewer) of a body that is about to be
    /// appended. Everything requested before it for the same track has been appended. Answers
    /// whether it may be appended now; if not, [`Command::Release`] or [`Command::Abort`] follows.
    #[must_use]
    pub fn head(&mut self, id: RequestId, head: &[u8]) -> bool {
        let Some(request) = self.requests.iter().find(|request| request.id == id) else {
            return true;
        };
        match &request.purpose {
            Purpose::Init { url, .. } => {
                let known = self.timescales.iter().any(|(known, _)| known == url);
                if let Some(scale) = boxes::timescale(head).filter(|_| !known) {
                    self.timescales.push((url.clone(), scale));
                }
            }
            Purpose::Media { track, item } if self.tracks[*track].foresees(item) => return false,
            Purpose::Media { track, item } => {
                if let Some(decode_time) = boxes::decode_time(head) {
                    let (track, item) = (*track, item.clone());
                    self.place(track, &item, decode_time);
                }
            }
            Purpose::Multivariant | Purpose::Playlist { .. } => {}
        }
        true
    }

    /// A sign of life of a transfer.
    pub fn progress(&mut self, now: u64, id: RequestId) {
        if let Some(request) = self.requests.iter_mut().find(|request| request.id == id) {
            request.deadline = now + request.patience_ms;
        }
    }

    /// A [`Body::Append`] request is through and all of it is appended.
    pub fn completed(&mut self, now: u64, id: RequestId, transfer: Transfer) {
        let Some(request) = self.take_request(id) else {
            return;
        };
        self.bytes += transfer.bytes;
        if let Purpose::Media { track, item } = request.purpose {
            let Transfer {
                bytes,
                first_bytes,
                body_ms,
            } = transfer;
            let live_pace_ms = item.hinted.then_some(item.duration * 1000.0);
            self.abr.throughput.add(Sample {
                bytes,
                first_bytes,
                body_ms,
                live_pace_ms,
            });
            self.media_arrived(now, track, &item);
        }
        self.plan(now);
    }

    /// A request brought nothing, or not all of it.
    pub fn failed(&mut self, now: u64, id: RequestId, failure: Failure) {
        self.request_failed(now, id, failure);
        self.plan(now);
    }

    /// Plays this rendition of the list that [`Self::renditions`] gives; `None` leaves the choice
    /// to the player.
    pub fn choose(&mut self, now: u64, rendition: Option<usize>) {
        let count = self
            .tracks
            .first()
            .map_or(0, |video| video.renditions.len());
        self.chosen = rendition.filter(|chosen| *chosen < count);
        self.commands.push_back(Command::Changed);
        self.plan(now);
    }

    /// The batch to send, if the page is about to go: everything measured so far is in it.
    pub fn farewell(&mut self, now: u64) -> Option<String> {
        self.report_quality(now);
        (!self.outbox.is_empty()).then(|| self.outbox.batch())
    }

    /// Reports something that the viewer did.
    pub fn report(&mut self, now: u64, kind: EventKind, value: Option<u64>) {
        self.outbox.push(now, kind, value);
        self.plan(now);
    }

    /// The answer to [`Command::Post`]: the events that are done with.
    pub fn answered(&mut self, now: u64, seqs: &[u64]) {
        self.posting = false;
        self.post_retry.succeeded();
        self.outbox.answered(now, seqs);
        self.plan(now);
    }

    /// [`Command::Post`] got no answer, or one that says nothing about events.
    pub fn unanswered(&mut self, now: u64) {
        self.posting = false;
        self.post_retry.failed(now);
        self.plan(now);
    }

    /// Number of the next event, to be kept with the session.
    pub fn next_seq(&self) -> u64 {
        self.outbox.next_seq()
    }

    /// Where the player is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The renditions of the picture, in rising order of bitrate: name, lines, bits per second.
    pub fn renditions(&self) -> impl Iterator<Item = (&str, Option<u32>, f64)> {
        let renditions = self
            .tracks
            .first()
            .map_or(&[][..], |video| &video.renditions);
        renditions
            .iter()
            .map(|r| (r.name.as_str(), r.height, r.bits_per_s))
    }

    /// Index of the rendition being fetched.
    pub fn active_rendition(&self) -> Option<usize> {
        self.tracks.first().map(|video| video.active)
    }

    /// Index of the rendition that the viewer insists on.
    pub fn chosen_rendition(&self) -> Option<usize> {
        self.chosen
    }

    /// Whether it is kept at the live edge.
    pub fn is_following(&self) -> bool {
        self.following && self.is_live()
    }

    /// Whether more is to come.
    pub fn is_live(&self) -> bool {
        self.tracks.iter().any(|track| !track.timeline().ended)
    }

    /// The window that can be played, in seconds of `currentTime`.
    pub fn window_s(&self) -> Option<(f64, f64)> {
        let origin = self.origin_ms?;
        let start = self
            .tracks
            .iter()
            .filter_map(|track| track.timeline().start_ms());
        let start = start.fold(f64::MIN, f64::max);
        let end = self.edge_ms()?;
        Some((
            ((start - origin) / 1000.0).max(0.0),
            (end - origin) / 1000.0,
        ))
    }

    /// The date at `currentTime` 0 in Unix milliseconds, once playback has a place.
    pub fn origin_ms(&self) -> Option<f64> {
        self.origin_ms
    }

    /// The date of the playhead in Unix milliseconds, if the playlist has dates.
    pub fn playhead_date_ms(&self) -> Option<f64> {
        let dated = self.tracks.first()?.timeline().dated;
        self.playhead_ms().filter(|_| dated)
    }

    /// How far the playhead is behind the encoder, in ms, while live.
    pub fn latency_ms(&self, now: u64) -> Option<f64> {
        self.playhead_date_ms()
            .filter(|_| self.is_live())
            .map(|date| now as f64 - date)
    }

    /// Startup, stalls, time watched.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// What the network gives, in bits per second.
    pub fn throughput(&self) -> Option<f64> {
        self.abr.throughput.bits_per_s()
    }

    /// Media bytes fetched.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn set_phase(&mut self, phase: Phase) {
        if self.phase != phase {
            self.phase = phase;
            self.commands.push_back(Command::Changed);
        }
    }

    fn fetch(&mut self, now: u64, url: String, purpose: Purpose, patience_ms: u64) -> RequestId {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        let body = match purpose.append_track() {
            Some(track) => Body::Append(self.tracks[track].kind),
            None => Body::Text,
        };
        self.requests.push(Request {
            id,
            purpose,
            patience_ms,
            deadline: now + patience_ms,
        });
        self.commands.push_back(Command::Fetch { id, url, body });
        id
    }

    /// Takes a request off the list. An answer to one that is not on it was overtaken by an abort.
    fn take_request(&mut self, id: RequestId) -> Option<Request> {
        let index = self.requests.iter().position(|request| request.id == id)?;
        let request = self.requests.remove(index);
        if let Purpose::Playlist { track, rendition } = request.purpose {
            self.tracks[track].renditions[rendition].reload = None;
        }
        Some(request)
    }

    fn abort(&mut self, id: RequestId) {
        if self.take_request(id).is_some() {
            self.commands.push_back(Command::Abort { id });
        }
    }
}
