//! What to do when the browser cannot decode: the MediaSource is made anew at the same place, and
//! what fails again is left out.

use super::Player;
use super::requests::Purpose;
use crate::command::{Command, TrackKind};

/// Failures that this many ms lie between have nothing to do with each other.
const APART_MS: u64 = 60_000;
/// Most segments that are remembered as not to be decoded.
const MOST_SHUNNED: usize = 16;
/// Failures in a row that are made good.
const GIVE_UP: u32 = 6;

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    count: u32,
    last_at: u64,
}

impl Player {
    /// The browser could not decode: `track` names the SourceBuffer if it happened while appending.
    /// Answers whether another attempt is made.
    pub fn decode_failed(&mut self, now: u64, track: Option<TrackKind>) -> bool {
        let failures = &mut self.decode_failures;
        if now > failures.last_at + APART_MS {
            failures.count = 0;
        }
        failures.count += 1;
        failures.last_at = now;
        let again = failures.count > 1;
        if failures.count > GIVE_UP {
            return false;
        }
        let Some(playhead_ms) = self.playhead_ms() else {
            return false;
        };
        if again {
            self.shun(now, track, playhead_ms);
        }
        self.commands.push(Command::Changed);
        for t in 0..self.tracks.len() {
            self.rewind(t, None);
        }
        self.seen.buffered.clear();
        self.seen.ready_state = 0;
        self.open();
        self.tell_duration();
        self.relocate_all(playhead_ms);
        self.plan(now);
        true
    }

    /// Leaves out the segment that was being appended, or the one being played: another rendition
    /// fills its place, or nothing.
    fn shun(&mut self, now: u64, track: Option<TrackKind>, playhead_ms: f64) {
        let kind = track.unwrap_or(TrackKind::Video);
        let Some(t) = self.tracks.iter().position(|track| track.kind == kind) else {
            return;
        };
        let appended = self
            .requests
            .iter()
            .find_map(|request| match &request.purpose {
                Purpose::Media { track: of, item } if *of == t => Some(item.position.msn),
                _ => None,
            });
        let track_of = &mut self.tracks[t];
        let played = track_of.timeline().msn_at(playhead_ms);
        let msn = appended.filter(|_| track.is_some()).unwrap_or(played);
        let active = track_of.active;
        track_of.shunned.push((active, msn));
        let kept = track_of.shunned.len().saturating_sub(MOST_SHUNNED);
        track_of.shunned.drain(..kept);
        track_of.renditions[active].avoid(now);
    }
}
