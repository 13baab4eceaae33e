//! Where to play: beginning, the live edge, seeks, holes, what to forget; and what to report.

use super::track::Track;
use super::{Observation, Phase, Player};
use crate::abr::Rung;
use crate::command::{Command, TrackKind};
use crate::latency::{Adjustment, Standing};
use crate::meter::{Finding, Glance};
use crate::outbox::EventKind;

/// How much of what was played stays buffered, in seconds.
const BACK_BUFFER_S: f64 = 30.0;
/// How often old media is removed, in ms.
const EVICT_EVERY_MS: u64 = 5000;
/// Time between two jumps that nobody asked for, in ms.
const JUMP_EVERY_MS: u64 = 3000;
/// How often quality is reported while playing, in ms.
const REPORT_EVERY_MS: u64 = 10_000;
/// How long a seek may take until it is asked for again, in ms.
const SEEK_MS: u64 = 3000;
/// How late playback may begin, in ms.
const START_LATE_MS: f64 = 200.0;
/// A hole that nobody would notice, in seconds.
const SLIVER_S: f64 = 0.3;
/// Part duration assumed of a playlist without parts, in ms, and its hold back in target durations.
const NO_PART_MS: f64 = 1000.0;
const NO_PART_HOLD_BACK: f64 = 3.0;

/// The renditions as the choice sees them.
pub(super) fn rungs(track: &Track, now: u64) -> Vec<Rung> {
    let rung = |r: &super::Rendition| Rung {
        bits_per_s: r.bits_per_s,
        usable: now >= r.absent_until,
    };
    track.renditions.iter().map(rung).collect()
}

impl Player {
    /// Looks at the media element: every 250 ms, and when an event of it says that something has
    /// changed.
    pub fn observe(&mut self, now: u64, seen: Observation) {
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
        }
        self.plan(now);
    }

    /// The first frame is on the screen.
    pub fn rendered(&mut self, now: u64) {
        let Some(startup_ms) = self.meter.rendered(now) else {
            return;
        };
        if !self.viewed {
            self.viewed = true;
            self.outbox.push(now, EventKind::View, None);
        }
        self.outbox.push(now, EventKind::Startup, Some(startup_ms));
        self.reported_at = now;
        self.commands.push_back(Command::Changed);
        self.plan(now);
    }

    /// The viewer pauses: what comes next will not be the live edge unless they ask for it.
    pub fn paused(&mut self, now: u64) {
        if self.meter.startup_ms().is_some() {
            self.following = false;
        }
        self.commands.push_back(Command::Changed);
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
        self.commands.push_back(Command::Changed);
        self.plan(now);
    }

    /// The viewer wants the live edge.
    pub fn go_live(&mut self, now: u64) {
        if self.is_live() && self.origin_ms.is_some() {
            self.following = true;
            if let Some(edge_ms) = self.edge_ms() {
                self.jump(now, edge_ms - self.distance_ms(now));
            }
            self.commands.push_back(Command::Changed);
            self.plan(now);
        }
    }

    /// The SourceBuffer has no room.
    pub fn quota_exceeded(&mut self, track: TrackKind) {
        let position_s = self.position_s();
        let end = (position_s - 2.0).max(0.1);
        self.commands.push_back(Command::Remove {
            track,
            start: 0.0,
            end,
        });
    }

    /// Seconds buffered ahead of the playhead.
    pub fn buffer_s(&self) -> f64 {
        let position_s = self.position_s();
        let around = |(start, end): &&(f64, f64)| *start <= position_s + 0.1 && *end > position_s;
        self.seen
            .buffered
            .iter()
            .find(around)
            .map_or(0.0, |(_, end)| end - position_s)
    }

    pub(super) fn playhead_ms(&self) -> Option<f64> {
        self.origin_ms
            .map(|origin| origin + self.position_s() * 1000.0)
    }

    fn position_s(&self) -> f64 {
        self.pending_seek
            .map_or(self.seen.current_time_s, |(to_s, _)| to_s)
    }

    /// The end of what every track has.
    pub(super) fn edge_ms(&self) -> Option<f64> {
        self.tracks
            .iter()
            .map(|track| track.timeline().end_ms())
            .try_fold(f64::MAX, |edge, end| Some(edge.min(end?)))
    }

    /// Declared part duration and hold back of the picture, in ms.
    fn pace_ms(&self) -> (f64, f64) {
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

    fn distance_ms(&self, now: u64) -> f64 {
        let (part_ms, hold_back_ms) = self.pace_ms();
        self.latency.distance_ms(now, part_ms, hold_back_ms)
    }

    /// Once the playlists are in, finds the place to begin.
    pub(super) fn begin(&mut self) {
        if self.origin_ms.is_some() || self.tracks.iter().any(|track| track.timeline().is_empty()) {
            return;
        }
        let start = self.tracks[0].timeline().start_ms();
        let (Some(start_ms), Some(end_ms)) = (start, self.edge_ms()) else {
            return;
        };
        self.origin_ms = Some(start_ms);
        if self.is_live() {
            self.commands.push_back(Command::Duration(None));
            self.jump_to_edge();
        } else {
            self.commands
                .push_back(Command::Duration(Some((end_ms - start_ms) / 1000.0)));
            for t in 0..self.tracks.len() {
                self.relocate(t, start_ms);
            }
        }
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

    fn relocate_all(&mut self, instant_ms: f64) {
        for t in 0..self.tracks.len() {
            self.relocate(t, instant_ms);
        }
        self.seek_element(instant_ms);
    }

    fn seek_element(&mut self, instant_ms: f64) {
        let Some(origin_ms) = self.origin_ms else {
            return;
        };
        let to_s = ((instant_ms - origin_ms) / 1000.0).max(0.0);
        self.pending_seek = Some((to_s, None));
        self.settling = true;
        self.commands.push_back(Command::Seek(to_s));
    }

    /// Plays from an instant: at once if it is buffered up to what comes next, else by fetching it.
    fn jump(&mut self, now: u64, instant_ms: f64) {
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
            wants_to_play: !seen.paused && !seen.ended && !self.settling,
            has_data,
        };
        match self.meter.observe(now, glance) {
            Finding::Nothing => {}
            Finding::StallBegan => {
                self.abr.stalled(now);
                if self.phase != Phase::Away {
                    self.latency.stalled(now);
                }
                self.commands.push_back(Command::Changed);
            }
            Finding::StallEnded(ms) => {
                self.outbox.push(now, EventKind::Stall, Some(ms));
                self.commands.push_back(Command::Changed);
            }
        }
        if now >= self.reported_at + REPORT_EVERY_MS {
            self.report_quality(now);
        }
    }

    /// Reports time watched since the last report, and what it was like.
    pub(super) fn report_quality(&mut self, now: u64) {
        self.reported_at = now;
        let watched_ms = self.meter.watched_ms();
        if watched_ms <= self.reported_watch_ms {
            return;
        }
        self.outbox.push(
            now,
            EventKind::Watch,
            Some(watched_ms - self.reported_watch_ms),
        );
        self.reported_watch_ms = watched_ms;
        if let Some(video) = self.tracks.first() {
            let kbit = video.rendition().bits_per_s / 1000.0;
            self.outbox.push(now, EventKind::Bitrate, Some(kbit as u64));
        }
        if let Some(latency) = self.latency_ms(now).filter(|_| self.following) {
            self.outbox
                .push(now, EventKind::Latency, Some(latency.max(0.0) as u64));
        }
    }

    pub(super) fn post_due_at(&self, now: u64) -> Option<u64> {
        let due = self.outbox.due_at().filter(|_| !self.posting)?;
        Some(due.max(self.post_retry.due_at(now).unwrap_or(0)))
    }

    pub(super) fn plan_post(&mut self, now: u64) {
        if self.post_due_at(now).is_some_and(|due| due <= now) {
            self.posting = true;
            self.commands.push_back(Command::Post(self.outbox.batch()));
        }
    }

    /// Chooses the rendition to go on with.
    pub(super) fn want(&mut self, now: u64) {
        let buffer_s = self.buffer_s();
        let video = &mut self.tracks[0];
        if video.hole_since.is_some() {
            return;
        }
        let rungs = rungs(video, now);
        let chosen = self
            .chosen
            .filter(|chosen| rungs.get(*chosen).is_some_and(|r| r.usable));
        video.wanted = match (chosen, self.chosen) {
            (Some(chosen), _) => chosen,
            // What was insisted on has gaps: what fills them is played on.
            (None, Some(_)) => video.active,
            // What is wanted already counts as playing: it may still be on its way.
            (None, None) => self.abr.choose(now, &rungs, video.wanted, buffer_s),
        };
    }

    /// Until the first frame nobody sees a seek, so the time that loading took is skipped.
    fn keep_up_while_starting(&mut self, now: u64) {
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
    fn steer(&mut self, now: u64) {
        let follows = self.is_following() && !self.seen.paused && self.pending_seek.is_none();
        let latency_ms = self
            .latency_ms(now)
            .filter(|_| follows && self.phase != Phase::Away);
        let Some(latency_ms) = latency_ms else {
            return self.set_rate(1.0);
        };
        let (part_ms, hold_back_ms) = self.pace_ms();
        let buffer_ms = self.buffer_s() * 1000.0;
        let standing = Standing {
            latency_ms,
            buffer_ms,
            part_ms,
            hold_back_ms,
        };
        match self.latency.steer(now, standing) {
            Adjustment::Rate(rate) => self.set_rate(rate),
            Adjustment::Seek => {
                self.set_rate(1.0);
                if now >= self.last_jump_at + JUMP_EVERY_MS && self.edge_is_ahead() {
                    self.go_live(now);
                }
            }
        }
    }

    /// Whether the playlist reaches further than the playhead by more than the distance to keep:
    /// if it does not, a seek would gain nothing.
    fn edge_is_ahead(&self) -> bool {
        let (_, hold_back_ms) = self.pace_ms();
        match (self.edge_ms(), self.playhead_ms()) {
            (Some(edge), Some(playhead)) => edge - playhead > hold_back_ms + 1000.0,
            _ => false,
        }
    }

    fn set_rate(&mut self, rate: f64) {
        if self.rate != rate {
            self.rate = rate;
            self.commands.push_back(Command::Rate(rate));
        }
    }

    /// Where the playhead stands before a hole that nothing will fill, goes to its other side.
    fn cross_hole(&mut self) {
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

    fn evict(&mut self, now: u64) {
        let end = self.position_s() - BACK_BUFFER_S;
        let first = self
            .seen
            .buffered
            .first()
            .map_or(f64::MAX, |(start, _)| *start);
        if now < self.evicted_at + EVICT_EVERY_MS || first + 5.0 > end {
            return;
        }
        self.evicted_at = now;
        for track in &self.tracks {
            self.commands.push_back(Command::Remove {
                track: track.kind,
                start: 0.0,
                end,
            });
        }
    }
}
