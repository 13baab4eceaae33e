//! What to fetch next: playlists, initialisation segments, media.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::requests::Purpose;
use super::track::{Item, Next, Rendition, Track};
use super::{Phase, Player};
use crate::command::{Command, RequestId};
use crate::outbox::push_number;
use crate::timeline::Position;
use crate::url::resolve;

/// Patience with an answer that the server has at hand, in ms.
const ANSWER_MS: u64 = 10_000;
/// A live stream that has been paused this long is no longer followed, in ms.
const IDLE_MS: u64 = 30_000;
/// How long nothing new may be listed until the stream counts as standing still: in target
/// durations, and at least in ms.
const STILL_TARGETS: f64 = 3.0;
const LEAST_STILL_MS: f64 = 8000.0;

impl Player {
    /// Asks for everything that is due.
    pub(super) fn plan(&mut self, now: u64) {
        if self.refused().is_some() {
            // There is nothing to ask for.
        } else if self.tracks.is_empty() {
            let asked = self
                .requests
                .iter()
                .any(|r| matches!(r.purpose, Purpose::Multivariant));
            if !asked && self.multivariant_retry.is_due(now) {
                self.fetch(now, self.url.clone(), Purpose::Multivariant, ANSWER_MS);
            }
        } else if !self.is_idle(now) {
            self.plan_manifest(now);
            for track in 0..self.tracks.len() {
                self.plan_reloads(now, track);
            }
            if self.source.uncoded {
                self.plan_probes(now);
            } else {
                self.begin();
                for track in 0..self.tracks.len() {
                    self.plan_media(now, track);
                }
                self.plan_end();
            }
            self.update_phase(now);
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
        if self.source.dash().is_some() {
            return self.plan_listing(now, t, r);
        }
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
        let (url, patience_ms) = if blocking && rendition.astray {
            (rendition.url.clone(), ANSWER_MS)
        } else if blocking {
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
        self.leave_still(now, t);
        while self.streaming && self.tracks[t].retry.is_due(now) && self.has_room(t) {
            self.tracks[t].settle_cursor();
            self.maybe_switch(now, t);
            match self.tracks[t].next() {
                Next::Fetch(item) => {
                    let ahead_ms = item.start_ms - self.playhead_ms().unwrap_or(origin_ms);
                    let waits = item.whole && (self.media_under_way(t) > 0 || self.leads(t, &item));
                    if waits || ahead_ms > self.forward_ms() {
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

    /// Whether this would be sound of a recording for which no picture has been asked yet: it is small,
    /// and would take its share of the network many times over before the picture is where it is.
    fn leads(&self, t: usize, item: &Item) -> bool {
        let Some(picture) = self.tracks.first().filter(|_| t > 0 && !self.is_live()) else {
            return false;
        };
        let asked = |asked_ms: f64| item.start_ms < asked_ms;
        !picture.cursor_ms().is_none_or(asked) && picture.next() != Next::End
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
            let purpose = Purpose::Init {
                track: t,
                rendition: item.rendition,
                url: url.clone(),
            };
            self.fetch(now, url, purpose, ANSWER_MS);
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

    /// Notes a piece of media that has been appended.
    pub(super) fn media_arrived(&mut self, now: u64, t: usize, item: &Item) {
        let track = &mut self.tracks[t];
        track.retry.succeeded();
        track.turned = false;
        track.settle_doubt(item.position);
        let rendition = &mut track.renditions[item.rendition];
        if item.whole && rendition.absences > 0 && now > rendition.absent_until {
            rendition.absences = 0;
        }
        let timeline = &rendition.timeline;
        let next = Position {
            part: item.position.part + 1,
            ..item.position
        };
        // After an outage or a sleep the edge is further than is known.
        let known_ms = now.saturating_sub(rendition.advanced_at) as f64;
        let at_edge = next >= timeline.edge() && known_ms < timeline.target_duration * 2000.0;
        if at_edge && timeline.dated && !timeline.ended {
            let listed = timeline.get(item.position.msn);
            let part = listed.and_then(|s| s.parts.get(item.position.part as usize));
            let duration = part.map_or(item.duration, |part| part.duration);
            let due_ms = item.start_ms + duration * 1000.0;
            self.latency
                .arrived(now, self.clock.server_ms(now) - due_ms);
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
            self.commands.push(Command::EndOfStream);
        }
    }

    fn update_phase(&mut self, now: u64) {
        let stuck = matches!(self.phase, Phase::Trouble(_))
            && self
                .tracks
                .iter()
                .any(|track| track.retry.failures() > 0 || track.rendition().retry.failures() > 3);
        if stuck || self.origin_ms.is_none() {
            return;
        }
        let gone = |t: &Track| t.timeline().ends_in_gap() || stands_still(now, t.rendition());
        let away = self.is_live() && self.tracks.iter().all(gone);
        self.set_phase(match () {
            () if self.seen.ended && self.end_of_stream => Phase::Ended,
            () if away => Phase::Away,
            () if self.meter.startup_ms().is_none() => Phase::Loading,
            () => Phase::Ready,
        });
    }
}

/// Whether answers have come for long that tell nothing new.
pub(super) fn stands_still(now: u64, rendition: &Rendition) -> bool {
    let patience_ms = rendition.timeline.target_duration * 1000.0 * STILL_TARGETS;
    let still_ms = now.saturating_sub(rendition.advanced_at) as f64;
    rendition.repeats && still_ms > patience_ms.max(LEAST_STILL_MS)
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
