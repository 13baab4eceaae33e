//! The browser's side: reads the clock, hands [`Command`]s to the shim, and what the shim saw to the
//! [`Player`].
//!
//! Whatever goes between the two is a number for what it is, a few numbers, and text: one function in
//! each direction, because every further one is glue that each page fetches. The numbers stand in
//! `www/player/bridge.ts` under the same names. The shim carries out every command at once or queues
//! it; it never calls back from within one.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use js_sys::Float64Array;
use wasm_bindgen::prelude::*;
use web_sys::Performance;

use crate::command::{Body, Command, RequestId, TrackKind};
use crate::outbox::{EventKind, push_number};
use crate::player::{Config, Failure, Observation, Phase, Player, Transfer};

/// What the shim tells or asks, with the numbers that go with it. Without a word about the answer, it
/// says nothing.
mod told {
    /// Nothing yet: the player has wishes from the beginning.
    pub(super) const BEGIN: u32 = 0;
    /// The wake-up that was asked for.
    pub(super) const WAKE: u32 = 1;
    /// The media element: `currentTime`, `playbackRate`, `readyState`, `paused`, `seeking`, `ended`,
    /// then start and end of each buffered range.
    pub(super) const OBSERVED: u32 = 2;
    /// The first frame is on the screen.
    pub(super) const RENDERED: u32 = 3;
    /// A request for text came through: its id, and the `Date` of the answer in Unix ms or NaN.
    pub(super) const TEXT: u32 = 4;
    /// The answer to the request with this id came from another URL than was asked.
    pub(super) const REDIRECTED: u32 = 5;
    /// The request for bytes with this id came through.
    pub(super) const BYTES: u32 = 6;
    /// The head of a body about to be appended, by its id. An offset that follows from it is set
    /// before this returns. Answers whether it may be appended now.
    pub(super) const HEAD: u32 = 7;
    /// Of the body with this id so many bytes have come, of so many, or of 0 if that is not known.
    pub(super) const PROGRESS: u32 = 8;
    /// The body with this id has been appended whole: bytes, those of the first read, ms from the
    /// first read to the last.
    pub(super) const COMPLETED: u32 = 9;
    /// The request with this id failed with this status; 0 is no answer at all.
    pub(super) const FAILED: u32 = 10;
    /// The SourceBuffer of this track is full.
    pub(super) const QUOTA_EXCEEDED: u32 = 11;
    /// The browser cannot decode; the track is that of the SourceBuffer if it happened while
    /// appending, else negative. Answers whether the player makes another attempt.
    pub(super) const DECODE_FAILED: u32 = 12;
    /// Whether the page is to be seen, and its sound to be heard.
    pub(super) const ATTENDED: u32 = 13;
    /// The network is there again.
    pub(super) const ONLINE: u32 = 14;
    /// Whether a managed media source wants more.
    pub(super) const STREAMING: u32 = 15;
    /// The viewer picks a rendition by index; a negative one leaves the choice to the player.
    pub(super) const CHOSEN: u32 = 16;
    /// The viewer picks a sound by index.
    pub(super) const SOUND_CHOSEN: u32 = 17;
    /// The viewer seeks, to a time in seconds.
    pub(super) const SEEK: u32 = 18;
    /// The viewer wants the live edge.
    pub(super) const GO_LIVE: u32 = 19;
    /// The viewer pauses.
    pub(super) const PAUSED: u32 = 20;
    /// What the viewer or the shim saw: a word of the events API, and its value if it has one.
    pub(super) const REPORTED: u32 = 21;
    /// The events of the last batch with these numbers are done with.
    pub(super) const ANSWERED: u32 = 22;
    /// The last batch got no answer.
    pub(super) const UNANSWERED: u32 = 23;
    /// From here on the answer is text, which comes by `ANSWER`. What of the source this player does
    /// not play, in a few words, if that is why it is unplayable.
    pub(super) const REFUSED: u32 = 24;
    /// What is still to be reported, for a page about to go: a batch of the oldest.
    pub(super) const FAREWELL: u32 = 25;
    /// All that is still to be reported, in the form of a batch of any length.
    pub(super) const UNSENT: u32 = 26;
    /// The renditions from the lowest, a line each: lines of the picture or 0, bits per second, name,
    /// separated by blanks.
    pub(super) const RENDITIONS: u32 = 27;
    /// The sounds to choose from, a line each: language if told, a blank, name.
    pub(super) const SOUNDS: u32 = 28;
}

/// What the shim is to do: [`Command`]s, and two things of this module. The first number is that of a
/// request or a track.
mod act {
    /// Types of the SourceBuffers, a line each.
    pub(super) const OPEN: u32 = 0;
    /// The second number is 0 for video, 1 for audio, 2 for text, 3 for bytes.
    pub(super) const FETCH: u32 = 1;
    pub(super) const ABORT: u32 = 2;
    pub(super) const RELEASE: u32 = 3;
    pub(super) const TYPE: u32 = 4;
    pub(super) const OFFSET: u32 = 5;
    pub(super) const REMOVE: u32 = 6;
    pub(super) const DURATION: u32 = 7;
    pub(super) const END_OF_STREAM: u32 = 8;
    pub(super) const SEEK: u32 = 9;
    pub(super) const RATE: u32 = 10;
    pub(super) const POST: u32 = 11;
    pub(super) const CHANGED: u32 = 12;
    /// Tell `WAKE` after this many ms, instead of when it was last asked.
    pub(super) const SLEEP: u32 = 13;
    /// Keep this text: it is what was asked.
    pub(super) const ANSWER: u32 = 14;
}

#[wasm_bindgen]
extern "C" {
    /// The hands of the player: `Engine` in `www/player/engine.ts`.
    pub type Shim;

    /// Does one of [`act`]; what it has no use for is 0 or empty.
    #[wasm_bindgen(method)]
    fn act(this: &Shim, what: u32, id: u32, first: f64, second: f64, text: &str);
}

/// A [`Player`] with a clock and a shim.
#[wasm_bindgen]
pub struct WebPlayer {
    player: Player,
    shim: Shim,
    performance: Performance,
}

#[wasm_bindgen]
impl WebPlayer {
    /// Begins to load. The lines of `config` are the URL, the video's id, the session's, and the
    /// codecs that the browser cannot play, separated by commas. `next_seq` and `viewed` go on with a
    /// kept session; `throughput` is that of an earlier visit in bits per second, 0 if there was none;
    /// `performance` is the page's clock.
    #[wasm_bindgen(constructor)]
    pub fn new(
        shim: Shim,
        performance: Performance,
        config: &[u8],
        next_seq: f64,
        viewed: bool,
        throughput: f64,
    ) -> Self {
        let mut lines = read(config).split('\n').map(str::to_owned);
        let mut line = || lines.next().unwrap_or_default();
        let config = Config {
            url: line(),
            video: line(),
            session: line(),
            next_seq: next_seq as u64,
            viewed,
            lacks: named(&line()),
            throughput: (throughput > 0.0).then_some(throughput),
        };
        Self {
            player: Player::new(clock(&performance), config),
            shim,
            performance,
        }
    }

    /// Takes in one of [`told`], and has carried out what the player wants by the time it returns.
    pub fn tell(&mut self, what: u32, numbers: &[f64], bytes: &[u8]) -> bool {
        let now = clock(&self.performance);
        let player = &mut self.player;
        let number = |index: usize| numbers.get(index).copied().unwrap_or(0.0);
        let truth = |index| number(index) != 0.0;
        let id = RequestId(number(0) as u32);
        let mut answer = true;
        match what {
            told::BEGIN => {}
            told::WAKE => player.handle_timeout(now),
            told::OBSERVED => player.observe(now, observed(numbers)),
            told::RENDERED => player.rendered(now),
            told::TEXT => {
                if number(1) > 0.0 {
                    player.dated(now, number(1));
                }
                player.text(now, id, read(bytes));
            }
            told::REDIRECTED => player.redirected(id, read(bytes).to_owned()),
            told::BYTES => player.bytes_came(now, id, bytes),
            told::HEAD => answer = player.head(id, bytes),
            told::PROGRESS => {
                let length = truth(2).then_some(number(2) as u64);
                player.progress(now, id, number(1) as u64, length);
                // It comes often, and mostly nothing follows.
                if !player.has_commands() {
                    return true;
                }
            }
            told::COMPLETED => {
                let transfer = Transfer {
                    bytes: number(1) as u64,
                    first_bytes: number(2) as u64,
                    body_ms: number(3),
                };
                player.completed(now, id, transfer);
            }
            told::FAILED => {
                let failure = match number(1) as u16 {
                    0 => Failure::Network,
                    status => Failure::Status(status),
                };
                player.failed(now, id, failure);
            }
            told::QUOTA_EXCEEDED => player.quota_exceeded(now, kind_of(number(0))),
            told::DECODE_FAILED => {
                let track = (number(0) >= 0.0).then(|| kind_of(number(0)));
                answer = player.decode_failed(now, track);
            }
            told::ATTENDED => player.attend(now, truth(0), truth(1)),
            told::ONLINE => player.online(now),
            told::STREAMING => player.streaming(now, truth(0)),
            told::CHOSEN => player.choose(now, (number(0) >= 0.0).then_some(number(0) as usize)),
            told::SOUND_CHOSEN => player.choose_sound(now, number(0) as usize),
            told::SEEK => player.seek(now, number(0)),
            told::GO_LIVE => player.go_live(now),
            told::PAUSED => player.paused(now),
            told::REPORTED => {
                if let Some(kind) = EventKind::from_word(read(bytes)) {
                    player.report(now, kind, numbers.first().map(|value| *value as u64));
                }
            }
            told::ANSWERED => {
                let seqs: Vec<u64> = numbers.iter().map(|seq| *seq as u64).collect();
                player.answered(now, &seqs);
            }
            told::UNANSWERED => player.unanswered(now),
            told::REFUSED => self.answer(self.player.refused().unwrap_or_default()),
            told::FAREWELL => {
                let batch = player.farewell(now);
                self.answer(&batch.unwrap_or_default());
            }
            told::UNSENT => self.answer(&self.player.unsent().unwrap_or_default()),
            told::RENDITIONS => self.answer(&renditions(&self.player)),
            told::SOUNDS => self.answer(&sounds(&self.player)),
            _ => answer = false,
        }
        if what < told::REFUSED {
            self.carry_out();
        }
        answer
    }

    /// What a person or a test wants to know: the numbers of `www/player/snapshot.ts`, in that order,
    /// and the number of the next event. What is not known is NaN; what is true is 1.
    pub fn snapshot(&self) -> Float64Array {
        let now = clock(&self.performance);
        let player = &self.player;
        let meter = player.meter();
        let (phase, status) = phase_number(player.phase());
        let optional = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let index = |index: Option<usize>| optional(index.map(|index| index as f64));
        let truth = |is: bool| f64::from(u8::from(is));
        let window_s = player.window_s();
        let numbers = [
            phase,
            f64::from(status),
            truth(player.is_live()),
            truth(player.is_following()),
            truth(meter.is_stalled()),
            index(player.active_rendition()),
            index(player.chosen_rendition()),
            index(player.active_sound()),
            optional(window_s.map(|(start, _)| start)),
            optional(window_s.map(|(_, end)| end)),
            optional(meter.startup_ms().map(|ms| ms as f64)),
            meter.watched_ms() as f64 / 1000.0,
            f64::from(meter.stalls()),
            meter.stall_ms(now) as f64,
            optional(player.latency_ms(now)),
            optional(player.target_latency_ms(now)),
            player.buffer_s(),
            optional(player.playhead_date_ms()),
            optional(player.origin_ms()),
            optional(player.throughput()),
            player.bytes() as f64,
            player.wasted_bytes() as f64,
            f64::from(player.switches()),
            player.rate(),
            player.next_seq() as f64,
        ];
        Float64Array::from(numbers.as_slice())
    }

    /// Carries out what the player wants, and sleeps until it wants to be woken.
    fn carry_out(&mut self) {
        while let Some(command) = self.player.poll_command() {
            self.hand_over(&command);
        }
        let now = clock(&self.performance);
        if let Some(at) = self.player.poll_timeout(now) {
            let ms = at.saturating_sub(now) as f64;
            self.shim.act(act::SLEEP, 0, ms, 0.0, "");
        }
    }

    fn hand_over(&self, command: &Command) {
        let types;
        let (what, id, first, second, text) = match command {
            Command::Open { video, audio } => {
                types = match audio {
                    Some(audio) => [video, "\n", audio].concat(),
                    None => video.clone(),
                };
                (act::OPEN, 0, 0.0, 0.0, &*types)
            }
            Command::Fetch { id, url, body } => {
                let body = match body {
                    Body::Append(track) => f64::from(track_index(*track)),
                    Body::Text => 2.0,
                    Body::Bytes => 3.0,
                };
                (act::FETCH, id.0, body, 0.0, &**url)
            }
            Command::Abort { id } => (act::ABORT, id.0, 0.0, 0.0, ""),
            Command::Release { id } => (act::RELEASE, id.0, 0.0, 0.0, ""),
            Command::Type { track, mime } => (act::TYPE, track_index(*track), 0.0, 0.0, &**mime),
            Command::Offset { track, seconds } => {
                (act::OFFSET, track_index(*track), *seconds, 0.0, "")
            }
            Command::Remove { track, start, end } => {
                (act::REMOVE, track_index(*track), *start, *end, "")
            }
            Command::Duration(seconds) => {
                (act::DURATION, 0, seconds.unwrap_or(f64::INFINITY), 0.0, "")
            }
            Command::EndOfStream => (act::END_OF_STREAM, 0, 0.0, 0.0, ""),
            Command::Seek(seconds) => (act::SEEK, 0, *seconds, 0.0, ""),
            Command::Rate(rate) => (act::RATE, 0, *rate, 0.0, ""),
            Command::Post(batch) => (act::POST, 0, 0.0, 0.0, &**batch),
            Command::Changed => (act::CHANGED, 0, 0.0, 0.0, ""),
        };
        self.shim.act(what, id, first, second, text);
    }

    fn answer(&self, text: &str) {
        self.shim.act(act::ANSWER, 0, 0.0, 0.0, text);
    }
}

/// Text from the shim, whose encoder writes nothing but UTF-8.
fn read(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

fn named(codecs: &str) -> Vec<String> {
    let codecs = codecs.split(',').filter(|codec| !codec.is_empty());
    codecs.map(str::to_owned).collect()
}

fn observed(numbers: &[f64]) -> Observation {
    let (element, ranges) = numbers.split_at_checked(6).unwrap_or_default();
    let &[
        current_time_s,
        playback_rate,
        ready_state,
        paused,
        seeking,
        ended,
    ] = element
    else {
        return Observation::default();
    };
    Observation {
        current_time_s,
        playback_rate,
        ready_state: ready_state as u8,
        paused: paused != 0.0,
        seeking: seeking != 0.0,
        ended: ended != 0.0,
        buffered: ranges
            .as_chunks()
            .0
            .iter()
            .map(|&[start, end]| (start, end))
            .collect(),
    }
}

fn renditions(player: &Player) -> String {
    let mut lines = String::new();
    for (name, height, bits_per_s) in player.renditions() {
        push_number(&mut lines, u64::from(height.unwrap_or(0)));
        lines.push(' ');
        push_number(&mut lines, bits_per_s as u64);
        lines.extend([" ", name, "\n"]);
    }
    lines
}

fn sounds(player: &Player) -> String {
    let mut lines = String::new();
    for sound in player.sounds() {
        let language = sound.language.as_deref().unwrap_or_default();
        lines.extend([language, " ", &sound.name, "\n"]);
    }
    lines
}

/// Unix milliseconds that never go back.
fn clock(performance: &Performance) -> u64 {
    (performance.time_origin() + performance.now()) as u64
}

fn track_index(track: TrackKind) -> u32 {
    match track {
        TrackKind::Video => 0,
        TrackKind::Audio => 1,
    }
}

fn kind_of(track: f64) -> TrackKind {
    if track == 0.0 {
        TrackKind::Video
    } else {
        TrackKind::Audio
    }
}

/// The phase's place in `PHASES` of `www/player/snapshot.ts`, and the status of the failure behind
/// it.
fn phase_number(phase: Phase) -> (f64, u16) {
    match phase {
        Phase::Loading => (0.0, 0),
        Phase::Waiting => (1.0, 0),
        Phase::Ready => (2.0, 0),
        Phase::Away => (3.0, 0),
        Phase::Ended => (4.0, 0),
        Phase::Trouble(Failure::Status(status)) => (5.0, status),
        Phase::Trouble(Failure::Network | Failure::Timeout) => (5.0, 0),
        Phase::Unplayable => (6.0, 0),
    }
}
