//! Requests on their way, and what the network and the server do to them.

use std::collections::VecDeque;

use weir_player_wasm::{Body, Command, Failure, RequestId, TrackKind};

use super::origin::Answer;
use super::{STEP_MS, Sim, boxes, index};

/// How often the player hears of bytes that come in.
const PROGRESS_MS: u64 = 50;

/// What a network does to requests.
pub(crate) struct Network {
    pub(crate) round_trip_ms: u64,
    pub(crate) bits_per_s: u64,
    /// How much longer a playlist is on its way than media.
    pub(crate) playlist_ms: u64,
    /// Every request fails with this status.
    pub(crate) broken: Option<u16>,
    /// Requests for addresses with this in them fail with this status.
    pub(crate) faults: Vec<(&'static str, u16)>,
    /// There is none.
    pub(crate) gone: bool,
    pub(crate) events_fail: bool,
    /// Whether answers tell the server's time.
    pub(crate) dates: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            round_trip_ms: 20,
            bits_per_s: 20_000_000,
            playlist_ms: 0,
            broken: None,
            faults: Vec::new(),
            gone: false,
            events_fail: false,
            dates: false,
        }
    }
}

pub(super) struct Flight {
    id: RequestId,
    pub(super) url: String,
    pub(super) body: Body,
    ask_at: u64,
    answer: Option<Answer>,
    /// When it is here, of what is not media.
    here_at: u64,
    bytes: u64,
    bits_left: u64,
    told_at: u64,
    first_at: u64,
    last_at: u64,
    /// Its head was shown, and is to be shown again when it is released.
    held: bool,
}

/// A body that is to be appended, or a text.
pub(super) struct Landed {
    pub(super) id: RequestId,
    pub(super) url: String,
    pub(super) answer: Answer,
    pub(super) track: Option<usize>,
    pub(super) body_ms: u64,
}

#[derive(Default)]
pub(super) struct Flights(pub(super) VecDeque<Flight>);

impl Flights {
    pub(super) fn send(
        &mut self,
        now: u64,
        round_trip_ms: u64,
        id: RequestId,
        url: String,
        body: Body,
    ) {
        self.0.push_back(Flight {
            id,
            url,
            body,
            ask_at: now + round_trip_ms,
            answer: None,
            here_at: 0,
            bytes: 0,
            bits_left: 0,
            told_at: 0,
            first_at: 0,
            last_at: 0,
            held: false,
        });
    }

    pub(super) fn abort(&mut self, id: RequestId) {
        self.0.retain(|flight| flight.id != id);
    }

    pub(super) fn release(&mut self, id: RequestId) {
        for flight in self.0.iter_mut().filter(|flight| flight.id == id) {
            flight.held = false;
        }
    }
}

impl Sim {
    /// Hands over what has come in. Bodies for one SourceBuffer are appended in order.
    pub(super) fn deliver(&mut self) {
        self.ask();
        self.bring();
        let mut blocked = [self.full_until[0] > self.now, self.full_until[1] > self.now];
        let mut at = 0;
        while at < self.flights.0.len() {
            let flight = &self.flights.0[at];
            let track = match flight.body {
                Body::Append(track) => Some(index(track)),
                Body::Text | Body::Bytes => None,
            };
            let here =
                flight.answer.is_some() && flight.bits_left == 0 && flight.here_at <= self.now;
            let waits = !here || flight.held || track.is_some_and(|track| blocked[track]);
            if waits || self.is_held_back(at) || track.is_some_and(|track| self.is_full(at, track))
            {
                track.inspect(|track| blocked[*track] = true);
                at = at.min(self.flights.0.len()) + 1;
                continue;
            }
            // The player may have dropped it when it saw its head.
            self.carry_out_all();
            let Some(flight) = self.flights.0.remove(at) else {
                break;
            };
            self.hand_over(Landed {
                id: flight.id,
                url: flight.url,
                answer: flight.answer.unwrap(),
                track,
                body_ms: flight.last_at.saturating_sub(flight.first_at),
            });
            // The player may have dropped others.
            self.carry_out_all();
            (at, blocked) = (
                0,
                [self.full_until[0] > self.now, self.full_until[1] > self.now],
            );
        }
    }

    /// Shows the player the head of a piece of media. What it says to it stands.
    fn is_held_back(&mut self, at: usize) -> bool {
        let flight = &mut self.flights.0[at];
        if let Some(Answer::Media(media)) = &flight.answer {
            flight.held = !self.player.head(flight.id, &boxes::chunk(media.decode_ms));
        }
        flight.held
    }

    /// Whether there is no room for a piece of media.
    fn is_full(&mut self, at: usize, track: usize) -> bool {
        let media = matches!(self.flights.0[at].answer, Some(Answer::Media(_)));
        let full = media && self.element.tracks[track].seconds() >= self.room_s;
        if full {
            self.quota_errors += 1;
            self.full_until[track] = self.now + 500;
            let kind = [TrackKind::Video, TrackKind::Audio][track];
            self.player.quota_exceeded(self.clock(), kind);
            self.carry_out_all();
        }
        full
    }

    /// Asks the server for what has arrived there.
    fn ask(&mut self) {
        let now = self.now;
        let mut failed = Vec::new();
        for flight in &mut self.flights.0 {
            if flight.answer.is_some() || flight.ask_at > now {
                continue;
            }
            let network = &self.network;
            if network.gone {
                failed.push(flight.id);
                continue;
            }
            let fault = network
                .faults
                .iter()
                .find(|(part, _)| flight.url.contains(part));
            let status = network.broken.or(fault.map(|(_, status)| *status));
            let answer = match status {
                Some(status) => Answer::Status(status),
                None => self.origin.answer(now, &flight.url),
            };
            flight.here_at = now;
            match &answer {
                Answer::Wait(until) => {
                    flight.ask_at = *until;
                    continue;
                }
                Answer::Media(media) => flight.bits_left = media.bytes * 8,
                Answer::Text(_) => flight.here_at += network.playlist_ms,
                Answer::Init(_) | Answer::Status(_) => {}
            }
            (flight.first_at, flight.last_at, flight.told_at) = (now, now, now);
            flight.answer = Some(answer);
        }
        for id in failed {
            self.flights.abort(id);
            self.player.failed(self.clock(), id, Failure::Network);
        }
    }

    /// Brings bodies nearer.
    fn bring(&mut self) {
        let now = self.now;
        let clock = self.clock();
        if self.network.gone {
            return;
        }
        for flight in &mut self.flights.0 {
            if flight.bits_left == 0 || flight.here_at >= now {
                continue;
            }
            let bits = (self.network.bits_per_s * STEP_MS / 1000).min(flight.bits_left);
            flight.bits_left -= bits;
            flight.bytes += bits / 8;
            flight.last_at = now;
            if now >= flight.told_at + PROGRESS_MS {
                flight.told_at = now;
                self.player.progress(clock, flight.id, flight.bytes, None);
            }
        }
        self.carry_out_all();
    }

    pub(super) fn carry_out_all(&mut self) {
        while let Some(command) = self.player.poll_command() {
            self.carry_out(command);
        }
    }

    pub(super) fn send(&mut self, id: RequestId, url: String, body: Body) {
        self.fetched.push(url.clone());
        if body == Body::Append(TrackKind::Video) {
            let name = url.split('/').rev().nth(1).unwrap_or_default().to_owned();
            self.played.push((self.now, name));
        }
        let round_trip_ms = self.network.round_trip_ms;
        self.flights.send(self.now, round_trip_ms, id, url, body);
    }

    /// A command that only concerns flights; others are given back.
    pub(super) fn steer_flights(&mut self, command: Command) -> Option<Command> {
        match command {
            Command::Fetch { id, url, body, .. } => self.send(id, url, body),
            Command::Abort { id } => self.flights.abort(id),
            Command::Release { id } => self.flights.release(id),
            other => return Some(other),
        }
        None
    }
}
