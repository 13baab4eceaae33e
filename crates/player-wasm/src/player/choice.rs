//! Which rendition to go on with: the viewer's, or what the [`Abr`](crate::abr::Abr) makes of the
//! situation.

use super::Player;
use crate::abr::{Live, Rung, Situation};
use crate::command::Command;

impl Player {
    /// Plays this rendition of the list that [`Self::renditions`] gives; `None` leaves the choice
    /// to the player.
    pub fn choose(&mut self, now: u64, rendition: Option<usize>) {
        let count = self
            .tracks
            .first()
            .map_or(0, |video| video.renditions.len());
        self.chosen = rendition.filter(|chosen| *chosen < count);
        self.commands.push(Command::Changed);
        self.plan(now);
    }

    /// What the choice depends on. There is a picture.
    pub(super) fn situation<'a>(&self, now: u64, rungs: &'a [Rung]) -> Situation<'a> {
        let video = &self.tracks[0];
        let latency_ms = self.latency_ms(now).zip(self.target_latency_ms(now));
        let live = latency_ms.map(|(latency_ms, target_ms)| Live {
            latency_s: latency_ms / 1000.0,
            target_s: target_ms / 1000.0,
        });
        let forward_s = self.forward_ms() / 1000.0;
        Situation {
            rungs,
            active: video.wanted,
            buffer_s: self.buffer_s(),
            capacity_s: live.map_or(forward_s, |live| live.target_s.min(forward_s)),
            segment_s: video.segment_s(),
            left_s: self.left_s(),
            rate: self.seen.playback_rate,
            live,
        }
    }

    /// Media of the picture still to be fetched, in seconds.
    fn left_s(&self) -> f64 {
        let video = &self.tracks[0];
        let timeline = video.timeline();
        match (timeline.end_ms(), video.cursor_ms()) {
            (Some(end), Some(cursor)) if timeline.ended => (end - cursor) / 1000.0,
            _ => f64::INFINITY,
        }
    }

    /// Chooses the rendition to go on with.
    fn want(&mut self, now: u64) {
        let video = &self.tracks[0];
        if video.hole_since.is_some() {
            return;
        }
        let rungs = self.rungs(now);
        let chosen = self
            .chosen
            .filter(|chosen| rungs.get(*chosen).is_some_and(|r| r.usable));
        let wanted = match (chosen, self.chosen) {
            (Some(chosen), _) => chosen,
            // What was insisted on has gaps: what fills them is played on.
            (None, Some(_)) => video.active,
            // What is wanted already counts as playing: it may still be on its way.
            (None, None) => {
                let at = self.situation(now, &rungs);
                self.abr.choose(now, &at)
            }
        };
        self.tracks[0].wanted = wanted;
    }

    /// At the beginning of a segment, goes on with the rendition that is wanted.
    pub(super) fn maybe_switch(&mut self, now: u64, t: usize) {
        if t == 0 {
            self.want(now);
        } else {
            self.want_sound(now);
        }
        let track = &mut self.tracks[t];
        let (wanted, msn) = (track.wanted, track.cursor.msn);
        if wanted == track.active || track.cursor.part != 0 {
            return;
        }
        let timeline = &track.renditions[wanted].timeline;
        let ready = match timeline.get(msn) {
            Some(segment) if segment.gap => {
                track.renditions[wanted].absent(now);
                track.wanted = track.active;
                return;
            }
            Some(_) => true,
            // A transcoded rendition lags behind its source and is never ahead at a boundary.
            None => {
                let near_edge = timeline.edge().msn + 1 >= msn && msn >= timeline.first_msn();
                !timeline.is_empty() && !timeline.ended && near_edge
            }
        };
        if ready {
            self.turn(t, wanted);
        }
    }
}
