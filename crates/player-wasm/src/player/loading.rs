//! What to fetch next: playlists, initialisation segments, media; and where it belongs.

use super::track::{Item, Next};
use super::{Phase, Player, Purpose};
use crate::command::{Command, RequestId};
use crate::outbox::push_number;
use crate::timeline::Position;
use crate::url::resolve;

/// Patience with an answer that the server has at hand, in ms.
const ANSWER_MS: u64 = 10_000;
/// How far ahead of the playhead media is fetched, in ms.
const FORWARD_MS: f64 = 30_000.0;
/// A live stream that has been paused this long is no longer followed, in ms.
const IDLE_MS: u64 = 30_000;
/// Difference between date and decode time that means another media timeline, in seconds.
const OTHER_TIMELINE_S: f64 = 0.5;

impl Player {
    /// Asks for everything that is due.
    pub(super) fn plan(&mut self, now: u64) {
        if self.tracks.is_empty() {
            let asked = self
                .requests
                .iter()
                .any(|r| matches!(r.purpose, Purpose::Multivariant));
            if !asked && self.multivariant_retry.is_due(now) {
                self.fetch(now, self.url.clone(), Purpose::Multivariant, ANSWER_MS);
            }
        } else if !self.is_idle(now) {
            for track in 0..self.tracks.len() {
                self.plan_reloads(now, track);
            }
            self.begin();
            for track in 0..self.tracks.len() {
                self.plan_media(now, track);
            }
            self.plan_end();
            self.update_phase();
        }
        self.plan_post(now);
    }

    fn is_idle(&self, now: u64) -> bool {
        let paused_ms = self
            .paused_since
            .map_or(0, |since| now.saturating_sub(since));
        paused_ms > IDLE_MS && self.is_live() && self.meter.startup_ms().is_some()
    }

    /// Keeps one reload of the active rendition under way, and of the one to switch to.
    fn plan_reloads(&mut self, now: u64, t: usize) {
        let track = &self.tracks[t];
        let (active, wanted) = (track.active, track.wanted);
        let leftover = track.renditions.iter().enumerate();
        let leftover = leftover.filter(|(r, _)| *r != active && *r != wanted);
        let leftover: Vec<RequestId> = leftover.filter_map(|(_, r)| r.reload).collect();
        for id in leftover {
            self.abort(id);
        }
        self.plan_reload(now, t, active);
        if wanted != active {
            self.plan_reload(now, t, wanted);
        }
    }

    pub(super) fn plan_reload(&mut self, now: u64, t: usize, r: usize) {
        let rendition = &self.tracks[t].renditions[r];
        let timeline = &rendition.timeline;
        let waits = rendition.reload.is_some()
            || timeline.ended
            || !rendition.retry.is_due(now)
            || now < rendition.reload_at;
        if waits {
            return;
        }
        let blocking = !timeline.is_empty() && timeline.control.can_block_reload;
        let (url, patience_ms) = if blocking {
            let edge = timeline.edge();
            let part = timeline.part_target.map(|_| edge.part);
            let skip = !rendition.wants_whole && timeline.control.can_skip_until.is_some();
            // A server gives up after three target durations.
            let patience_ms = (timeline.target_duration * 3000.0) as u64 + ANSWER_MS / 2;
            (
                positioned(&rendition.url, edge.msn, part, skip),
                patience_ms,
            )
        } else {
            (self.first_url(t, r), ANSWER_MS)
        };
        let purpose = Purpose::Playlist {
            track: t,
            rendition: r,
        };
        let id = self.fetch(now, url, purpose, patience_ms);
        self.tracks[t].renditions[r].reload = Some(id);
    }

    /// Where to load a playlist for the first time: at the position that the active rendition
    /// reports, which other viewers ask for too, so that a cache has it.
    fn first_url(&self, t: usize, r: usize) -> String {
        let track = &self.tracks[t];
        let (url, active) = (&track.renditions[r].url, track.rendition());
        let mut reports = active.timeline.reports.iter();
        let report = reports.find(|report| resolve(&active.url, &report.uri) == *url);
        match report.and_then(|report| Some((report.last_msn?, report.last_part))) {
            Some((msn, part)) if !active.timeline.ended => positioned(
                url,
                msn,
                part.and_then(|part| u32::try_from(part).ok()),
                false,
            ),
            _ => url.clone(),
        }
    }

    /// Fetches media of a track until enough is under way.
    fn plan_media(&mut self, now: u64, t: usize) {
        let Some(origin_ms) = self.origin_ms else {
            return;
        };
        self.leave_laggard(now, t);
        while self.tracks[t].retry.is_due(now) && self.has_room(t) {
            self.tracks[t].settle_cursor();
            self.maybe_switch(now, t);
            match self.tracks[t].next() {
                Next::Fetch(item) => {
                    let ahead_ms = item.start_ms - self.playhead_ms().unwrap_or(origin_ms);
                    if ahead_ms > FORWARD_MS || (item.whole && self.media_under_way(t) > 0) {
                        return;
                    }
                    self.fetch_media(now, t, item);
                }
                Next::Hole => {
                    if !self.hole(now, t) {
                        return;
                    }
                }
                Next::Lost => {
                    self.lost(t);
                    return;
                }
                Next::Wait | Next::End => return,
            }
        }
    }

    fn media_under_way(&self, t: usize) -> usize {
        let of_track =
            |purpose: &Purpose| matches!(purpose, Purpose::Media { track, .. } if *track == t);
        self.requests
            .iter()
            .filter(|request| of_track(&request.purpose))
            .count()
    }

    /// Two parts may be under way, so that the hinted one waits at the server while the one before
    /// it comes in; of whole segments only one, so that it has the connection to itself.
    fn has_room(&self, t: usize) -> bool {
        let whole = self.requests.iter().any(|request| {
            matches!(&request.purpose, Purpose::Media { track, item } if *track == t && item.whole)
        });
        !whole && self.media_under_way(t) < 2
    }

    fn fetch_media(&mut self, now: u64, t: usize, item: Box<Item>) {
        if item.map.is_some() && item.map != self.tracks[t].map {
            self.tracks[t].map.clone_from(&item.map);
            let url = item.map.clone().unwrap_or_default();
            self.fetch(now, url.clone(), Purpose::Init { track: t, url }, ANSWER_MS);
        }
        let track = &mut self.tracks[t];
        track.cursor = match item.whole {
            true => Position {
                msn: item.position.msn + 1,
                part: 0,
            },
            false => Position {
                part: item.position.part + 1,
                ..item.position
            },
        };
        track.hole_since = None;
        self.end_of_stream = false;
        self.fetch(
            now,
            item.url.clone(),
            Purpose::Media { track: t, item },
            ANSWER_MS,
        );
    }

    /// At the beginning of a segment, goes on with the rendition that is wanted.
    fn maybe_switch(&mut self, now: u64, t: usize) {
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
            track.active = wanted;
            track.refused_hint = None;
            self.latency.reset_arrivals();
            self.commands.push_back(Command::Changed);
        }
    }

    /// Puts a piece of media in its place: one offset serves every track of a discontinuity
    /// sequence, so that sound and picture keep together.
    pub(super) fn place(&mut self, t: usize, item: &Item, decode_time: u64) {
        let Some(origin_ms) = self.origin_ms else {
            return;
        };
        let scales = &self.timescales;
        let scale = scales
            .iter()
            .find(|(url, _)| item.map.as_ref() == Some(url));
        let Some((_, scale)) = scale else { return };
        let decode_s = decode_time as f64 / f64::from(*scale);
        let right = (item.start_ms - origin_ms) / 1000.0 - decode_s;
        let known = self
            .offsets
            .iter()
            .find(|(discontinuity, _)| *discontinuity == item.discontinuity);
        let offset = match known {
            Some((_, offset)) if (offset - right).abs() < OTHER_TIMELINE_S => *offset,
            _ => {
                self.offsets
                    .retain(|(discontinuity, _)| *discontinuity != item.discontinuity);
                self.offsets.push((item.discontinuity, right));
                right
            }
        };
        let track = &mut self.tracks[t];
        if track.offset != Some(offset) {
            track.offset = Some(offset);
            self.commands.push_back(Command::Offset {
                track: track.kind,
                seconds: offset,
            });
        }
    }

    /// Notes a piece of media that has been appended.
    pub(super) fn media_arrived(&mut self, now: u64, t: usize, item: &Item) {
        let track = &mut self.tracks[t];
        track.retry.succeeded();
        let rendition = &mut track.renditions[item.rendition];
        if item.whole && rendition.absences > 0 && now > rendition.absent_until {
            rendition.absences = 0;
        }
        let timeline = &rendition.timeline;
        let at_edge = item.hinted
            || timeline.edge()
                == Position {
                    part: item.position.part + 1,
                    ..item.position
                };
        if at_edge && timeline.dated && !timeline.ended {
            let listed = timeline.get(item.position.msn);
            let part = listed.and_then(|s| s.parts.get(item.position.part as usize));
            let duration = part.map_or(item.duration, |part| part.duration);
            self.latency
                .arrived(now, now as f64 - (item.start_ms + duration * 1000.0));
        }
    }

    /// Whether nothing that is fetched or to be fetched begins before this instant.
    pub(super) fn all_fetched_before(&self, instant_ms: f64) -> bool {
        let under_way = self.requests.iter().all(|request| match &request.purpose {
            Purpose::Media { item, .. } => item.start_ms >= instant_ms,
            _ => true,
        });
        under_way
            && self.tracks.iter().all(|track| {
                matches!(track.next(), Next::End)
                    || track.cursor_ms().is_some_and(|cursor| cursor >= instant_ms)
            })
    }

    fn plan_end(&mut self) {
        let through = self.origin_ms.is_some()
            && self
                .tracks
                .iter()
                .all(|track| matches!(track.next(), Next::End))
            && (0..self.tracks.len()).all(|t| self.media_under_way(t) == 0);
        if through && !self.end_of_stream {
            self.end_of_stream = true;
            self.commands.push_back(Command::EndOfStream);
        }
    }

    fn update_phase(&mut self) {
        let stuck = matches!(self.phase, Phase::Trouble(_))
            && self
                .tracks
                .iter()
                .any(|track| track.retry.failures() > 0 || track.rendition().retry.failures() > 3);
        if stuck || self.origin_ms.is_none() {
            return;
        }
        let away = self.is_live() && self.tracks.iter().all(|t| t.timeline().ends_in_gap());
        self.set_phase(match () {
            () if self.seen.ended && self.end_of_stream => Phase::Ended,
            () if away => Phase::Away,
            () if self.meter.startup_ms().is_none() => Phase::Loading,
            () => Phase::Ready,
        });
    }
}

/// A playlist URL with delivery directives.
fn positioned(url: &str, msn: u64, part: Option<u32>, skip: bool) -> String {
    let mut positioned = String::with_capacity(url.len() + 48);
    positioned.push_str(url);
    positioned.push(if url.contains('?') { '&' } else { '?' });
    positioned.push_str("_HLS_msn=");
    push_number(&mut positioned, msn);
    if let Some(part) = part {
        positioned.push_str("&_HLS_part=");
        push_number(&mut positioned, u64::from(part));
    }
    if skip {
        positioned.push_str("&_HLS_skip=YES");
    }
    positioned
}
