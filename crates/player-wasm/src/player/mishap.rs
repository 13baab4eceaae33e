//! What to do when media is missing, late or refused.

use alloc::vec::Vec;

use super::loading::stands_still;
use super::requests::Purpose;
use super::track::{Item, Rendition, Track};
use super::{Failure, Phase, Player};
use crate::command::{Command, RequestId};
use crate::timeline::Position;
use crate::url::resolve;

/// With less than this buffered, in seconds, a rendition that lags behind the others is left.
const LAGGARD_BUFFER_S: f64 = 0.5;
/// How long to wait for word from other renditions about a hole, in ms.
const HOLE_MS: u64 = 1500;
/// Failures of one piece of media after which it is looked for elsewhere.
const GIVE_UP: u32 = 3;
/// With less than this many segments buffered, other renditions are asked for what the playlist of
/// the active one has not told of for long, and how often, in ms.
const SHORT_SEGMENTS: f64 = 1.5;
const LOOK_ELSEWHERE_EVERY_MS: u64 = 8000;

/// What became of looking for another rendition.
enum Other {
    /// It is the active one now.
    Taken,
    /// Its playlist is on the way.
    Asked,
    /// There is none that has the segment.
    None,
}

impl Player {
    /// Deals with a segment that is missing at the cursor; says whether there is something to
    /// fetch now. Another rendition fills it, or it is skipped.
    pub(super) fn hole(&mut self, now: u64, t: usize) -> bool {
        match self.turn_to_another(now, t) {
            Other::Taken => return true,
            Other::Asked => return false,
            Other::None => {}
        }
        let track = &mut self.tracks[t];
        // Everyone misses it, so nobody is to blame.
        for rendition in &mut track.renditions {
            (rendition.absent_until, rendition.absences) = (0, 0);
        }
        track.hole_since = None;
        track.cursor = Position {
            msn: track.cursor.msn + 1,
            part: 0,
        };
        true
    }

    /// Goes on at the cursor's segment with another rendition that has it.
    fn turn_to_another(&mut self, now: u64, t: usize) -> Other {
        let track = &mut self.tracks[t];
        let (msn, active) = (track.cursor.msn, track.active);
        // The next lower rendition is the surest to arrive in time.
        let others = (0..active).rev().chain(active + 1..track.renditions.len());
        let mut unknown = None;
        for r in others {
            let other = &track.renditions[r];
            match other.timeline.get(msn) {
                Some(segment) if segment.gap => {}
                Some(_) if track.shunned.contains(&(r, msn)) => {}
                Some(_) => {
                    track.renditions[active].absent(now);
                    track.cursor.part = 0;
                    self.turn(t, r);
                    return Other::Taken;
                }
                None if other.timeline.ended || other.timeline.first_msn() > msn => {}
                None => unknown = unknown.or(Some(r)),
            }
        }
        let since = *track.hole_since.get_or_insert(now);
        match unknown.filter(|_| now < since + HOLE_MS) {
            Some(r) => {
                track.wanted = r;
                self.plan_reload(now, t, r);
                Other::Asked
            }
            None => Other::None,
        }
    }

    /// Does not wait for a part that is late while others have it and the buffer runs out: the
    /// encoder of this rendition may have died, which its own playlist cannot tell yet.
    pub(super) fn leave_laggard(&mut self, now: u64, t: usize) {
        let track = &self.tracks[t];
        let timeline = track.timeline();
        let started = self.meter.startup_ms().is_some();
        if !started || timeline.ended || self.buffer_s() > LAGGARD_BUFFER_S {
            return;
        }
        let mut awaited = self
            .requests
            .iter()
            .filter_map(|request| match &request.purpose {
                Purpose::Media { track, item } if *track == t && item.hinted => Some(item.position),
                _ => None,
            });
        let awaited = awaited.next().unwrap_or(track.cursor);
        let (Some(worst_lag_ms), Some(part_s)) =
            (self.latency.worst_lag_ms(), timeline.part_target)
        else {
            return;
        };
        let due_ms = timeline.end_ms().unwrap_or(0.0) + 1250.0 * part_s + worst_lag_ms;
        let others = track
            .renditions
            .iter()
            .enumerate()
            .filter(|(r, _)| *r != track.active);
        let late = awaited >= timeline.edge()
            && self.clock.server_ms(now) > due_ms
            && others
                .map(|(_, r)| self.reported_edge(&r.url))
                .any(|edge| edge > Some(awaited));
        if !late {
            return;
        }
        let kept = core::mem::replace(&mut self.tracks[t].cursor, awaited);
        match self.turn_to_another(now, t) {
            Other::Taken => {
                self.rewind(t, None);
                self.tracks[t].cursor = Position {
                    msn: awaited.msn,
                    part: 0,
                };
            }
            Other::Asked | Other::None => self.tracks[t].cursor = kept,
        }
    }

    /// Turns to a rendition that goes on where the playlist of the active one stands still.
    pub(super) fn leave_still(&mut self, now: u64, t: usize) {
        let track = &self.tracks[t];
        let timeline = track.timeline();
        let short_s = SHORT_SEGMENTS * track.segment_s();
        if timeline.ended
            || track.cursor < timeline.edge()
            || self.buffer_s() > short_s
            || !stands_still(now, track.rendition())
        {
            return;
        }
        let (cursor, active) = (track.cursor, track.active);
        let goes_on = |r: &Rendition| {
            let segment = r.timeline.get(cursor.msn);
            r.timeline.edge() > cursor && segment.is_some_and(|segment| !segment.gap)
        };
        if let Some(r) = track.renditions.iter().position(goes_on) {
            self.rewind(t, None);
            self.turn(t, r);
            let track = &mut self.tracks[t];
            track.renditions[active].avoid(now);
            track.cursor = Position { part: 0, ..cursor };
            return;
        }
        // They are asked one after the other, the one least heard of first.
        let track = &mut self.tracks[t];
        match track.hole_since {
            Some(since) if now > since + 2 * HOLE_MS => {
                let asked = &mut track.renditions[track.wanted];
                asked.advanced_at = asked.advanced_at.max(since);
                track.hole_since = None;
                track.looked_elsewhere_at = now;
            }
            None if now >= track.looked_elsewhere_at + LOOK_ELSEWHERE_EVERY_MS => {
                let others = (0..track.renditions.len()).filter(|r| *r != active);
                let asked = others.min_by_key(|r| track.renditions[*r].advanced_at);
                if let Some(asked) = asked {
                    track.hole_since = Some(now);
                    track.wanted = asked;
                    self.plan_reload(now, t, asked);
                }
            }
            _ => {}
        }
    }

    /// The furthest that any playlist reports of another rendition: the part that comes next.
    fn reported_edge(&self, url: &str) -> Option<Position> {
        let active = self.tracks.iter().map(Track::rendition);
        let reports = active.flat_map(|r| r.timeline.reports.iter().map(move |report| (r, report)));
        let ours = reports.filter(|(r, report)| resolve(&r.url, &report.uri) == url);
        let edges = ours.filter_map(|(_, report)| {
            let part = u32::try_from(report.last_part?).ok()?;
            Some(Position {
                msn: report.last_msn?,
                part: part + 1,
            })
        });
        edges.max()
    }

    /// The cursor's segment has left the playlist.
    pub(super) fn lost(&mut self, t: usize) {
        if self.is_live() {
            self.jump_to_edge();
        } else {
            let first = self.tracks[t].timeline().first_msn();
            self.tracks[t].cursor = Position {
                msn: first,
                part: 0,
            };
        }
    }

    pub(super) fn request_failed(&mut self, now: u64, id: RequestId, failure: Failure) {
        let Some(request) = self.take_request(id) else {
            return;
        };
        self.waste(&request);
        if request.excused && !matches!(failure, Failure::Status(_)) {
            return self.ask_again(request.purpose);
        }
        match request.purpose {
            Purpose::Multivariant => {
                self.multivariant_retry.failed(now);
                let not_yet = matches!(failure, Failure::Status(404));
                self.set_phase(if not_yet {
                    Phase::Waiting
                } else {
                    Phase::Trouble(failure)
                });
            }
            Purpose::Playlist { track, rendition } => {
                let needed = rendition == self.tracks[track].active;
                let rendition = &mut self.tracks[track].renditions[rendition];
                rendition.retry.failed(now);
                rendition.wants_whole = true;
                let waited_ms = now.saturating_sub(request.sent_at) as f64;
                if failure == Failure::Status(503)
                    && waited_ms >= rendition.timeline.target_duration * 1000.0
                    && !rendition.timeline.is_empty()
                {
                    // Servers say so when there was nothing new for long.
                    rendition.repeats = true;
                    return;
                }
                rendition.astray = matches!(failure, Failure::Status(400..500));
                let (failures, never) = (rendition.retry.failures(), rendition.timeline.is_empty());
                match failure {
                    // Created, but nothing pushed yet.
                    Failure::Status(404) if never => self.set_phase(Phase::Waiting),
                    _ if failures > 3 && needed => self.set_phase(Phase::Trouble(failure)),
                    _ => {}
                }
            }
            Purpose::Init {
                track, rendition, ..
            } => {
                self.rewind(track, None);
                self.tracks[track].retry.failed(now);
                self.pass_by(now, track, rendition, failure);
            }
            Purpose::Media { track, item } => self.media_failed(now, track, *item, failure),
            source => self.source_failed(now, &source, failure),
        }
    }

    /// Asks again for what was under way while the page slept.
    fn ask_again(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Multivariant
            | Purpose::Manifest
            | Purpose::Clock
            | Purpose::Index { .. }
            | Purpose::Probe { .. } => {}
            Purpose::Playlist { track, rendition } => {
                self.tracks[track].renditions[rendition].wants_whole = true;
            }
            Purpose::Init { track, .. } => self.rewind(track, None),
            Purpose::Media { track, item } => self.rewind(track, Some(&item)),
        }
    }

    fn media_failed(&mut self, now: u64, t: usize, item: Item, failure: Failure) {
        let gone = matches!(failure, Failure::Status(404 | 410));
        self.rewind(t, Some(&item));
        let track = &mut self.tracks[t];
        if gone && item.hinted && !item.whole {
            // The segment ended before this part: the playlist will tell.
            track.refused_hint = Some(item.position);
            return;
        }
        track.retry.failed(now);
        self.pass_by(now, t, item.rendition, failure);
    }

    /// What fails again and again is looked for in another rendition, and else passed by.
    fn pass_by(&mut self, now: u64, t: usize, rendition: usize, failure: Failure) {
        self.trouble(t, failure);
        let track = &mut self.tracks[t];
        // Without a network nothing else would be answered either.
        if failure == Failure::Network || track.retry.failures() < GIVE_UP {
            return;
        }
        let failed = Position {
            msn: track.cursor.msn,
            part: 0,
        };
        if !track.turned {
            track.renditions[rendition].absent(now);
            match self.turn_to_another(now, t) {
                Other::Taken => {
                    let track = &mut self.tracks[t];
                    track.turned = true;
                    track.retry.succeeded();
                    return;
                }
                Other::Asked => return,
                Other::None => {}
            }
        }
        let track = &mut self.tracks[t];
        track.hole_since = None;
        track.doubt(failed);
    }

    /// A playlist has told more of the segments that hinted parts begin. What was asked for under a
    /// wrong assumption is asked for again.
    pub(super) fn confirm(&mut self, t: usize) {
        let track = &self.tracks[t];
        let begun = self
            .requests
            .iter()
            .find_map(|request| match &request.purpose {
                Purpose::Media { track: of, item } if *of == t && item.hinted => {
                    (item.position.part == 0 && !track.foresees(item))
                        .then(|| (request.id, track.belies(item)))
                }
                _ => None,
            });
        match begun {
            Some((_, true)) => self.rewind(t, None),
            Some((id, false)) => self.commands.push(Command::Release { id }),
            None => {}
        }
    }

    fn trouble(&mut self, t: usize, failure: Failure) {
        if self.tracks[t].retry.failures() > GIVE_UP {
            self.set_phase(Phase::Trouble(failure));
        }
    }

    /// Drops what is under way for a track, and puts the cursor where the earliest of it began.
    pub(super) fn rewind(&mut self, t: usize, failed: Option<&Item>) {
        let of_track = |purpose: &Purpose| purpose.append_track() == Some(t);
        let dropped: Vec<(RequestId, Option<Position>)> = self
            .requests
            .iter()
            .filter(|request| of_track(&request.purpose))
            .map(|request| match &request.purpose {
                Purpose::Media { item, .. } => (request.id, Some(item.position)),
                _ => (request.id, None),
            })
            .collect();
        let positions = dropped.iter().filter_map(|(_, position)| *position);
        if let Some(earliest) = positions.chain(failed.map(|item| item.position)).min() {
            self.tracks[t].cursor = earliest;
        }
        self.tracks[t].map = None;
        for (id, _) in dropped {
            self.abort(id);
        }
        if failed.is_some_and(|item| item.rendition != self.tracks[t].active) {
            self.tracks[t].cursor.part = 0;
        }
    }

    /// Drops what is under way for a track, and goes on from another place.
    pub(super) fn relocate(&mut self, t: usize, instant_ms: f64) {
        self.rewind(t, None);
        let track = &mut self.tracks[t];
        track.cursor = track.timeline().entry(instant_ms);
        track.refused_hint = None;
        track.hole_since = None;
        track.retry.succeeded();
        self.end_of_stream = false;
    }
}
