//! What an operator may choose about a live video.

use std::time::Duration;

use crate::{framing::LadderRung, package::PartProfile};

/// How a video is packaged and listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveConfig {
    /// How long parts are.
    pub parts: PartProfile,
    /// How much of the video the live playlists list.
    pub window: Duration,
    /// How long the video stays live after its encoder went away.
    pub reconnect_window: Duration,
    /// How far a rendition's segment may come after the source's before it becomes a GAP.
    pub lag_limit: Duration,
    /// After how long without any unit a connected encoder counts as away.
    pub stall_limit: Duration,
    /// What the transcoder makes, best first. A rung is left out if the source is not taller.
    pub ladder: Vec<LadderRung>,
}

impl Default for LiveConfig {
    /// Standard parts, a window of 60 s, 30 s to reconnect, and no ladder.
    fn default() -> Self {
        Self {
            parts: PartProfile::default(),
            window: Duration::from_secs(60),
            reconnect_window: Duration::from_secs(30),
            lag_limit: Duration::from_millis(1500),
            stall_limit: Duration::from_secs(3),
            ladder: Vec::new(),
        }
    }
}
