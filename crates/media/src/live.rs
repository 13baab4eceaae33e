//! One live video: units in, parts, segments and playlists out. No clock, no socket, no file.
//!
//! - [`config`]: what an operator may choose
//! - [`event`]: what [`Live`] asks of its surroundings, and what it tells the streamer
//! - [`answer`]: what a request for a playlist or for media is answered
//! - [`status`]: counters and repairs
//! - [`restored`]: what a new epoch knows of the earlier ones
//! - [`slate`]: what stands in for an encoder that is away
//! - [`tap`]: units as they come, before they are packaged
//!
//! Inside:
//!
//! - `schedule`: which msn holds which stretch of media time, decided once for all renditions
//! - `rendition`: one rendition's units into these slots, and its segments in memory
//! - `intake`: the encoder's units into media time, and into a queue if they must wait
//! - `remade`: a rung in place of a source that has too few keyframes
//! - `lead`: the track that leads decides where segments start
//! - `further`: tracks beside the two that lead, and which segments their units belong to
//! - `ladder`: which renditions there are, and the transcoder that makes some of them
//! - `stand_in`: puts the slate on air and takes it off
//! - `wall`: what happens because time passes: GAPs on time, laggards, ends
//! - `window`: what is listed, and the answers

pub mod answer;
pub mod config;
pub mod event;
mod further;
mod intake;
mod ladder;
mod lead;
mod remade;
mod rendition;
pub mod restored;
mod schedule;
pub mod slate;
mod stand_in;
pub mod status;
pub mod tap;
mod wall;
mod window;

use std::collections::VecDeque;

use weir_model::{Epoch, Msn, RenditionId, WallTime};

pub use answer::{GrowthAnswer, MediaAnswer, PositionAnswer};
pub use config::LiveConfig;
pub use event::{Output, Warning};
pub use restored::Restored;
pub use status::{RenditionStatus, Repairs, ShedRung, State, Status};

use crate::{
    package::PartTarget,
    track,
    unit::{Media, TIMESCALE, TrackKind},
};
use intake::Intake;
use remade::Remade;
use rendition::{Context, Rendition};
use schedule::Schedule;
use stand_in::StandIn;
use tap::Tap;

/// Name of the rendition that passes the encoder's video on.
pub const SOURCE: &str = "source";

/// Name of the rendition that passes the encoder's audio on, shared by all video renditions.
pub const AUDIO: &str = "audio";

/// One video in one epoch.
///
/// Every method that changes something takes `now`, which never goes back. After each of them
/// call [`poll_output`](Self::poll_output) until it is empty, then
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Live {
    config: LiveConfig,
    context: Context,
    phase: Phase,
    /// msn of the first segment that the video ever had.
    first: Msn,
    schedule: Schedule,
    /// Source, rungs from the best down, audio: those that there are, further tracks beside those
    /// that lead.
    renditions: Vec<Rendition>,
    intake: Intake,
    stand_in: StandIn,
    transcoder: Transcoder,
    /// What it leaves out for lack of time.
    shed: Vec<ShedRung>,
    remade: Remade,
    tap: Tap,
    first_listed: Msn,
    discontinuity_sequence: u64,
    started_at: Option<WallTime>,
    repairs: Repairs,
    warnings: Vec<Warning>,
    outputs: VecDeque<Output>,
    announced: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Live,
    Away {
        /// Since the encoder left, or the last GAP segment was published.
        since: WallTime,
        until: WallTime,
    },
    Ending {
        until: WallTime,
    },
    Ended,
}

/// What is known of the transcoder child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transcoder {
    /// None is wanted, or none runs: the next segment asks for one.
    Off,
    Running {
        /// It makes rungs of the source's pictures.
        pictures: bool,
        /// It makes rungs of its sound.
        sound: bool,
    },
}

impl Transcoder {
    /// Whether it is given the source's media of this kind.
    fn takes(self, kind: TrackKind) -> bool {
        match (self, kind) {
            (Self::Off, _) => false,
            (Self::Running { pictures, .. }, TrackKind::Video) => pictures,
            (Self::Running { sound, .. }, TrackKind::Audio) => sound,
        }
    }
}

impl Live {
    /// A video without an encoder. With `restored` it goes on after a crash, and its encoder
    /// counts as away since `now`.
    pub fn new(
        config: LiveConfig,
        epoch: Epoch,
        restored: Option<Restored>,
        now: WallTime,
    ) -> Self {
        let parts = config.parts;
        let mut live = Self {
            config,
            context: Context {
                epoch,
                anchor: now,
                parts,
                part_target: None,
            },
            phase: Phase::Waiting,
            first: Msn(0),
            schedule: Schedule::new(Msn(0), Msn(0)),
            renditions: Vec::new(),
            intake: Intake::default(),
            stand_in: StandIn::default(),
            transcoder: Transcoder::Off,
            shed: Vec::new(),
            remade: Remade::default(),
            tap: Tap::default(),
            first_listed: Msn(0),
            discontinuity_sequence: 0,
            started_at: None,
            repairs: Repairs::default(),
            warnings: Vec::new(),
            outputs: VecDeque::new(),
            announced: 0,
        };
        if let Some(restored) = restored {
            live.restore(restored, now);
        }
        live.after(now);
        live
    }

    /// An encoder begins, first or again. One that was there is taken over from.
    pub fn publish(&mut self, now: WallTime) {
        if self.is_over() {
            return;
        }
        if self.phase == Phase::Live {
            self.leave(now);
            self.go_away(now);
        }
        if let Phase::Away { until, .. } = &mut self.phase {
            *until = now.plus(self.config.reconnect_window);
        }
        *self.encoder() = Intake::connected(now);
        self.after(now);
    }

    /// Another encoder takes over from the one that is there, with media that it has brought since
    /// `since`. It is joined to what was: neither a hole nor an overlap of the two shows in media
    /// time, unless the hole is longer than 1.2 s.
    pub fn take_over(&mut self, now: WallTime, since: WallTime) {
        self.publish(now);
        self.encoder().since = Some(since);
    }

    /// From the encoder, in its own time.
    pub fn push(&mut self, now: WallTime, media: Media) {
        if self.is_over() || !self.encoder().connected {
            return;
        }
        self.encoder().last_media = now;
        self.bring_in(|live| live.receive(now, media));
        self.after(now);
    }

    /// From the transcoder, in the media time that [`Output::Transcode`] gave.
    pub fn push_rendition(&mut self, now: WallTime, rendition: RenditionId, media: Media) {
        if self.phase == Phase::Ended || !self.is_rung(rendition) {
            return;
        }
        self.pass_tap(rendition, &media);
        let Self {
            renditions,
            schedule,
            context,
            outputs,
            repairs,
            ..
        } = self;
        let Some(rendition) = renditions.iter_mut().find(|r| r.id == rendition) else {
            return;
        };
        match media {
            Media::Config(config) if config.kind() == rendition.kind => {
                // It counts from the next segment that the rendition starts.
                rendition.configure(rendition.next, config);
            }
            Media::Unit(unit) if unit.kind == rendition.kind => {
                let placed = rendition.follow(unit, schedule, *context, outputs);
                repairs.units_dropped += u64::from(!placed);
            }
            _ => {}
        }
        self.after(now);
    }

    /// The transcoder died, without having been told to end. The next segment asks for another
    /// one with [`Output::TranscodeStart`]; until then its renditions have GAPs.
    pub fn transcoder_lost(&mut self, now: WallTime) {
        if self.transcoder == Transcoder::Off {
            return;
        }
        self.transcoder = Transcoder::Off;
        self.shed.clear();
        for i in 0..self.renditions.len() {
            if self.is_rung(self.renditions[i].id) {
                self.repairs.units_dropped += self.renditions[i].abandon();
                self.renditions[i].resumes = None;
            }
        }
        self.warn(Warning::TranscoderBehind);
        // Whoever waits for a part that was hinted waits for nothing.
        self.outputs.push_back(Output::Advanced);
        self.after(now);
    }

    /// The encoder left: the reconnect window starts.
    pub fn unpublish(&mut self, now: WallTime) {
        if self.phase == Phase::Live {
            self.leave(now);
            self.go_away(now);
        }
        *self.encoder() = Intake::default();
        self.after(now);
    }

    /// The broadcast is over. [`Output::Ended`] follows as soon as the transcoder's last units
    /// are in, at most a lag limit later.
    pub fn end(&mut self, now: WallTime) {
        if self.is_over() {
            return;
        }
        if self.phase == Phase::Live {
            self.leave(now);
        }
        self.take_slate_off(now);
        self.end_absence();
        self.intake = Intake::default();
        self.phase = Phase::Ending {
            until: now.plus(self.config.lag_limit),
        };
        self.after(now);
    }

    /// It is durable that msns below `msn` may have been used.
    pub fn reserved(&mut self, now: WallTime, msn: Msn) {
        self.schedule.reserved(msn);
        self.drain(now);
        self.after(now);
    }

    /// Call when [`poll_timeout`](Self::poll_timeout) is due.
    pub fn handle_timeout(&mut self, now: WallTime) {
        self.after(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); it may have passed already. Ask anew
    /// after every other call.
    pub fn poll_timeout(&self) -> Option<WallTime> {
        self.next_timeout()
    }

    /// What is to be done. Call until `None` after every other call.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ending { .. } | Phase::Ended)
    }

    fn is_rung(&self, id: RenditionId) -> bool {
        track::of(id).is_none()
    }

    fn rendition(&self, name: &str) -> Option<&Rendition> {
        self.renditions
            .iter()
            .find(|rendition| rendition.id.as_str() == name)
    }

    fn rendition_mut(&mut self, name: &str) -> Option<&mut Rendition> {
        self.renditions
            .iter_mut()
            .find(|rendition| rendition.id.as_str() == name)
    }

    /// The rendition whose time counts: the source, or audio without video.
    fn lead(&self) -> Option<&Rendition> {
        self.rendition(SOURCE).or_else(|| self.rendition(AUDIO))
    }

    fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
            self.outputs.push_back(Output::Warning(warning));
        }
    }

    /// Media time of `now`, in ticks of 1/90,000 s.
    fn media_time(&self, now: WallTime) -> i64 {
        let ms = now.since(self.context.anchor).as_millis();
        i64::try_from(ms)
            .unwrap_or(i64::MAX / 90)
            .saturating_mul(i64::from(TIMESCALE) / 1000)
    }

    fn part_target(&self) -> PartTarget {
        self.context
            .part_target
            .unwrap_or(PartTarget::of(self.config.parts))
    }
}
