//! A player, an origin, a network and a media element on one virtual clock.

pub(crate) mod element;
pub(crate) mod origin;

use std::collections::VecDeque;

use weir_player_wasm::{Body, Command, Config, Failure, Player, RequestId, TrackKind, Transfer};

use element::Element;
use origin::{Answer, DAY_MS, Media, Origin};

const STEP_MS: u64 = 5;
const LOOK_MS: u64 = 250;
const TIMESCALE: u32 = 1000;

/// What a network does to requests.
pub(crate) struct Network {
    pub(crate) round_trip_ms: u64,
    pub(crate) bits_per_s: u64,
    /// How much longer a playlist is on its way than media.
    pub(crate) playlist_ms: u64,
    /// Every request fails with this status.
    pub(crate) broken: Option<u16>,
    pub(crate) events_fail: bool,
}

struct Flight {
    id: RequestId,
    url: String,
    body: Body,
    ask_at: u64,
    arrival: Option<(u64, Answer)>,
    /// Its head was shown, and is to be shown again when it is released.
    held: bool,
}

pub(crate) struct Sim {
    pub(crate) now: u64,
    pub(crate) player: Player,
    pub(crate) origin: Origin,
    pub(crate) network: Network,
    pub(crate) element: Element,
    /// Addresses fetched, in order.
    pub(crate) fetched: Vec<String>,
    /// Batches of events that were answered.
    pub(crate) posted: Vec<String>,
    /// Rendition by time: `(now, name)` of every media request for video.
    pub(crate) played: Vec<(u64, String)>,
    /// How the sound that was chosen is coded.
    pub(crate) sound_codec: String,
    pub(crate) ends_told: u32,
    pub(crate) seeks: u32,
    flights: VecDeque<Flight>,
    offsets: [f64; 2],
    /// Folder of the initialisation segment that was appended last.
    inits: [String; 2],
    unposted: Option<(u64, String)>,
    looked_at: u64,
    rendered: bool,
}

impl Sim {
    pub(crate) fn new(origin: Origin, now: u64) -> Self {
        Self::lacking(origin, now, &[])
    }

    /// In a browser without some codecs of sound.
    pub(crate) fn lacking(origin: Origin, now: u64, codecs: &[&str]) -> Self {
        let config = Config {
            url: "http://h/v/o/index.m3u8".to_owned(),
            video: "oabcdefghijk".to_owned(),
            session: "0123456789abcdef".to_owned(),
            next_seq: 1,
            viewed: false,
            lacks: codecs.iter().map(|&codec| codec.to_owned()).collect(),
        };
        Self {
            now,
            player: Player::new(now, config),
            origin,
            network: Network {
                round_trip_ms: 20,
                bits_per_s: 20_000_000,
                playlist_ms: 0,
                broken: None,
                events_fail: false,
            },
            element: Element {
                rate: 1.0,
                ..Element::default()
            },
            fetched: Vec::new(),
            posted: Vec::new(),
            played: Vec::new(),
            sound_codec: String::new(),
            ends_told: 0,
            seeks: 0,
            flights: VecDeque::new(),
            offsets: [0.0; 2],
            inits: Default::default(),
            unposted: None,
            looked_at: now,
            rendered: false,
        }
    }

    /// A viewer who comes `ms` after the broadcast began.
    pub(crate) fn joining_after(ms: u64) -> Self {
        let start = DAY_MS + 3_600_000;
        Self::new(Origin::live(start), start + ms)
    }

    pub(crate) fn run(&mut self, ms: u64) {
        let until = self.now + ms;
        while self.now < until {
            self.now += STEP_MS;
            self.step();
        }
    }

    pub(crate) fn latency_ms(&self) -> f64 {
        self.player.latency_ms(self.now).unwrap()
    }

    pub(crate) fn rendition(&self) -> String {
        let active = self.player.active_rendition().unwrap();
        self.player.renditions().nth(active).unwrap().0.to_owned()
    }

    /// How many events of a type were answered.
    pub(crate) fn counted(&self, kind: &str) -> usize {
        let word = format!("\"type\":\"{kind}\"");
        self.posted
            .iter()
            .map(|batch| batch.matches(&word).count())
            .sum()
    }

    fn step(&mut self) {
        self.element.play_on(STEP_MS);
        self.deliver();
        if !self.rendered && self.element.ready_state() >= 2 {
            self.rendered = true;
            self.player.rendered(self.now);
        }
        if self.now >= self.looked_at + LOOK_MS {
            self.looked_at = self.now;
            self.player.observe(self.now, self.element.observation());
        }
        if self
            .player
            .poll_timeout(self.now)
            .is_some_and(|at| at <= self.now)
        {
            self.player.handle_timeout(self.now);
        }
        if let Some((_, batch)) = self.unposted.take_if(|(at, _)| *at <= self.now) {
            self.answer_post(batch);
        }
        while let Some(command) = self.player.poll_command() {
            self.carry_out(command);
        }
        self.check();
    }

    /// What must hold at any time.
    fn check(&self) {
        for name in ["source/index", "480p/index", "audio/index"] {
            let reloads = self
                .flights
                .iter()
                .filter(|flight| flight.url.contains(name))
                .count();
            assert!(reloads <= 1, "{reloads} reloads of {name} at once");
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Open { video, audio } => {
                assert_eq!(video, "video/mp4; codecs=\"avc1.64001e\"");
                let sound = audio.unwrap();
                let sound = sound.strip_prefix("audio/mp4; codecs=\"").unwrap();
                self.sound_codec = sound.strip_suffix('"').unwrap().to_owned();
                self.element.opened = true;
            }
            Command::Fetch { id, url, body } => {
                self.fetched.push(url.clone());
                if body == Body::Append(TrackKind::Video) {
                    let name = url.split('/').rev().nth(1).unwrap_or_default().to_owned();
                    self.played.push((self.now, name));
                }
                let ask_at = self.now + self.network.round_trip_ms;
                self.flights.push_back(Flight {
                    id,
                    url,
                    body,
                    ask_at,
                    arrival: None,
                    held: false,
                });
            }
            Command::Abort { id } => self.flights.retain(|flight| flight.id != id),
            Command::Release { id } => {
                let of_id = |flight: &&mut Flight| flight.id == id;
                if let Some(flight) = self.flights.iter_mut().find(of_id) {
                    flight.held = false;
                }
            }
            Command::Offset { track, seconds } => self.offsets[index(track)] = seconds,
            Command::Remove { track, start, end } => {
                self.element.tracks[index(track)].remove(start, end);
            }
            Command::Duration(_) | Command::Changed => {}
            Command::EndOfStream => {
                self.ends_told += 1;
                self.element.end_of_stream = true;
            }
            Command::Seek(to) => {
                self.seeks += 1;
                self.element.end_of_stream = false;
                self.element.current_time_s = to;
            }
            Command::Rate(rate) => self.element.rate = rate,
            Command::Post(batch) => self.unposted = Some((self.now + 50, batch)),
        }
    }

    fn answer_post(&mut self, batch: String) {
        if self.network.events_fail {
            return self.player.unanswered(self.now);
        }
        let number = |text: &str| text.split(',').next().unwrap().parse().unwrap();
        let seqs: Vec<u64> = batch.split("\"seq\":").skip(1).map(number).collect();
        self.posted.push(batch);
        self.player.answered(self.now, &seqs);
    }

    /// Hands over what has come in. Bodies for one SourceBuffer are appended in order.
    fn deliver(&mut self) {
        self.ask();
        let mut blocked = [false; 2];
        let mut at = 0;
        while at < self.flights.len() {
            let flight = &self.flights[at];
            let track = match flight.body {
                Body::Append(track) => Some(index(track)),
                Body::Text => None,
            };
            let here = flight
                .arrival
                .as_ref()
                .is_some_and(|(when, _)| *when <= self.now);
            let waits = !here || flight.held || track.is_some_and(|track| blocked[track]);
            if waits || self.is_held_back(at) {
                track.inspect(|track| blocked[*track] = true);
                at += 1;
                continue;
            }
            let flight = self.flights.remove(at).unwrap();
            self.hand_over(flight, track);
            // The player may have dropped others.
            while let Some(command) = self.player.poll_command() {
                self.carry_out(command);
            }
            (at, blocked) = (0, [false; 2]);
        }
    }

    /// Shows the player the head of a piece of media. What it says to it stands.
    fn is_held_back(&mut self, at: usize) -> bool {
        let flight = &mut self.flights[at];
        if let Some((_, Answer::Media(media))) = &flight.arrival {
            flight.held = !self.player.head(flight.id, &chunk(media.decode_ms));
        }
        flight.held
    }

    fn ask(&mut self) {
        let Self {
            now,
            origin,
            network,
            ..
        } = self;
        for flight in &mut self.flights {
            if flight.arrival.is_some() || flight.ask_at > *now {
                continue;
            }
            if network.broken.is_some() {
                flight.arrival = Some((*now, Answer::Missing));
                continue;
            }
            match origin.answer(*now, &flight.url) {
                Answer::Wait(until) => flight.ask_at = until,
                answer => {
                    let body_ms = match &answer {
                        Answer::Media(media) => media.bytes * 8000 / network.bits_per_s,
                        Answer::Text(_) => network.playlist_ms,
                        _ => 0,
                    };
                    flight.arrival = Some((*now + body_ms, answer));
                }
            }
        }
    }

    fn hand_over(&mut self, flight: Flight, track: Option<usize>) {
        let Flight {
            id, url, arrival, ..
        } = flight;
        let now = self.now;
        let Some((_, answer)) = arrival else { return };
        match (answer, track) {
            (Answer::Text(text), None) => self.player.text(now, id, &text),
            (Answer::Init, Some(track)) => {
                self.inits[track] = folder(&url).to_owned();
                assert!(self.player.head(id, &init()));
                self.player.completed(
                    now,
                    id,
                    Transfer {
                        bytes: 700,
                        ..Transfer::default()
                    },
                );
            }
            (Answer::Media(media), Some(track)) => {
                assert_eq!(
                    folder(&url),
                    self.inits[track],
                    "under another's initialisation"
                );
                self.append(id, media, track);
            }
            (Answer::Missing, _) => {
                let status = self.network.broken.unwrap_or(404);
                self.player.failed(now, id, Failure::Status(status));
            }
            (answer, _) => panic!("{answer:?} for {track:?}"),
        }
    }

    fn append(&mut self, id: RequestId, media: Media, track: usize) {
        while let Some(command) = self.player.poll_command() {
            self.carry_out(command);
        }
        let start = media.decode_ms as f64 / 1000.0 + self.offsets[track];
        let end = start + media.duration_ms as f64 / 1000.0;
        self.element.tracks[track].add(start, end);
        let body_ms = (media.bytes * 8000 / self.network.bits_per_s) as f64;
        let transfer = Transfer {
            bytes: media.bytes,
            first_bytes: 0,
            body_ms,
        };
        self.player.completed(self.now, id, transfer);
        // Wherever it came from, it stands at its date.
        let origin_ms = self.player.origin_ms().unwrap();
        let error_ms = origin_ms + start * 1000.0 - media.date_ms as f64;
        assert!(error_ms.abs() < 2.0, "{error_ms} ms off its date");
    }
}

/// Epoch and rendition.
fn folder(url: &str) -> &str {
    url.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn index(track: TrackKind) -> usize {
    match track {
        TrackKind::Video => 0,
        TrackKind::Audio => 1,
    }
}

fn boxed(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32 + 8).to_be_bytes()[..], kind, payload].concat()
}

fn init() -> Vec<u8> {
    let mdhd = boxed(
        b"mdhd",
        &[&[0; 12][..], &TIMESCALE.to_be_bytes(), &[0; 8]].concat(),
    );
    let trak = boxed(b"trak", &boxed(b"mdia", &mdhd));
    boxed(b"moov", &trak)
}

fn chunk(decode_time: u64) -> Vec<u8> {
    let tfdt = [&[1, 0, 0, 0][..], &decode_time.to_be_bytes()].concat();
    boxed(b"moof", &boxed(b"traf", &boxed(b"tfdt", &tfdt)))
}
