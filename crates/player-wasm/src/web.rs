//! The browser's side: reads the clock and the media element, hands [`Command`]s to the shim, and what
//! the shim saw to the [`Player`].
//!
//! The shim carries out every command at once or queues it; it never calls back from within one.
//! Between shim and module go numbers and text alone, so that little glue is needed.

use js_sys::Float64Array;
use wasm_bindgen::prelude::*;
use web_sys::{HtmlVideoElement, Performance};

use crate::command::{Body, Command, RequestId, TrackKind};
use crate::outbox::{EventKind, push_number};
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
    /// For what is to be handed to [`WebPlayer::bytes`].
    #[wasm_bindgen(method, js_name = fetchBytes)]
    fn fetch_bytes(this: &Shim, id: u32, url: &str);
    #[wasm_bindgen(method)]
    fn abort(this: &Shim, id: u32);
    #[wasm_bindgen(method)]
    fn release(this: &Shim, id: u32);
    #[wasm_bindgen(method, js_name = changeType)]
    fn change_type(this: &Shim, track: u32, mime: &str);
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
    /// Begins to load `url`. `next_seq` and `viewed` go on with a kept session; `lacks` names the
    /// codecs that the browser cannot play, separated by commas; `throughput` is that of an earlier
    /// visit in bits per second, 0 if there was none; `performance` is the page's clock.
    #[wasm_bindgen(constructor)]
    #[expect(
        clippy::too_many_arguments,
        reason = "JavaScript has no other way to name them cheaply"
    )]
    pub fn new(
        shim: Shim,
        element: HtmlVideoElement,
        performance: Performance,
        url: String,
        video: String,
        session: String,
        next_seq: f64,
        viewed: bool,
        lacks: &str,
        throughput: f64,
    ) -> Self {
        let lacks = lacks.split(',').filter(|codec| !codec.is_empty());
        let config = Config {
            url,
            video,
            session,
            next_seq: next_seq as u64,
            viewed,
            lacks: lacks.map(str::to_owned).collect(),
            throughput: (throughput > 0.0).then_some(throughput),
        };
        Self {
            player: Player::new(clock(&performance), config),
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
        // The ranges are a copy: none of them goes away meanwhile.
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

    /// A text request came through. `server_ms` is the `Date` of the answer in Unix ms, or NaN.
    pub fn text(&mut self, id: u32, text: &str, server_ms: f64) {
        let now = self.now();
        if server_ms > 0.0 {
            self.player.dated(now, server_ms);
        }
        self.player.text(now, RequestId(id), text);
        self.run();
    }

    /// The answer to a request came from another URL than was asked.
    pub fn redirected(&mut self, id: u32, url: String) {
        self.player.redirected(RequestId(id), url);
    }

    /// A request for bytes came through.
    pub fn bytes(&mut self, id: u32, bytes: &[u8]) {
        self.player.bytes_came(self.now(), RequestId(id), bytes);
        self.run();
    }

    /// What of the source this player does not play, in a few words, if that is why it is
    /// unplayable.
    pub fn refused(&self) -> Option<String> {
        self.player.refused().map(str::to_owned)
    }

    /// The head of a body about to be appended. An offset that follows from it is set before this
    /// returns. Answers whether it may be appended now.
    pub fn head(&mut self, id: u32, head: &[u8]) -> bool {
        let now = self.player.head(RequestId(id), head);
        self.run();
        now
    }

    /// So many bytes of a body have come, of `length`, or of 0 if that is not known.
    pub fn progress(&mut self, id: u32, bytes: f64, length: f64) {
        let length = (length > 0.0).then_some(length as u64);
        self.player
            .progress(self.now(), RequestId(id), bytes as u64, length);
        if self.player.has_commands() {
            self.run();
        }
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
        self.player.quota_exceeded(self.now(), kind_of(track));
        self.run();
    }

    /// The browser cannot decode; `track` is that of the SourceBuffer if it happened while
    /// appending, else negative. Answers whether the player makes another attempt.
    #[wasm_bindgen(js_name = decodeFailed)]
    pub fn decode_failed(&mut self, track: i32) -> bool {
        let track = u32::try_from(track).ok().map(kind_of);
        let again = self.player.decode_failed(self.now(), track);
        self.run();
        again
    }

    /// Whether the page is to be seen and its sound to be heard.
    pub fn attend(&mut self, visible: bool, audible: bool) {
        self.player.attend(self.now(), visible, audible);
        self.run();
    }

    /// The network is there again.
    pub fn online(&mut self) {
        self.player.online(self.now());
        self.run();
    }

    /// A managed media source wants more, or has enough.
    pub fn streaming(&mut self, wanted: bool) {
        self.player.streaming(self.now(), wanted);
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

    /// What is still to be reported, for a page about to go: a batch of the oldest.
    pub fn farewell(&mut self) -> Option<String> {
        self.player.farewell(self.now())
    }

    /// All that is still to be reported, in the form of a batch of any length.
    pub fn unsent(&self) -> Option<String> {
        self.player.unsent()
    }

    /// Number of the next event.
    #[wasm_bindgen(js_name = nextSeq)]
    pub fn next_seq(&self) -> f64 {
        self.player.next_seq() as f64
    }

    /// The renditions from the lowest, a line each: lines of the picture or 0, bits per second, name,
    /// separated by blanks.
    pub fn renditions(&self) -> String {
        let mut lines = String::new();
        for (name, height, bits_per_s) in self.player.renditions() {
            push_number(&mut lines, u64::from(height.unwrap_or(0)));
            lines.push(' ');
            push_number(&mut lines, bits_per_s as u64);
            lines.extend([" ", name, "\n"]);
        }
        lines
    }

    /// The sounds to choose from, a line each: language if told, a blank, name.
    pub fn sounds(&self) -> String {
        let mut lines = String::new();
        for sound in self.player.sounds() {
            let language = sound.language.as_deref().unwrap_or_default();
            lines.extend([language, " ", &sound.name, "\n"]);
        }
        lines
    }

    /// What a person or a test wants to know: the numbers of `www/player/snapshot.ts`,
    /// in that order. What is not known is NaN; what is true is 1.
    pub fn snapshot(&self) -> Float64Array {
        let now = self.now();
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
        ];
        Float64Array::from(numbers.as_slice())
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
                Body::Bytes => shim.fetch_bytes(id.0, &url),
                Body::Append(track) => shim.fetch(id.0, &url, Some(track_index(track))),
            },
            Command::Abort { id } => shim.abort(id.0),
            Command::Release { id } => shim.release(id.0),
            Command::Type { track, mime } => shim.change_type(track_index(track), &mime),
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

fn kind_of(track: u32) -> TrackKind {
    match track {
        0 => TrackKind::Video,
        _ => TrackKind::Audio,
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
