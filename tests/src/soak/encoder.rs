//! An encoder that fails in one way after another and comes back.

use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    flv::{self, Tag},
    probe::MediaFile,
    publisher::Publisher,
    wait::PATIENCE,
};

/// How long a new connection takes to come after one that is gone.
const AWAY: Duration = Duration::from_secs(3);

/// How long one track is missing.
const MISSING: Duration = Duration::from_secs(6);

/// How long the network holds back what is then delivered at once.
const HELD_BACK: Duration = Duration::from_secs(2);

/// The last frame of a film lasts so long before it starts over.
const LAST_FRAME_MS: u32 = 40;

const HOUR_MS: u32 = 3_600_000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection is reset.
    Reset,
    /// The connection ends in the middle of a message.
    Truncated,
    /// Nothing comes any more on a connection that stays open; the encoder connects anew.
    Silence,
    /// Bytes that mean nothing.
    Garbage,
    /// Another film on the same connection: other size, rate and sampling rate.
    CodecChange,
    /// The clock jumps three hours ahead.
    ClockForward,
    /// The clock starts over.
    ClockBack,
    /// No sound for a while.
    NoSound,
    /// No picture for a while.
    NoPicture,
    /// Nothing for a while, then all of it at once.
    Burst,
}

impl Failure {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 10] = [
        Self::Reset,
        Self::Truncated,
        Self::Silence,
        Self::Garbage,
        Self::CodecChange,
        Self::ClockForward,
        Self::ClockBack,
        Self::NoSound,
        Self::NoPicture,
        Self::Burst,
    ];
}

/// What is pushed: one film, and another one that the encoder changes to.
#[derive(Clone, Debug)]
pub struct Films {
    /// What it begins with, whenever it connects.
    pub usual: Arc<[Tag]>,
    /// Another size, rate and sampling rate.
    pub other: Arc<[Tag]>,
}

impl Films {
    /// The H.264 and AAC of `film` as they are, and ten seconds of 640x360 at 30 pictures a second
    /// with sound at 44.1 kHz.
    ///
    /// # Panics
    /// If ffmpeg can't make them.
    pub fn with(film: &Path) -> Self {
        let film = film.to_str().expect("the film's path is text");
        let picture = "testsrc2=size=640x360:rate=30:duration=10";
        let sound = "sine=frequency=330:sample_rate=44100:duration=10";
        Self {
            usual: tags(&["-i", film, "-c", "copy"]),
            other: tags(&[
                "-f",
                "lavfi",
                "-i",
                picture,
                "-f",
                "lavfi",
                "-i",
                sound, //
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-b:v",
                "600k", //
                "-g",
                "60",
                "-keyint_min",
                "60",
                "-sc_threshold",
                "0", //
                "-c:a",
                "aac",
                "-b:a",
                "64k",
            ]),
        }
    }
}

/// What ffmpeg makes with these arguments.
fn tags(args: &[&str]) -> Arc<[Tag]> {
    let file = MediaFile::new("soak.flv", &[]);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y"]).args(args);
    ffmpeg.args(["-f", "flv"]).arg(file.path());
    assert!(
        ffmpeg.status().expect("ffmpeg runs").success(),
        "{ffmpeg:?}"
    );
    let bytes = std::fs::read(file.path()).expect("ffmpeg wrote it");
    flv::read(bytes.into()).expect("ffmpeg writes FLV").into()
}

/// What is left of an encoder that failed.
enum Left {
    /// It goes on.
    Working(Encoder),
    /// Its connection stays open, and nothing comes.
    Silent(Encoder),
    /// Nothing.
    Gone,
}

/// Pushes until `end`, and fails every `every`. Answers what it did.
pub async fn run(
    url: String,
    stream_key: String,
    films: Films,
    every: Duration,
    end: Instant,
    talks: bool,
) -> Vec<Failure> {
    let address = address(&url).expect("the server prints where it takes RTMP");
    let mut done = Vec::new();
    let mut coming = Failure::ALL.into_iter().cycle();
    let mut fails_at = Instant::now() + every;
    let mut silent = None;
    while Instant::now() < end {
        let connected = Encoder::connect(address, &stream_key, &films.usual).await;
        // The connection that was silent is the server's to close; it is let go of only now.
        drop(silent.take());
        let mut working = connected.ok();
        while let Some(mut encoder) = working.take() {
            if encoder.send_until(fails_at.min(end)).await.is_err() {
                say(talks, "the server closed the connection");
                break;
            }
            if Instant::now() >= end {
                return done;
            }
            fails_at += every;
            let failure = coming.next().expect("a cycle has no end");
            say(talks, &format!("the encoder fails: {failure:?}"));
            done.push(failure);
            match encoder.fail(failure, &films).await {
                Ok(Left::Working(encoder)) => working = Some(encoder),
                Ok(Left::Silent(encoder)) => silent = Some(encoder),
                Ok(Left::Gone) | Err(_) => {}
            }
        }
        tokio::time::sleep(AWAY.min(every / 2)).await;
    }
    done
}

/// A connection and its place in an endless film.
struct Encoder {
    publisher: Publisher,
    film: Arc<[Tag]>,
    next: usize,
    /// Added to the film's times on the wire, in milliseconds.
    clock: u32,
    /// When the film's time 0 was, or will be, in this turn.
    began: Instant,
    /// A track that is left out, until when.
    missing: Option<(Track, Instant)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Track {
    Video,
    Audio,
}

impl Encoder {
    async fn connect(address: SocketAddr, stream_key: &str, film: &Arc<[Tag]>) -> Result<Self> {
        let connecting = Publisher::connect(address, "live", stream_key.to_owned());
        let publisher = tokio::time::timeout(PATIENCE, connecting)
            .await
            .context("no answer to publish")??;
        Ok(Self {
            publisher,
            film: film.clone(),
            next: 0,
            clock: 0,
            began: Instant::now(),
            missing: None,
        })
    }

    /// Sends in real time.
    async fn send_until(&mut self, until: Instant) -> Result<()> {
        loop {
            let tag = self.tag();
            let due = self.began + Duration::from_millis(self.film_time().into());
            if due >= until {
                tokio::time::sleep_until(until.into()).await;
                return Ok(());
            }
            tokio::time::sleep_until(due.into()).await;
            let track = if tag.video {
                Track::Video
            } else {
                Track::Audio
            };
            let left_out = self
                .missing
                .is_some_and(|(missing, until)| missing == track && Instant::now() < until);
            if !left_out {
                self.publisher.send(&tag).await?;
            }
            self.advance();
        }
    }

    fn film_time(&self) -> u32 {
        self.film[self.next].time_ms
    }

    fn tag(&self) -> Tag {
        let tag = self.film[self.next].clone();
        let time_ms = tag.time_ms.wrapping_add(self.clock);
        Tag { time_ms, ..tag }
    }

    fn advance(&mut self) {
        self.next += 1;
        if self.next == self.film.len() {
            let length_ms = self.film.last().map_or(0, |tag| tag.time_ms) + LAST_FRAME_MS;
            self.clock = self.clock.wrapping_add(length_ms);
            self.began += Duration::from_millis(length_ms.into());
            let headers = self.film.iter().take_while(|tag| tag.is_sequence_header());
            self.next = headers.count();
        }
    }

    async fn fail(mut self, failure: Failure, films: &Films) -> Result<Left> {
        match failure {
            Failure::Reset => {
                self.publisher.reset()?;
                return Ok(Left::Gone);
            }
            Failure::Truncated => {
                let tag = self.tag();
                let chunks = self.publisher.chunks(&tag)?;
                self.publisher
                    .send_bytes(&chunks[..chunks.len() / 2])
                    .await?;
                return Ok(Left::Gone);
            }
            Failure::Silence => return Ok(Left::Silent(self)),
            Failure::Garbage => {
                self.publisher.send_bytes(&garbage()).await?;
            }
            Failure::CodecChange => {
                let sent = self.film_time().wrapping_add(self.clock);
                self.film = films.other.clone();
                (self.next, self.clock) = (0, sent.wrapping_add(LAST_FRAME_MS));
                self.began = Instant::now();
            }
            Failure::ClockForward => self.clock = self.clock.wrapping_add(3 * HOUR_MS),
            Failure::ClockBack => self.clock = 0u32.wrapping_sub(self.film_time()),
            Failure::NoSound => self.missing = Some((Track::Audio, Instant::now() + MISSING)),
            Failure::NoPicture => self.missing = Some((Track::Video, Instant::now() + MISSING)),
            Failure::Burst => tokio::time::sleep(HELD_BACK).await,
        }
        Ok(Left::Working(self))
    }
}

/// 64 KiB without a meaning, the same ones every time.
fn garbage() -> Vec<u8> {
    let mut state: u32 = 0x2545_f491;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(64 << 10).collect()
}

fn address(url: &str) -> Option<SocketAddr> {
    url.split("://").nth(1)?.split('/').next()?.parse().ok()
}

/// Says what happens, if it is to.
#[expect(clippy::print_stderr, reason = "progress of a long run")]
pub(super) fn say(talks: bool, what: &str) {
    if talks {
        eprintln!("{what}");
    }
}
