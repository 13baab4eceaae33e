//! What a person or a page can ask of the player at any time.

use super::{Meter, Phase, Player};

impl Player {
    /// Where the player is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The renditions of the picture, in rising order of bitrate: name, lines, bits per second.
    pub fn renditions(&self) -> impl Iterator<Item = (&str, Option<u32>, f64)> {
        let renditions = self
            .tracks
            .first()
            .map_or(&[][..], |video| &video.renditions);
        renditions
            .iter()
            .map(|r| (r.name.as_str(), r.height, r.bits_per_s))
    }

    /// Index of the rendition being fetched.
    pub fn active_rendition(&self) -> Option<usize> {
        self.tracks.first().map(|video| video.active)
    }

    /// Index of the rendition that the viewer insists on.
    pub fn chosen_rendition(&self) -> Option<usize> {
        self.chosen
    }

    /// Whether it is kept at the live edge.
    pub fn is_following(&self) -> bool {
        self.following && self.is_live()
    }

    /// Whether more is to come.
    pub fn is_live(&self) -> bool {
        self.tracks.iter().any(|track| !track.timeline().ended)
    }

    /// The window that can be played, in seconds of `currentTime`.
    pub fn window_s(&self) -> Option<(f64, f64)> {
        let origin = self.origin_ms?;
        let start = self
            .tracks
            .iter()
            .filter_map(|track| track.timeline().start_ms());
        let start = start.fold(f64::MIN, f64::max);
        let end = self.edge_ms()?;
        Some((
            ((start - origin) / 1000.0).max(0.0),
            (end - origin) / 1000.0,
        ))
    }

    /// The date at `currentTime` 0 in Unix milliseconds, once playback has a place.
    pub fn origin_ms(&self) -> Option<f64> {
        self.origin_ms
    }

    /// The date of the playhead in Unix milliseconds, if the playlist has dates.
    pub fn playhead_date_ms(&self) -> Option<f64> {
        let dated = self.tracks.first()?.timeline().dated;
        self.playhead_ms().filter(|_| dated)
    }

    /// How far the playhead is behind the encoder, in ms, while live. It is told by the servers'
    /// clock where the viewer's is wrong.
    pub fn latency_ms(&self, now: u64) -> Option<f64> {
        self.playhead_date_ms()
            .filter(|_| self.is_live())
            .map(|date| self.clock.server_ms(now) - date)
    }

    /// The latency to hold, in ms, while at the live edge.
    pub fn target_latency_ms(&self, now: u64) -> Option<f64> {
        let (part_ms, hold_back_ms) = self.pace_ms();
        self.is_following()
            .then(|| self.latency.target_ms(now, part_ms, hold_back_ms))
    }

    /// Startup, stalls, time watched.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// What the network gives, in bits per second.
    pub fn throughput(&self) -> Option<f64> {
        self.abr.throughput.bits_per_s()
    }

    /// What the viewer's speed is multiplied by, in order to hold the latency.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Media bytes fetched, those that were of no use included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Media bytes of transfers that were given up or failed.
    pub fn wasted_bytes(&self) -> u64 {
        self.wasted
    }

    /// Changes of the picture's rendition since the first.
    pub fn switches(&self) -> u32 {
        self.switches
    }
}
