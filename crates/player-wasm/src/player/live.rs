//! Where to begin, and how to stay at the live edge.

use super::{Phase, Player};
use crate::command::Command;
use crate::latency::{Adjustment, Standing};

/// Time between two jumps that nobody asked for, in ms.
const JUMP_EVERY_MS: u64 = 3000;
/// How late playback may begin, in ms.
const START_LATE_MS: f64 = 200.0;
/// Part duration assumed of a playlist without parts, in ms, and its hold back in target durations.
const NO_PART_MS: f64 = 1000.0;
const NO_PART_HOLD_BACK: f64 = 3.0;
/// Difference from the usual speed that nobody chose.
const SPEED_TOLERANCE: f64 = 0.01;

impl Player {
    /// The viewer wants the live edge.
    pub fn go_live(&mut self, now: u64) {
        if self.is_live() && self.origin_ms.is_some() {
            self.following = true;
            if let Some(edge_ms) = self.edge_ms() {
                self.jump(now, edge_ms - self.distance_ms(now));
            }
            self.commands.push(Command::Changed);
            self.plan(now);
        }
    }

    /// The end of what every track has.
    pub(super) fn edge_ms(&self) -> Option<f64> {
        self.tracks
            .iter()
            .map(|track| track.timeline().end_ms())
            .try_fold(f64::MAX, |edge, end| Some(edge.min(end?)))
    }

    /// Declared part duration and hold back of the picture, in ms.
    pub(super) fn pace_ms(&self) -> (f64, f64) {
        let Some(video) = self.tracks.first() else {
            return (NO_PART_MS, NO_PART_MS);
        };
        let timeline = video.timeline();
        let target_s = timeline.target_duration;
        match (timeline.part_target, timeline.control.part_hold_back) {
            (Some(part), hold_back) => (part * 1000.0, hold_back.unwrap_or(3.0 * part) * 1000.0),
            (None, _) => {
                let hold_back = timeline
                    .control
                    .hold_back
                    .unwrap_or(NO_PART_HOLD_BACK * target_s);
                (target_s * 500.0, hold_back * 1000.0)
            }
        }
    }

    /// How far behind the end of what is listed to play, in ms.
    pub(super) fn distance_ms(&self, now: u64) -> f64 {
        let (part_ms, hold_back_ms) = self.pace_ms();
        self.latency.distance_ms(now, part_ms, hold_back_ms)
    }

    /// Once the playlists are in, finds the place to begin.
    pub(super) fn begin(&mut self) {
        if self.origin_ms.is_some() || self.tracks.iter().any(|track| track.timeline().is_empty()) {
            return;
        }
        let Some(start_ms) = self.tracks[0].timeline().start_ms() else {
            return;
        };
        self.origin_ms = Some(start_ms);
        self.tell_duration();
        let wished = self
            .edge_ms()
            .and_then(|end_ms| self.wished_start(start_ms, end_ms));
        if let Some(wished_ms) = wished {
            self.following = false;
            self.relocate_all(wished_ms);
        } else if self.is_live() {
            self.jump_to_edge();
        } else {
            for t in 0..self.tracks.len() {
                self.relocate(t, start_ms);
            }
        }
    }

    /// Tells how long the whole is.
    pub(super) fn tell_duration(&mut self) {
        let seconds = self.edge_ms().zip(self.origin_ms);
        let seconds = seconds.map(|(end, start)| (end - start) / 1000.0);
        let seconds = seconds.filter(|_| !self.is_live());
        self.commands.push(Command::Duration(seconds));
    }

    /// Goes to the live edge, wherever playback is.
    pub(super) fn jump_to_edge(&mut self) {
        let (_, hold_back_ms) = self.pace_ms();
        if let (Some(edge_ms), Some(start_ms)) =
            (self.edge_ms(), self.tracks[0].timeline().start_ms())
        {
            self.following = true;
            self.relocate_all((edge_ms - hold_back_ms).max(start_ms));
        }
    }

    /// Until the first frame nobody sees a seek, so the time that loading took is skipped.
    pub(super) fn keep_up_while_starting(&mut self, now: u64) {
        if self.meter.startup_ms().is_some() || !self.is_following() {
            return;
        }
        let (Some(edge_ms), Some(playhead_ms)) = (self.edge_ms(), self.playhead_ms()) else {
            return;
        };
        let target_ms = edge_ms - self.distance_ms(now);
        if target_ms > playhead_ms + START_LATE_MS {
            self.seek_element(target_ms);
        }
    }

    /// Keeps the latency while following the live edge.
    pub(super) fn steer(&mut self, now: u64) {
        let speed = self.speed();
        self.heed_speed(now, speed);
        let follows = self.is_following()
            && !self.seen.paused
            && self.pending_seek.is_none()
            && self.phase != Phase::Away;
        let adjustment = match self.latency_ms(now).filter(|_| follows) {
            Some(latency_ms) => {
                let (part_ms, hold_back_ms) = self.pace_ms();
                let buffer_ms = self.buffer_s() * 1000.0;
                let standing = Standing {
                    latency_ms,
                    buffer_ms,
                    part_ms,
                    hold_back_ms,
                };
                self.latency.steer(now, standing)
            }
            // Without dates only what is far behind can be told.
            None if follows && self.lags_by_segments() => Adjustment::Seek,
            None => Adjustment::Rate(1.0),
        };
        match adjustment {
            // At the live edge nothing is faster than live, whatever speed was chosen.
            Adjustment::Rate(rate) if follows => self.set_rate(rate / speed),
            Adjustment::Rate(rate) => self.set_rate(rate),
            Adjustment::Seek => {
                self.set_rate(1.0);
                if now >= self.last_jump_at + JUMP_EVERY_MS && self.edge_is_ahead_by(1000.0) {
                    self.go_live(now);
                }
            }
        }
    }

    /// The speed that the viewer chose.
    fn speed(&self) -> f64 {
        let speed = self.seen.playback_rate / self.rate;
        let usual = (speed - 1.0).abs() < SPEED_TOLERANCE || !speed.is_finite();
        if usual { 1.0 } else { speed.max(0.1) }
    }

    /// Who plays slower does not want to stay at the live edge; who plays faster arrives there.
    fn heed_speed(&mut self, now: u64, speed: f64) {
        let arrives = || {
            let behind_ms = self.edge_ms().zip(self.playhead_ms());
            let distance_ms = self.distance_ms(now);
            behind_ms.is_some_and(|(edge, playhead)| edge - playhead <= distance_ms)
        };
        let follows = match self.following {
            true => speed >= 1.0,
            false => speed > 1.0 && self.is_live() && !self.seen.paused && arrives(),
        };
        if follows != self.following && self.meter.startup_ms().is_some() {
            self.following = follows;
            self.commands.push(Command::Changed);
        }
    }

    fn lags_by_segments(&self) -> bool {
        let segment_ms = self.tracks[0].segment_s() * 1000.0;
        self.edge_is_ahead_by(3.0 * segment_ms.max(2000.0))
    }

    /// Whether the playlist reaches further than the playhead by more than the distance to keep
    /// and this many ms: if it does not, a seek would gain nothing.
    fn edge_is_ahead_by(&self, ms: f64) -> bool {
        let (_, hold_back_ms) = self.pace_ms();
        match (self.edge_ms(), self.playhead_ms()) {
            (Some(edge), Some(playhead)) => edge - playhead > hold_back_ms + ms,
            _ => false,
        }
    }

    fn set_rate(&mut self, rate: f64) {
        if self.rate != rate {
            self.rate = rate;
            self.commands.push(Command::Rate(rate));
        }
    }
}
