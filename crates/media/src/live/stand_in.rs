//! Puts the slate on air when the encoder has been away for a while, and takes it off when the
//! encoder is back or its time is over.
//!
//! The slate is an encoder like any other to everything below the door: it has an intake, a
//! discontinuity, segments in every rendition. The video's state stays [`Away`](super::State), and
//! the encoder that is awaited has an intake of its own meanwhile, which takes over at its first
//! keyframe.

use weir_model::WallTime;

use super::{
    Live, Phase,
    event::{Output, Warning},
    intake::Intake,
    slate::{LastGroup, Player, SlateLoop},
};
use crate::{
    package::{Timeline, segmenter::SEGMENT},
    unit::{Media, TIMESCALE, Timestamp},
};

/// Everything about the slate of a video.
#[derive(Debug, Default)]
pub(super) struct StandIn {
    /// What it is made of.
    pub(super) last: LastGroup,
    stage: Stage,
    /// Counts the encoder's absences, so that a loop that comes too late is told from one that
    /// is awaited.
    absence: u64,
    /// Media time at which the encoder left.
    away_from: i64,
    /// While the slate is on air: of the encoder that is awaited.
    awaited: Intake,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Off,
    /// It is being made.
    Asked,
    /// It waits until it is due.
    Ready(Player),
    OnAir {
        player: Player,
        /// Media time of the loop's time 0.
        begun: i64,
    },
    /// There is none this time.
    Failed,
}

impl StandIn {
    pub(super) fn is_on_air(&self) -> bool {
        matches!(self.stage, Stage::OnAir { .. })
    }
}

impl Live {
    /// The loop that [`Output::MakeSlate`] asked for. One that comes too late is dropped.
    pub fn slate_made(&mut self, now: WallTime, absence: u64, slate: SlateLoop) {
        if self.slate_awaited(absence) {
            self.stand_in.stage = Stage::Ready(Player::new(slate));
            self.after(now);
        }
    }

    /// There will be no slate during this absence; its segments stay GAPs.
    pub fn slate_failed(&mut self, now: WallTime, absence: u64) {
        if self.slate_awaited(absence) {
            self.stand_in.stage = Stage::Failed;
            self.warn(Warning::SlateFailed);
            self.after(now);
        }
    }

    fn slate_awaited(&self, absence: u64) -> bool {
        matches!(self.stand_in.stage, Stage::Asked) && self.stand_in.absence == absence
    }

    /// The encoder has just left.
    pub(super) fn begin_absence(&mut self) {
        self.stand_in.absence += 1;
        self.stand_in.away_from = self.schedule.end();
        self.stand_in.stage = Stage::Off;
    }

    /// The encoder is back, or the broadcast is over.
    pub(super) fn end_absence(&mut self) {
        self.stand_in.stage = Stage::Off;
    }

    /// Asks for the slate, puts it on air, or lets it go on, if any of that is due.
    pub(super) fn keep_slate(&mut self, now: WallTime) {
        let (Phase::Away { .. }, Some(slate_after)) = (self.phase, self.config.slate_after) else {
            return;
        };
        let ticks = slate_after.as_millis() as i64 * i64::from(TIMESCALE) / 1000;
        let missing = self.schedule.end() - self.stand_in.away_from;
        match &self.stand_in.stage {
            // A segment's length is enough to make it in, and most encoders are back before.
            Stage::Off if missing >= ticks - SEGMENT && self.stand_in.last.is_enough() => {
                self.stand_in.stage = Stage::Asked;
                self.outputs.push_back(Output::MakeSlate {
                    absence: self.stand_in.absence,
                    media: self.stand_in.last.media(),
                });
            }
            // An encoder that has begun waits for no more than an msn.
            Stage::Ready(_) if missing >= ticks && self.intake.timeline.is_none() => {
                self.put_slate_on_air();
                self.play_slate(now);
            }
            Stage::OnAir { .. } => self.play_slate(now),
            _ => {}
        }
    }

    /// When [`keep_slate`](Self::keep_slate) has to be called while the slate is on air.
    pub(super) fn slate_due(&self) -> Option<WallTime> {
        let Stage::OnAir { player, begun } = &self.stand_in.stage else {
            return None;
        };
        let due = begun.saturating_add(player.next_due()).max(0);
        let ms = due.unsigned_abs().div_ceil(u64::from(TIMESCALE / 1000));
        Some(WallTime(self.context.anchor.0.saturating_add(ms)))
    }

    fn put_slate_on_air(&mut self) {
        let Stage::Ready(player) = std::mem::take(&mut self.stand_in.stage) else {
            return;
        };
        let begun = self.schedule.end() - player.composition();
        let [video, audio] = player.configs().map(|config| config.cloned());
        let own = Intake {
            breaks: true,
            timeline: Some(Timeline::starting(Timestamp(0), Timestamp(begun))),
            video: video.clone(),
            audio: audio.clone(),
            ..Intake::default()
        };
        self.stand_in.awaited = std::mem::replace(&mut self.intake, own);
        self.stand_in.stage = Stage::OnAir { player, begun };
        for config in video.into_iter().chain(audio) {
            self.enqueue(Media::Config(config));
        }
    }

    fn play_slate(&mut self, now: WallTime) {
        let now_ticks = self.media_time(now);
        while let Stage::OnAir { player, begun } = &mut self.stand_in.stage
            && let Some(unit) = player.take_due(now_ticks - *begun)
        {
            self.enqueue(Media::Unit(unit));
            self.drain(now);
        }
        self.drain(now);
    }

    /// The encoder's intake, on air or awaited.
    pub(super) fn encoder(&mut self) -> &mut Intake {
        match self.stand_in.is_on_air() {
            true => &mut self.stand_in.awaited,
            false => &mut self.intake,
        }
    }

    /// Brings something from the encoder, with its intake in place even if the slate is on air.
    pub(super) fn bring_in(&mut self, bring: impl FnOnce(&mut Self)) {
        if !self.stand_in.is_on_air() {
            return bring(self);
        }
        std::mem::swap(&mut self.intake, &mut self.stand_in.awaited);
        bring(self);
        // Unless it was the encoder's first keyframe, and the slate is gone.
        if self.stand_in.is_on_air() {
            std::mem::swap(&mut self.intake, &mut self.stand_in.awaited);
        }
    }

    /// The encoder that was awaited begins: its intake is in place already.
    pub(super) fn slate_gives_way(&mut self, now: WallTime) {
        if !self.stand_in.is_on_air() {
            return;
        }
        std::mem::swap(&mut self.intake, &mut self.stand_in.awaited);
        self.take_slate_off(now);
    }

    /// Closes what the slate has open. What is left is the encoder's intake.
    pub(super) fn take_slate_off(&mut self, now: WallTime) {
        if !self.stand_in.is_on_air() {
            return;
        }
        self.leave(now);
        self.stand_in.stage = Stage::Off;
        self.intake = std::mem::take(&mut self.stand_in.awaited);
        if let Phase::Away { since, .. } = &mut self.phase {
            *since = now;
        }
    }
}
