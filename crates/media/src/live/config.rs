//! What an operator may choose about a live video.

use std::time::Duration;

use crate::{
    framing::{LadderRung, SoundRung},
    package::PartProfile,
};

/// How a video is packaged and listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveConfig {
    /// How long parts are.
    pub parts: PartProfile,
    /// How much of the video the live playlists list.
    pub window: Duration,
    /// How long the video stays live after its encoder went away.
    pub reconnect_window: Duration,
    /// How much of an absence is GAPs before the slate is shown; `None` for GAPs alone.
    pub slate_after: Option<Duration>,
    /// How far a rendition's segment may come after the source's before it becomes a GAP.
    pub lag_limit: Duration,
    /// After how long without any unit a connected encoder counts as away.
    pub stall_limit: Duration,
    /// What the transcoder makes, best first. A rung is left out if the source is not taller.
    pub ladder: Vec<LadderRung>,
    /// What it makes of sound, if the source is coded otherwise. AAC becomes a rendition; Opus
    /// goes through the tap, for viewers over WebRTC.
    pub sound: Vec<SoundRung>,
    /// Whether multivariant playlists tell players where to ask which pathway to take.
    pub steering: bool,
}

impl Default for LiveConfig {
    /// Standard parts, a window of 60 s, 30 s to reconnect, no slate, no ladder and no steering.
    fn default() -> Self {
        Self {
            parts: PartProfile::default(),
            window: Duration::from_secs(60),
            reconnect_window: Duration::from_secs(30),
            slate_after: None,
            lag_limit: Duration::from_millis(1500),
            stall_limit: Duration::from_secs(3),
            ladder: Vec::new(),
            sound: Vec::new(),
            steering: false,
        }
    }
}
