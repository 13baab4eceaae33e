//! Gives up a transfer that would come too late, and fetches the segment from a lower rendition.

use super::requests::{Purpose, Request};
use super::track::Item;
use super::{Player, Transfer};
use crate::abr::{Download, Situation};
use crate::command::Command;
use crate::timeline::Position;

/// How often a transfer is looked at, in ms: bytes come in far more often.
const LOOK_EVERY_MS: u64 = 50;
/// How far ahead of the playhead a decoder works, in ms.
const DECODED_AHEAD_MS: f64 = 500.0;
/// With less than this buffered the picture is about to stand, in seconds.
const DRY_S: f64 = 0.3;

impl Player {
    /// Looks at the transfer of the picture that is under way.
    pub(super) fn consider_abandoning(&mut self, now: u64) {
        if now < self.considered_at + LOOK_EVERY_MS || self.chosen.is_some() {
            return;
        }
        self.considered_at = now;
        let Some((request, item)) = self.picture_under_way() else {
            return;
        };
        let rungs = self.rungs(now);
        let at = Situation {
            active: item.rendition,
            ..self.situation(now, &rungs)
        };
        // What plays already goes on for as long as it does.
        if self.decodes(request, item).is_some() && self.buffer_s() > DRY_S {
            return;
        }
        let Some(rung) = self.abr.abandon(&at, &self.download(now, request, item)) else {
            return;
        };
        self.fall_back(now, rung);
    }

    /// When the segment of a transfer begins, in Unix milliseconds, if a decoder may have begun with
    /// it. What takes its place then has its first independent frame behind the playhead: a browser
    /// that is not told to seek shows nothing until the next one, a segment later.
    fn decodes(&self, request: &Request, item: &Item) -> Option<f64> {
        let segment = self.tracks[0].renditions[item.rendition]
            .timeline
            .get(item.position.msn)?;
        let begun = request.bytes > 0 || item.position.part > 0;
        let reached = self.playhead_ms()? + DECODED_AHEAD_MS >= segment.start_ms;
        (begun && reached).then_some(segment.start_ms)
    }

    /// The earliest piece that comes, or ought to: one that is announced waits for the encoder.
    fn picture_under_way(&self) -> Option<(&Request, &Item)> {
        let pictures = self
            .requests
            .iter()
            .filter_map(|request| match &request.purpose {
                Purpose::Media { track: 0, item } => Some((request, &**item)),
                _ => None,
            });
        pictures
            .min_by_key(|(_, item)| item.position)
            .filter(|(request, item)| !item.hinted || request.bytes > 0)
    }

    fn download(&self, now: u64, request: &Request, item: &Item) -> Download {
        let bits = request.bytes as f64 * 8.0;
        let rendition = &self.tracks[0].renditions[item.rendition];
        let told = request.length.map(|bytes| bytes as f64 * 8.0);
        let all = told.unwrap_or_else(|| self.weight.picture_bits(rendition, item.duration));
        let mut rest_s = 0.0;
        if !item.whole
            && let Some(segment) = rendition.timeline.get(item.position.msn)
        {
            let rest = segment.parts.iter().skip(item.position.part as usize + 1);
            rest_s = rest.map(|part| part.duration).sum();
        }
        let since_ms = now.saturating_sub(request.sent_at) as f64;
        let body_ms = request
            .first
            .map_or(0.0, |(at, _)| now.saturating_sub(at) as f64);
        Download {
            rung: item.rendition,
            // What was announced has waited for the encoder.
            since_ms: if item.hinted { body_ms } else { since_ms },
            body_ms,
            bits,
            bits_left: (all - bits).max(0.0) + self.weight.picture_bits(rendition, rest_s),
        }
    }

    fn fall_back(&mut self, now: u64, rung: usize) {
        let Some((request, item)) = self.picture_under_way() else {
            return;
        };
        let msn = item.position.msn;
        let timeline = &self.tracks[0].renditions[rung].timeline;
        if timeline.get(msn).is_none_or(|segment| segment.gap) {
            // Until its playlist has come the transfer goes on.
            self.tracks[0].wanted = rung;
            self.plan_reload(now, 0, rung);
            return;
        }
        let (first_at, first_bytes) = request.first.unwrap_or((now, 0));
        let transfer = Transfer {
            bytes: request.bytes,
            first_bytes,
            body_ms: now.saturating_sub(first_at) as f64,
        };
        let sample = request.sample(item, transfer);
        let decoded_ms = self.decodes(request, item);
        self.abr.throughput.add(sample);
        self.rewind(0, None);
        self.turn(0, rung);
        self.tracks[0].cursor = Position { msn, part: 0 };
        if let (Some(start_ms), Some(origin_ms)) = (decoded_ms, self.origin_ms) {
            self.commands.push(Command::Remove {
                track: self.tracks[0].kind,
                start: ((start_ms - origin_ms) / 1000.0).max(0.0),
                end: f64::INFINITY,
            });
            self.seek_element(origin_ms + self.position_s() * 1000.0);
        }
        self.plan(now);
    }

    /// Goes on with another rendition.
    pub(super) fn turn(&mut self, t: usize, rendition: usize) {
        let track = &mut self.tracks[t];
        (track.active, track.wanted) = (rendition, rendition);
        track.refused_hint = None;
        track.hole_since = None;
        self.switches += u32::from(t == 0);
        self.latency.reset_arrivals();
        self.commands.push(Command::Changed);
    }
}
