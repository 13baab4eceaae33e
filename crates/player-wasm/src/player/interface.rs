//! What the player is told from outside, and what it says of itself, as plain data.

use alloc::string::String;
use alloc::vec::Vec;

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
    /// Codecs that the browser cannot play, as RFC 6381 begins them: `hvc1`, `mp4a`, `Opus`.
    pub lacks: Vec<String>,
    /// What the network gave on an earlier visit, in bits per second.
    pub throughput: Option<f64>,
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
    /// `playbackRate`: the speed that the viewer chose times [`Command::Rate`](crate::Command::Rate).
    pub playback_rate: f64,
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
    /// The encoder is away, or its stream stands still, and may come back.
    Away,
    /// The end was reached.
    Ended,
    /// Requests fail; it tries again by itself.
    Trouble(Failure),
    /// It cannot be played at all.
    Unplayable,
}
