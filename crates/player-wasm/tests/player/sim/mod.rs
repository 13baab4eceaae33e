//! A player, an origin, a network and a media element on one virtual clock.

mod boxes;
pub(crate) mod element;
mod network;
pub(crate) mod origin;

use weir_player_wasm::{Command, Config, Player, TrackKind, Transfer};

use element::Element;
use network::{Flights, Landed, Network};
use origin::{Answer, DAY_MS, Media, Origin};

const STEP_MS: u64 = 5;
const LOOK_MS: u64 = 250;

pub(crate) struct Sim {
    /// What time it is for the origin, and for a viewer whose clock is right.
    pub(crate) now: u64,
    /// How much the viewer's clock is ahead.
    pub(crate) ahead_ms: i64,
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
    /// Seconds that a SourceBuffer takes.
    pub(crate) room_s: f64,
    pub(crate) quota_errors: u32,
    /// Segments at which decoding fails: rendition and msn.
    pub(crate) undecodable: Vec<(&'static str, u64)>,
    /// How often the MediaSource was made.
    pub(crate) opens: u32,
    /// Types that the SourceBuffer of the picture was changed to.
    pub(crate) types: Vec<String>,
    pub(crate) ends_told: u32,
    pub(crate) seeks: u32,
    flights: Flights,
    offsets: [f64; 2],
    /// Folder of the initialisation segment that was appended last.
    inits: [String; 2],
    /// Type of the SourceBuffers.
    mimes: [String; 2],
    /// Until when a full SourceBuffer is not tried again.
    full_until: [u64; 2],
    unposted: Option<(u64, String)>,
    looked_at: u64,
    rendered: bool,
}

impl Sim {
    pub(crate) fn new(origin: Origin, now: u64) -> Self {
        Self::lacking(origin, now, &[])
    }

    /// In a browser without some codecs.
    pub(crate) fn lacking(origin: Origin, now: u64, codecs: &[&str]) -> Self {
        let lacks = codecs.iter().map(|&codec| codec.to_owned()).collect();
        Self::with(origin, now, 0, Config { lacks, ..config() })
    }

    /// For a viewer whose clock is ahead.
    pub(crate) fn ahead(origin: Origin, now: u64, ahead_ms: i64) -> Self {
        Self::with(origin, now, ahead_ms, config())
    }

    /// For a viewer who comes again, two hours after a recording began.
    pub(crate) fn recalling(origin: Origin, throughput: Option<f64>) -> Self {
        let now = origin.start_ms + 7_200_000;
        let config = Config {
            throughput,
            ..config()
        };
        Self::with(origin, now, 0, config)
    }

    fn with(origin: Origin, now: u64, ahead_ms: i64, config: Config) -> Self {
        Self {
            now,
            ahead_ms,
            player: Player::new(now.saturating_add_signed(ahead_ms), config),
            origin,
            network: Network::default(),
            element: Element {
                rate: 1.0,
                speed: 1.0,
                ..Element::default()
            },
            fetched: Vec::new(),
            posted: Vec::new(),
            played: Vec::new(),
            sound_codec: String::new(),
            room_s: f64::MAX,
            quota_errors: 0,
            undecodable: Vec::new(),
            opens: 0,
            types: Vec::new(),
            ends_told: 0,
            seeks: 0,
            flights: Flights::default(),
            offsets: [0.0; 2],
            inits: Default::default(),
            mimes: Default::default(),
            full_until: [0; 2],
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

    /// Time passes, and the page notices nothing of it.
    pub(crate) fn sleep(&mut self, ms: u64) {
        self.now += ms;
    }

    /// What time it is for the viewer.
    pub(crate) fn clock(&self) -> u64 {
        self.now.saturating_add_signed(self.ahead_ms)
    }

    pub(crate) fn latency_ms(&self) -> f64 {
        self.player.latency_ms(self.clock()).unwrap()
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
        let clock = self.clock();
        self.element.play_on(STEP_MS);
        self.deliver();
        if !self.rendered && self.element.ready_state() >= 2 {
            self.rendered = true;
            self.player.rendered(clock);
        }
        if self.now >= self.looked_at + LOOK_MS {
            self.looked_at = self.now;
            self.player.observe(clock, self.element.observation());
        }
        if self
            .player
            .poll_timeout(clock)
            .is_some_and(|at| at <= clock)
        {
            self.player.handle_timeout(clock);
        }
        if let Some((_, batch)) = self.unposted.take_if(|(at, _)| *at <= self.now) {
            self.answer_post(batch);
        }
        self.carry_out_all();
        self.check();
    }

    /// What must hold at any time.
    fn check(&self) {
        for name in ["source/index", "480p/index", "audio/index"] {
            let reloads = self
                .flights
                .0
                .iter()
                .filter(|flight| flight.url.contains(name))
                .count();
            assert!(reloads <= 1, "{reloads} reloads of {name} at once");
        }
    }

    fn carry_out(&mut self, command: Command) {
        let Some(command) = self.steer_flights(command) else {
            return;
        };
        match command {
            Command::Open { video, audio } => {
                let sound = audio.unwrap();
                let codec = sound.strip_prefix("audio/mp4; codecs=\"").unwrap();
                self.sound_codec = codec.strip_suffix('"').unwrap().to_owned();
                self.mimes = [video, sound];
                self.opens += 1;
                self.element.reopen();
                self.inits = Default::default();
                self.offsets = [0.0; 2];
            }
            Command::Type { track, mime } => {
                if track == TrackKind::Video {
                    self.types.push(mime.clone());
                }
                self.mimes[index(track)] = mime;
            }
            Command::Offset { track, seconds } => self.offsets[index(track)] = seconds,
            Command::Remove { track, start, end } => {
                self.element.tracks[index(track)].remove(start, end);
            }
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
            _ => {}
        }
    }

    fn answer_post(&mut self, batch: String) {
        if self.network.events_fail || self.network.gone {
            return self.player.unanswered(self.clock());
        }
        let number = |text: &str| text.split(',').next().unwrap().parse().unwrap();
        let seqs: Vec<u64> = batch.split("\"seq\":").skip(1).map(number).collect();
        self.posted.push(batch);
        self.player.answered(self.clock(), &seqs);
    }

    fn hand_over(&mut self, landed: Landed) {
        let Landed {
            id,
            url,
            answer,
            track,
            body_ms,
        } = landed;
        let clock = self.clock();
        match (answer, track) {
            (Answer::Text(text), None) => {
                if self.network.dates {
                    // HTTP tells whole seconds.
                    let date = self.now / 1000 * 1000;
                    self.player.dated(clock, date as f64);
                }
                self.player.text(clock, id, &text);
            }
            (Answer::Init(coding), Some(track)) => {
                folder(&url).clone_into(&mut self.inits[track]);
                assert!(self.player.head(id, &boxes::init(coding)));
                self.carry_out_all();
                if track == 0 {
                    let mime = &self.mimes[0];
                    assert!(mime.contains(coding), "{coding} into {mime}");
                }
                let transfer = Transfer {
                    bytes: 700,
                    ..Transfer::default()
                };
                self.player.completed(clock, id, transfer);
            }
            (Answer::Media(media), Some(track)) => {
                assert_eq!(
                    folder(&url),
                    self.inits[track],
                    "under another's initialisation"
                );
                if self.is_undecodable(&url) {
                    let kind = [TrackKind::Video, TrackKind::Audio][track];
                    assert!(self.player.decode_failed(clock, Some(kind)), "given up");
                    return;
                }
                self.append(media, track);
                let transfer = Transfer {
                    bytes: media.bytes,
                    first_bytes: 0,
                    body_ms: body_ms as f64,
                };
                self.player.completed(clock, id, transfer);
            }
            (Answer::Status(status), _) => {
                let failure = weir_player_wasm::Failure::Status(status);
                self.player.failed(clock, id, failure);
            }
            (answer, _) => panic!("{answer:?} for {track:?}"),
        }
    }

    fn is_undecodable(&self, url: &str) -> bool {
        let within = |(name, msn): &(&str, u64)| url.contains(&format!("/{name}/{msn}."));
        self.undecodable.iter().any(within)
    }

    fn append(&mut self, media: Media, track: usize) {
        let start = media.decode_ms as f64 / 1000.0 + self.offsets[track];
        let end = start + media.duration_ms as f64 / 1000.0;
        self.element.tracks[track].add(start, end);
        // Wherever it came from, it stands at its date.
        let origin_ms = self.player.origin_ms().unwrap();
        let error_ms = origin_ms + start * 1000.0 - media.date_ms as f64;
        let allowed_ms = if self.origin.undated { f64::MAX } else { 2.0 };
        assert!(error_ms.abs() < allowed_ms, "{error_ms} ms off its date");
    }
}

fn config() -> Config {
    Config {
        url: "http://h/v/o/index.m3u8".to_owned(),
        video: "oabcdefghijk".to_owned(),
        session: "0123456789abcdef".to_owned(),
        next_seq: 1,
        ..Config::default()
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
