//! The media element: what is seen of it, where to seek, what playing was like.

use super::{Observation, Phase, Player};
use crate::command::Command;
use crate::meter::{Finding, Glance};
use crate::outbox::EventKind;

/// How long a seek may take until it is asked for again, in ms.
const SEEK_MS: u64 = 3000;

impl Player {
    /// Looks at the media element: every 250 ms, and when an event of it says that something has
    /// changed.
    pub fn observe(&mut self, now: u64, seen: Observation) {
        self.wake(now);
        self.seen = seen;
        self.paused_since = self.seen.paused.then(|| self.paused_since.unwrap_or(now));
        if let Some((to_s, since)) = self.pending_seek {
            let there = self.seen.ready_state > 0 && (self.seen.current_time_s - to_s).abs() < 1.0;
            let since = since.unwrap_or(now);
            let given_up = self.seen.ready_state > 0 && now > since + SEEK_MS;
            self.pending_seek = (!there && !given_up).then_some((to_s, Some(since)));
        }
        self.measure(now);
        if self.origin_ms.is_some() {
            self.keep_up_while_starting(now);
            self.steer(now);
            self.cross_hole();
            self.evict(now);
            self.consider_abandoning(now);
        }
        self.plan(now);
    }

    /// The first frame is on the screen.
    pub fn rendered(&mut self, now: u64) {
        if let Some(startup_ms) = self.meter.rendered(now) {
            self.note_startup(now, startup_ms);
            self.commands.push(Command::Changed);
            self.plan(now);
        }
    }

    /// The viewer pauses: what comes next will not be the live edge unless they ask for it.
    pub fn paused(&mut self, now: u64) {
        if self.meter.startup_ms().is_some() {
            self.following = false;
        }
        self.commands.push(Command::Changed);
        self.plan(now);
    }

    /// The viewer wants this position, in seconds.
    pub fn seek(&mut self, now: u64, to_s: f64) {
        let (Some(origin_ms), Some((start_s, end_s))) = (self.origin_ms, self.window_s()) else {
            return;
        };
        let live = self.is_live();
        let latest_s = if live {
            end_s - self.distance_ms(now) / 1000.0
        } else {
            end_s - 0.1
        };
        if live && to_s >= latest_s {
            return self.go_live(now);
        }
        self.following = false;
        self.jump(now, origin_ms + to_s.min(latest_s).max(start_s) * 1000.0);
        self.commands.push(Command::Changed);
        self.plan(now);
    }

    /// The date of the playhead on the playlist's clock.
    pub(super) fn playhead_ms(&self) -> Option<f64> {
        self.origin_ms
            .map(|origin| origin + self.position_s() * 1000.0)
    }

    pub(super) fn position_s(&self) -> f64 {
        self.pending_seek
            .map_or(self.seen.current_time_s, |(to_s, _)| to_s)
    }

    pub(super) fn relocate_all(&mut self, instant_ms: f64) {
        for t in 0..self.tracks.len() {
            self.relocate(t, instant_ms);
        }
        self.seek_element(instant_ms);
    }

    pub(super) fn seek_element(&mut self, instant_ms: f64) {
        let Some(origin_ms) = self.origin_ms else {
            return;
        };
        let to_s = ((instant_ms - origin_ms) / 1000.0).max(0.0);
        self.pending_seek = Some((to_s, None));
        self.settling = true;
        self.commands.push(Command::Seek(to_s));
    }

    /// Plays from an instant: at once if it is buffered up to what comes next, else by fetching it.
    pub(super) fn jump(&mut self, now: u64, instant_ms: f64) {
        let Some(origin_ms) = self.origin_ms else {
            return;
        };
        let to_s = (instant_ms - origin_ms) / 1000.0;
        let goes_on = self.seen.buffered.last().is_some_and(|(start, end)| {
            let end_ms = origin_ms + end * 1000.0;
            let reaches = |cursor: f64| cursor >= end_ms - 500.0;
            (*start..*end - 0.05).contains(&to_s)
                && self
                    .tracks
                    .iter()
                    .all(|track| track.cursor_ms().is_some_and(reaches))
        });
        self.last_jump_at = now;
        if goes_on {
            self.seek_element(instant_ms);
        } else {
            self.relocate_all(instant_ms);
        }
    }

    fn measure(&mut self, now: u64) {
        let seen = &self.seen;
        let has_data = seen.ready_state >= 3;
        // A seek takes until there is data at the other end, and is no stall.
        let seeks = seen.seeking || self.pending_seek.is_some();
        self.settling = seeks || self.settling && !has_data;
        let glance = Glance {
            current_time_s: seen.current_time_s,
            wants_to_play: !seen.paused && !seen.ended && !self.settling && self.attended,
            has_data,
        };
        match self.meter.observe(now, glance) {
            Finding::Nothing => {}
            Finding::StallBegan => {
                self.abr.stalled(now);
                if self.phase != Phase::Away {
                    self.latency.stalled(now);
                }
                self.commands.push(Command::Changed);
            }
            Finding::StallEnded(ms) => {
                self.note(now, EventKind::Stall, Some(ms));
                self.commands.push(Command::Changed);
            }
        }
        self.report_when_due(now);
    }
}
