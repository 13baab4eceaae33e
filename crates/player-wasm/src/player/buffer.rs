//! What is buffered: how much of it, holes to cross, what to forget, and what to do when there is
//! no room.

use super::{Observation, Player};
use crate::command::{Command, TrackKind};

/// How much of what was played stays buffered, in seconds.
const BACK_S: f64 = 30.0;
/// Least of either that a full buffer leaves.
const LEAST_BACK_S: f64 = 2.0;
const LEAST_FORWARD_MS: f64 = 4000.0;
/// A buffer that is full has room for no more than what is ahead of the playhead, or than this, in ms.
const FULL_FORWARD_MS: f64 = 30_000.0;
/// How often old media is removed, and how often there is taken to be less room, in ms.
const EVICT_EVERY_MS: u64 = 5000;
/// A hole that nobody would notice, in seconds.
const SLIVER_S: f64 = 0.3;

/// How much to keep buffered, as far as is known what the browser has room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    back_s: f64,
    /// The most that is fetched ahead of the playhead, in ms, once it has turned out to be too much.
    most_forward_ms: f64,
    evicted_at: u64,
    shrunk_at: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            back_s: BACK_S,
            most_forward_ms: f64::INFINITY,
            evicted_at: 0,
            shrunk_at: 0,
        }
    }
}

impl Room {
    fn shrink(&mut self, now: u64, forward_ms: f64) {
        if now >= self.shrunk_at + EVICT_EVERY_MS {
            self.shrunk_at = now;
            self.back_s = (self.back_s / 2.0).max(LEAST_BACK_S);
            self.most_forward_ms = (forward_ms * 0.7).max(LEAST_FORWARD_MS);
        }
    }
}

impl Observation {
    /// The range around a position, in seconds; media that begins a little after it counts.
    fn around(&self, position_s: f64) -> Option<(f64, f64)> {
        let around = |(start, end): &&(f64, f64)| *start <= position_s + 0.1 && *end > position_s;
        self.buffered.iter().find(around).copied()
    }
}

impl Player {
    /// The SourceBuffer has no room: what was played goes, and less is kept from now on.
    pub fn quota_exceeded(&mut self, now: u64, track: TrackKind) {
        let held_ms = (self.buffer_s() * 1000.0).max(FULL_FORWARD_MS);
        self.room.shrink(now, self.forward_ms().min(held_ms));
        for request in &mut self.requests {
            // Its body may have come long ago, and waits for room.
            let appends = request.purpose.append_track();
            if appends.is_some_and(|t| self.tracks[t].kind == track) {
                request.deadline = now + request.patience_ms;
            }
        }
        // A removal goes on to the next frame at which decoding can begin.
        let spared_s = self.tracks.iter().map(|track| track.segment_s());
        let end = self.position_s() - spared_s.fold(LEAST_BACK_S, f64::max);
        if end > 0.0 {
            self.forget(track, end);
        }
    }

    /// How far ahead of the playhead media is fetched, in ms.
    pub(super) fn forward_ms(&self) -> f64 {
        let rate = self
            .tracks
            .first()
            .map_or(0.0, |video| video.rendition().mean_bits_per_s);
        let forward_ms = self.abr.forward_s(rate) * 1000.0;
        forward_ms.min(self.room.most_forward_ms)
    }

    /// Seconds buffered ahead of the playhead.
    pub fn buffer_s(&self) -> f64 {
        let position_s = self.position_s();
        let around = self.seen.around(position_s);
        around.map_or(0.0, |(_, end)| end - position_s)
    }

    /// Where the playhead stands before a hole that nothing will fill, goes to its other side.
    pub(super) fn cross_hole(&mut self) {
        if self.pending_seek.is_some() || self.seen.ready_state >= 3 || self.seen.ended {
            return;
        }
        let position_s = self.position_s();
        // The last frames before a hole have nothing to follow them and are not played.
        let inside = |(start, end): &(f64, f64)| *start <= position_s && position_s + 0.5 < *end;
        if self.seen.buffered.iter().any(inside) {
            return;
        }
        let beyond = self
            .seen
            .buffered
            .iter()
            .find(|(start, _)| *start > position_s);
        let (Some((start_s, _)), Some(origin_ms)) = (beyond.copied(), self.origin_ms) else {
            return;
        };
        let start_ms = origin_ms + start_s * 1000.0;
        if start_s - position_s < SLIVER_S || self.all_fetched_before(start_ms - 100.0) {
            self.seek_element(start_ms + 10.0);
        }
    }

    pub(super) fn evict(&mut self, now: u64) {
        let end = self.position_s() - self.room.back_s;
        let first = self
            .seen
            .buffered
            .first()
            .map_or(f64::MAX, |(start, _)| *start);
        if now < self.room.evicted_at + EVICT_EVERY_MS || first + 5.0 > end {
            return;
        }
        self.room.evicted_at = now;
        for t in 0..self.tracks.len() {
            self.forget(self.tracks[t].kind, end);
        }
    }

    fn forget(&mut self, track: TrackKind, end: f64) {
        let start = 0.0;
        self.commands.push(Command::Remove { track, start, end });
    }
}
