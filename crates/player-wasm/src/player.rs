//! The whole player, without its hands: what happened and `now` go in, [`Command`]s and the time
//! of the next wake-up come out.
//!
//! After every call, take commands with [`Player::poll_command`] until there are none, and call
//! [`Player::handle_timeout`] no later than [`Player::poll_timeout`] says.

mod abandon;
mod buffer;
mod choice;
mod coding;
mod dash;
mod decoding;
mod interface;
mod live;
mod loading;
mod mishap;
mod opening;
mod place;
mod playback;
mod report;
mod requests;
mod sound;
mod source;
mod state;
mod track;
mod weight;

use alloc::string::String;
use alloc::vec::Vec;

use crate::abr::Abr;
use crate::clock::ServerClock;
use crate::command::Command;
use crate::latency::LatencyControl;
use crate::meter::Meter;
use crate::outbox::Outbox;
use crate::retry::Retry;
use buffer::Room;
use decoding::Failures;
pub use interface::{Config, Failure, Observation, Phase, Transfer};
use requests::Request;
pub use sound::Sound;
use sound::Sounds;
use source::Source;
use track::Track;
use weight::Weight;

/// The player.
#[derive(Debug)]
pub struct Player {
    url: String,
    /// A handful at most, so that the first is taken out of a plain list.
    commands: Vec<Command>,
    next_id: u32,
    requests: Vec<Request>,
    phase: Phase,
    multivariant_retry: Retry,
    source: Source,
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
    room: Room,
    /// Whether the browser wants more media: some say when they have enough.
    streaming: bool,
    end_of_stream: bool,
    /// The rendition that the viewer insists on.
    chosen: Option<usize>,
    sounds: Sounds,
    /// Codecs that the browser cannot play.
    lacks: Vec<String>,
    clock: ServerClock,
    /// When anything was last heard of the page.
    alive_at: u64,
    /// When the transfer of the picture was last looked at.
    considered_at: u64,
    decode_failures: Failures,
    abr: Abr,
    weight: Weight,
    latency: LatencyControl,
    meter: Meter,
    outbox: Outbox,
    posting: bool,
    post_retry: Retry,
    viewed: bool,
    reported_at: u64,
    reported_watch_ms: u64,
    /// Whether anybody can see or hear it.
    attended: bool,
    /// Whether the page was hidden before the first frame.
    startup_unseen: bool,
    bytes: u64,
    wasted: u64,
    switches: u32,
}

impl Player {
    /// Begins to load.
    pub fn new(now: u64, config: Config) -> Self {
        let mut abr = Abr::default();
        if let Some(bits_per_s) = config.throughput {
            abr.recall(bits_per_s);
        }
        let outbox = Outbox::new(&config.session, &config.video, config.next_seq);
        let mut player = Self {
            url: config.url,
            commands: Vec::new(),
            next_id: 0,
            requests: Vec::new(),
            phase: Phase::Loading,
            multivariant_retry: Retry::new(1000, 3000),
            source: Source::default(),
            tracks: Vec::new(),
            origin_ms: None,
            offsets: Vec::new(),
            timescales: Vec::new(),
            seen: Observation {
                paused: true,
                playback_rate: 1.0,
                ..Observation::default()
            },
            paused_since: None,
            pending_seek: None,
            settling: false,
            following: true,
            last_jump_at: 0,
            rate: 1.0,
            room: Room::default(),
            streaming: true,
            end_of_stream: false,
            chosen: None,
            sounds: Sounds::default(),
            lacks: config.lacks,
            clock: ServerClock::default(),
            alive_at: now,
            considered_at: now,
            decode_failures: Failures::default(),
            abr,
            weight: Weight::default(),
            latency: LatencyControl::default(),
            meter: Meter::new(now),
            outbox,
            posting: false,
            post_retry: Retry::new(2000, 30_000),
            viewed: config.viewed,
            reported_at: now,
            reported_watch_ms: 0,
            attended: true,
            startup_unseen: false,
            bytes: 0,
            wasted: 0,
            switches: 0,
        };
        player.plan(now);
        player
    }

    /// The next thing to do; call until there is none.
    pub fn poll_command(&mut self) -> Option<Command> {
        (!self.commands.is_empty()).then(|| self.commands.remove(0))
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
        let manifest = self.source.dash().and_then(|dash| dash.due_at(now));
        reloads
            .chain(deadlines)
            .chain(media)
            .chain(multivariant)
            .chain(manifest)
            .chain(self.post_due_at(now))
            .min()
    }

    /// Does what time has made due.
    pub fn handle_timeout(&mut self, now: u64) {
        self.wake(now);
        let late = |request: &&Request| request.deadline <= now;
        while let Some(id) = self.requests.iter().find(late).map(|request| request.id) {
            self.commands.push(Command::Abort { id });
            self.request_failed(now, id, Failure::Timeout);
        }
        self.plan(now);
    }

    /// The browser has enough media, or wants more (Managed Media Source's `endstreaming` and
    /// `startstreaming`).
    pub fn streaming(&mut self, now: u64, wanted: bool) {
        self.streaming = wanted;
        self.plan(now);
    }

    /// Whether [`Self::poll_command`] has something.
    pub fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    fn set_phase(&mut self, phase: Phase) {
        if self.phase != phase {
            self.phase = phase;
            self.commands.push(Command::Changed);
        }
    }
}
