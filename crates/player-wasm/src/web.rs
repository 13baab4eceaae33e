//! The browser's side: reads the clock and the media element, hands [`Command`]s to the shim.
//!
//! The shim carries out every command at once or queues it; it never calls back from within one.

use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{HtmlVideoElement, Performance};

use crate::command::{Body, Command, RequestId, TrackKind};
use crate::outbox::EventKind;
use crate::player::{Config, Failure, Observation, Phase, Player, Transfer};

#[wasm_bindgen]
extern "C" {
    /// The hands of the player: `Engine` in `www/player/engine.ts`.
    pub type Shim;

    #[wasm_bindgen(method)]
    fn open(this: &Shim, video: &str, audio: Option<&str>);
    /// `track` is 0 for video, 1 for audio, and absent for text.
    #[wasm_bindgen(method)]
    fn fetch(this: &Shim, id: u32, url: &str, track: Option<u32>);
    #[wasm_bindgen(method)]
    fn abort(this: &Shim, id: u32);
    #[wasm_bindgen(method)]
    fn release(this: &Shim, id: u32);
    #[wasm_bindgen(method)]
    fn offset(this: &Shim, track: u32, seconds: f64);
    #[wasm_bindgen(method)]
    fn remove(this: &Shim, track: u32, start: f64, end: f64);
    #[wasm_bindgen(method)]
    fn duration(this: &Shim, seconds: f64);
    #[wasm_bindgen(method, js_name = endOfStream)]
    fn end_of_stream(this: &Shim);
    #[wasm_bindgen(method)]
    fn seek(this: &Shim, seconds: f64);
    #[wasm_bindgen(method)]
    fn rate(this: &Shim, rate: f64);
    #[wasm_bindgen(method)]
    fn post(this: &Shim, batch: &str);
    #[wasm_bindgen(method)]
    fn changed(this: &Shim);
    /// Call [`WebPlayer::wake`] after this many ms, instead of when it was last asked.
    #[wasm_bindgen(method)]
    fn sleep(this: &Shim, ms: f64);
}

/// A [`Player`] with a clock, a media element and a shim.
#[wasm_bindgen]
pub struct WebPlayer {
    player: Player,
    shim: Shim,
    element: HtmlVideoElement,
    performance: Performance,
}

#[wasm_bindgen]
impl WebPlayer {
    /// Begins to load `url`. `next_seq` and `viewed` go on with a kept session.
    #[wasm_bindgen(constructor)]
    pub fn new(
        shim: Shim,
        element: HtmlVideoElement,
        url: String,
        video: String,
        session: String,
        next_seq: f64,
        viewed: bool,
    ) -> Self {
        let window = web_sys::window().expect("the module runs in a page");
        let performance = window.performance().expect("a page has a clock");
        let config = Config {
            url,
            video,
            session,
            next_seq: next_seq as u64,
            viewed,
            lacks: lacks(),
        };
        let player = Player::new(clock(&performance), config);
        Self {
            player,
            shim,
            element,
            performance,
        }
    }

    /// Carries out what the player wants. The shim calls it once after making the player, and it
    /// ends every other call.
    pub fn run(&mut self) {
        while let Some(command) = self.player.poll_command() {
            self.carry_out(command);
        }
        let now = self.now();
        if let Some(at) = self.player.poll_timeout(now) {
            self.shim.sleep(at.saturating_sub(now) as f64);
        }
    }

    /// The wake-up that was asked for.
    pub fn wake(&mut self) {
        self.player.handle_timeout(self.now());
        self.run();
    }

    /// Looks at the media element.
    pub fn observe(&mut self) {
        let element = &self.element;
        let ranges = element.buffered();
        let range = |i| Some((ranges.start(i).ok()?, ranges.end(i).ok()?));
        let seen = Observation {
            current_time_s: element.current_time(),
            paused: element.paused(),
            seeking: element.seeking(),
            ended: element.ended(),
            ready_state: element.ready_state() as u8,
            buffered: (0..ranges.length()).filter_map(range).collect(),
        };
        self.player.observe(self.now(), seen);
        self.run();
    }

    /// The first frame is on the screen.
    pub fn rendered(&mut self) {
        self.player.rendered(self.now());
        self.run();
    }

    /// A text request came through.
    pub fn text(&mut self, id: u32, text: &str) {
        self.player.text(self.now(), RequestId(id), text);
        self.run();
    }

    /// The head of a body about to be appended. An offset that follows from it is set before this
    /// returns. Answers whether it may be appended now.
    pub fn head(&mut self, id: u32, head: &[u8]) -> bool {
        let now = self.player.head(RequestId(id), head);
        self.run();
        now
    }

    /// Bytes are coming in.
    pub fn progress(&mut self, id: u32) {
        self.player.progress(self.now(), RequestId(id));
    }

    /// A body has been appended whole.
    pub fn completed(&mut self, id: u32, bytes: f64, first_bytes: f64, body_ms: f64) {
        let (bytes, first_bytes) = (bytes as u64, first_bytes as u64);
        let transfer = Transfer {
            bytes,
            first_bytes,
            body_ms,
        };
        self.player.completed(self.now(), RequestId(id), transfer);
        self.run();
    }

    /// A request failed with this status; 0 is no answer at all.
    pub fn failed(&mut self, id: u32, status: u16) {
        let failure = if status == 0 {
            Failure::Network
        } else {
            Failure::Status(status)
        };
        self.player.failed(self.now(), RequestId(id), failure);
        self.run();
    }

    /// A SourceBuffer is full.
    #[wasm_bindgen(js_name = quotaExceeded)]
    pub fn quota_exceeded(&mut self, track: u32) {
        let track = if track == 0 {
            TrackKind::Video
        } else {
            TrackKind::Audio
        };
        self.player.quota_exceeded(track);
        self.run();
    }

    /// The viewer picks a rendition by index; a negative one leaves the choice to the player.
    pub fn choose(&mut self, rendition: i32) {
        self.player
            .choose(self.now(), usize::try_from(rendition).ok());
        self.run();
    }

    /// The viewer picks a sound by index.
    #[wasm_bindgen(js_name = chooseSound)]
    pub fn choose_sound(&mut self, sound: u32) {
        self.player.choose_sound(self.now(), sound as usize);
        self.run();
    }

    /// The viewer wants to hear a language; says whether there is sound in it.
    #[wasm_bindgen(js_name = chooseLanguage)]
    pub fn choose_language(&mut self, language: &str) -> bool {
        let found = self.player.choose_language(self.now(), language);
        self.run();
        found
    }

    /// The viewer seeks, in seconds.
    pub fn seek(&mut self, to: f64) {
        self.player.seek(self.now(), to);
        self.run();
    }

    /// The viewer wants the live edge.
    #[wasm_bindgen(js_name = goLive)]
    pub fn go_live(&mut self) {
        self.player.go_live(self.now());
        self.run();
    }

    /// The viewer pauses.
    pub fn paused(&mut self) {
        self.player.paused(self.now());
        self.run();
    }

    /// Reports what the viewer or the shim saw, in a word of the events API and its value.
    pub fn report(&mut self, word: &str, value: Option<u32>) {
        if let Some(kind) = EventKind::from_word(word) {
            self.player.report(self.now(), kind, value.map(u64::from));
            self.run();
        }
    }

    /// These events of the last batch are done with.
    pub fn answered(&mut self, seqs: &[f64]) {
        let seqs: Vec<u64> = seqs.iter().map(|seq| *seq as u64).collect();
        self.player.answered(self.now(), &seqs);
        self.run();
    }

    /// The last batch got no answer.
    pub fn unanswered(&mut self) {
        self.player.unanswered(self.now());
        self.run();
    }

    /// What is still to be reported, for a page about to go.
    pub fn farewell(&mut self) -> Option<String> {
        self.player.farewell(self.now())
    }

    /// Number of the next event.
    #[wasm_bindgen(js_name = nextSeq)]
    pub fn next_seq(&self) -> f64 {
        self.player.next_seq() as f64
    }

    /// The renditions as `[name, height or null, bits per second]`, from the lowest.
    pub fn renditions(&self) -> Array {
        let renditions = self.player.renditions().map(|(name, height, bits_per_s)| {
            let height = height.map_or(JsValue::NULL, JsValue::from);
            Array::of3(&name.into(), &height, &bits_per_s.into())
        });
        renditions.collect()
    }

    /// The sounds to choose from as `[name, language or null]`.
    pub fn sounds(&self) -> Array {
        let sounds = self.player.sounds().iter().map(|sound| {
            let language = sound.language.as_deref();
            let language = language.map_or(JsValue::NULL, JsValue::from);
            Array::of2(&(&*sound.name).into(), &language)
        });
        sounds.collect()
    }

    /// What a person or a test wants to know, as the interface `Snapshot` of `engine.ts`.
    pub fn snapshot(&self) -> Object {
        let now = self.now();
        let player = &self.player;
        let meter = player.meter();
        let object = Object::new();
        let set = |name: &str, value: JsValue| {
            // Setting a plain property of a plain object cannot fail.
            let _ = Reflect::set(&object, &name.into(), &value);
        };
        let optional = |value: Option<f64>| value.map_or(JsValue::NULL, JsValue::from);
        let (phase, status) = phase_word(player.phase());
        set("phase", phase.into());
        set("status", status.into());
        set("live", player.is_live().into());
        set("following", player.is_following().into());
        set("stalled", meter.is_stalled().into());
        set(
            "active",
            optional(player.active_rendition().map(|index| index as f64)),
        );
        set(
            "chosen",
            optional(player.chosen_rendition().map(|index| index as f64)),
        );
        set(
            "sound",
            optional(player.active_sound().map(|index| index as f64)),
        );
        set(
            "windowStart",
            optional(player.window_s().map(|(start, _)| start)),
        );
        set("windowEnd", optional(player.window_s().map(|(_, end)| end)));
        set(
            "startupMs",
            optional(meter.startup_ms().map(|ms| ms as f64)),
        );
        set("playedSeconds", (meter.watched_ms() as f64 / 1000.0).into());
        set("stalls", meter.stalls().into());
        set("stallMs", (meter.stall_ms(now) as f64).into());
        set("latencyMs", optional(player.latency_ms(now)));
        set("bufferSeconds", player.buffer_s().into());
        set("playheadPdtMs", optional(player.playhead_date_ms()));
        set("throughput", optional(player.throughput()));
        set("bytes", (player.bytes() as f64).into());
        object
    }

    fn now(&self) -> u64 {
        clock(&self.performance)
    }

    fn carry_out(&self, command: Command) {
        let shim = &self.shim;
        match command {
            Command::Open { video, audio } => shim.open(&video, audio.as_deref()),
            Command::Fetch { id, url, body } => match body {
                Body::Text => shim.fetch(id.0, &url, None),
                Body::Append(track) => shim.fetch(id.0, &url, Some(track_index(track))),
            },
            Command::Abort { id } => shim.abort(id.0),
            Command::Release { id } => shim.release(id.0),
            Command::Offset { track, seconds } => shim.offset(track_index(track), seconds),
            Command::Remove { track, start, end } => shim.remove(track_index(track), start, end),
            Command::Duration(seconds) => shim.duration(seconds.unwrap_or(f64::INFINITY)),
            Command::EndOfStream => shim.end_of_stream(),
            Command::Seek(seconds) => shim.seek(seconds),
            Command::Rate(rate) => shim.rate(rate),
            Command::Post(batch) => shim.post(&batch),
            Command::Changed => shim.changed(),
        }
    }
}

/// Audio codecs that the browser's media source does not take, of those that are served.
fn lacks() -> Vec<String> {
    let served = [("mp4a", "mp4a.40.2"), ("Opus", "Opus")];
    let global = js_sys::global();
    let names = ["ManagedMediaSource", "MediaSource"];
    let sources = names.map(|name| Reflect::get(&global, &name.into()).unwrap_or_default());
    // Without any, nothing plays here anyway.
    let Some(source) = sources.into_iter().find(|source| source.is_function()) else {
        return Vec::new();
    };
    let asked = Reflect::get(&source, &"isTypeSupported".into()).unwrap_or_default();
    let Some(asked) = asked.dyn_ref::<Function>() else {
        return Vec::new();
    };
    let plays = |codec: &str| {
        let mime = ["audio/mp4; codecs=\"", codec, "\""].concat();
        let answer = asked.call1(&source, &mime.into());
        answer.map_or(true, |answer| answer.is_truthy())
    };
    let lacked = served.into_iter().filter(|(_, codec)| !plays(codec));
    lacked.map(|(name, _)| name.to_owned()).collect()
}

/// Unix milliseconds of a clock that never goes back.
fn clock(performance: &Performance) -> u64 {
    (performance.time_origin() + performance.now()) as u64
}

fn track_index(track: TrackKind) -> u32 {
    match track {
        TrackKind::Video => 0,
        TrackKind::Audio => 1,
    }
}

/// The phase in a word, and the status of the failure behind it.
fn phase_word(phase: Phase) -> (&'static str, u16) {
    match phase {
        Phase::Loading => ("loading", 0),
        Phase::Waiting => ("waiting", 0),
        Phase::Ready => ("ready", 0),
        Phase::Away => ("away", 0),
        Phase::Ended => ("ended", 0),
        Phase::Trouble(Failure::Status(status)) => ("trouble", status),
        Phase::Trouble(Failure::Network | Failure::Timeout) => ("trouble", 0),
        Phase::Unplayable => ("unplayable", 0),
    }
}
