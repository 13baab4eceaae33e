//! What happens because time passes: GAP segments while the encoder is away, renditions that come
//! too late, the end.

use std::time::Duration;

use weir_model::WallTime;

use super::{
    Live, Phase,
    event::{Output, Warning},
};
use crate::{
    package::segmenter::SEGMENT,
    track,
    unit::{TIMESCALE, TrackKind},
};

/// Length of a GAP segment of an encoder that is away.
const GAP: Duration = Duration::from_secs(2);

impl Live {
    /// Ends every public call: does what is due and tells what changed.
    pub(super) fn after(&mut self, now: WallTime) {
        if self.intake.connected
            && self.phase == Phase::Live
            && now.since(self.intake.last_media) >= self.config.stall_limit
        {
            self.warn(Warning::Stalled);
            self.leave(now);
            self.intake = std::mem::take(&mut self.intake).resumed(now);
            self.go_away(now);
        }
        self.settle(now);
        self.fill_away(now);
        self.keep_slate(now);
        let was_over = self.phase == Phase::Ended;
        match self.phase {
            // What is on air in the encoder's place ends like a broadcast.
            Phase::Away { until, .. } if until <= now && self.stand_in.is_on_air() => {
                return self.end(now);
            }
            Phase::Away { until, .. } if until <= now => self.finish(now),
            Phase::Ending { until } if until <= now || self.is_settled() => self.finish(now),
            _ => {}
        }
        self.ask_reservation();
        self.trim();
        let progress = self
            .renditions
            .iter()
            .map(|rendition| rendition.progress())
            .sum();
        let ended = self.phase == Phase::Ended && !was_over;
        // The end itself is news for whoever waits.
        if progress != self.announced || ended {
            self.announced = progress;
            self.outputs.push_back(Output::Advanced);
        }
        if ended {
            self.outputs.push_back(Output::Ended);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<WallTime> {
        let laggards = self.renditions.iter().filter_map(|rendition| {
            let end = self.schedule.get(rendition.next)?.end?;
            Some(end.since.plus(self.config.lag_limit))
        });
        let phase = match self.phase {
            Phase::Live if self.intake.connected => {
                Some(self.intake.last_media.plus(self.config.stall_limit))
            }
            Phase::Away { until, .. } => {
                // Without a reservation nothing can be done in time.
                let gap = self.gap_due().filter(|_| self.schedule.can_start());
                gap.into_iter().chain(self.slate_due()).chain([until]).min()
            }
            Phase::Ending { until } => Some(until),
            _ => None,
        };
        laggards.chain(phase).min()
    }

    pub(super) fn go_away(&mut self, now: WallTime) {
        let until = now.plus(self.config.reconnect_window);
        self.phase = Phase::Away { since: now, until };
        self.begin_absence();
    }

    pub(super) fn ask_reservation(&mut self) {
        if matches!(self.phase, Phase::Ending { .. } | Phase::Ended) {
            return;
        }
        if let Some(msn) = self.schedule.reservation_due() {
            self.outputs.push_back(Output::Reserve(msn));
        }
    }

    /// When the next GAP segment of an encoder that is away is complete.
    fn gap_due(&self) -> Option<WallTime> {
        let Phase::Away { since, .. } = self.phase else {
            return None;
        };
        if self.stand_in.is_on_air() {
            return None;
        }
        let end =
            self.schedule.end().saturating_add(SEGMENT).max(0) / (i64::from(TIMESCALE) / 1000);
        let by_media = self
            .context
            .anchor
            .plus(Duration::from_millis(end.unsigned_abs()));
        Some(by_media.min(since.plus(GAP)))
    }

    fn fill_away(&mut self, now: WallTime) {
        while self.gap_due().is_some_and(|due| due <= now) && self.schedule.can_start() {
            self.schedule
                .start_gap(now, self.schedule.end().saturating_add(SEGMENT));
            self.settle(now);
            self.ask_reservation();
            if let Phase::Away { since, .. } = &mut self.phase {
                *since = now;
            }
        }
    }

    /// Closes what no media will come for, or not in time.
    pub(super) fn settle(&mut self, now: WallTime) {
        let over = self.phase == Phase::Ended;
        let mut behind = Vec::new();
        let Self {
            renditions,
            schedule,
            context,
            outputs,
            config,
            ..
        } = self;
        for rendition in renditions.iter_mut() {
            while let Some(slot) = schedule.get(rendition.next) {
                let Some(end) = slot.end else { break };
                let awaited = !slot.gap && rendition.expects(slot.msn);
                let late = over || end.since.plus(config.lag_limit) <= now;
                if awaited && !late {
                    break;
                }
                let last = end.cut_short || rendition.stops == Some(slot.msn.next());
                // Sound that stopped within the segment was heard until then.
                let broke_off = rendition.kind == TrackKind::Audio && rendition.open.is_some();
                if awaited && !last {
                    behind.push(rendition.id);
                }
                if awaited && (last || broke_off) {
                    rendition.finish(slot, None, *context, outputs);
                } else {
                    rendition.close_gap(slot, *context, outputs);
                }
            }
        }
        let passed = renditions.iter().map(|rendition| rendition.next).min();
        schedule.forget_before(passed.unwrap_or(schedule.next()));
        for late in behind {
            self.warn(match track::of(late) {
                None => Warning::TranscoderBehind,
                Some((_, index)) if !index.is_lead() => Warning::TrackApart,
                Some(_) => Warning::AudioMissing,
            });
        }
    }

    fn is_settled(&self) -> bool {
        self.renditions
            .iter()
            .all(|rendition| rendition.next == self.schedule.next())
    }

    fn finish(&mut self, now: WallTime) {
        self.phase = Phase::Ended;
        self.settle(now);
    }
}
