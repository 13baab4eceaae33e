//! Which of a video's two publishers is on air. No clock: facts and `now` in, [`Action`]s and the
//! time of the next look out.
//!
//! The primary is on air while it lives. When its media stops and the backup stands by, the backup
//! takes over with the newest group of pictures that it has brought: what came since its last IDR
//! picture is kept for that, so that nobody waits for the next one. The primary gets the air back
//! at an IDR picture of its own, once it has been steady for a while.
//!
//! What the two stamp is not compared: a lane is joined to the other where that one ended. So up
//! to one group of pictures is shown again (when the backup's IDR picture is older than the
//! primary's last), or up to the time of detection is left out (when it is younger).

use std::{collections::VecDeque, time::Duration};

use weir_media::{
    track::FromTrack,
    unit::{Media, TIMESCALE, TrackConfig, TrackKind, Unit},
};
use weir_model::{Lane, WallTime};

/// A lane that brings nothing for this long has stopped. Encoders send 20 and more units a second
/// and sound between sparse pictures; a second without any is longer than what a lossy network
/// takes to send again, and shorter than what viewers have in their buffers.
const SILENCE: Duration = Duration::from_secs(1);

/// A lane whose pictures stop for this long while its sound goes on has stopped too, if the other
/// one brings pictures. Slide shows have one every second or two.
const NO_PICTURES: Duration = Duration::from_secs(3);

/// How long the primary has to bring media without a pause before it gets the air back. A network
/// that has just come back may go again.
const STEADY: Duration = Duration::from_secs(5);

/// Longest group of pictures that is kept of a lane that stands by: what fits into one segment.
const HELD: Duration = Duration::from_secs(4);

/// Sound alone needs no group; this much of it is kept. It takes a second to be known for a
/// stream without pictures.
const HELD_SOUND: i64 = 3 * TIMESCALE as i64 / 2;

/// Most bytes that are kept of a lane that stands by: 4 s at 32 Mbit/s.
const HELD_BYTES: usize = 16 << 20;

/// Every take-over that shows something again puts media time ahead of the clock. Beyond this a
/// take-over waits for the next IDR picture instead, for which viewers have enough in their
/// buffers then.
const MAX_AHEAD: Duration = Duration::from_secs(4);

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Nobody was on air who could be taken over from: an encoder begins.
    Begin,
    /// What follows comes from the other encoder, which brought it from `since` on.
    TakeOver { to: Lane, since: WallTime },
    /// Media of the lane on air.
    Pass(Media),
    /// Of its further tracks.
    PassTrack(FromTrack),
    /// The last encoder has left.
    Leave,
}

/// Both lanes of one video.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    primary: Publisher,
    backup: Publisher,
    on_air: Option<Lane>,
    /// How far media time is ahead of the clock at most.
    ahead: Duration,
    switches: u64,
    alarm: Option<WallTime>,
    actions: VecDeque<Action>,
}

/// The encoder on one lane.
#[derive(Debug, Default)]
struct Publisher {
    connected: bool,
    /// When the last unit came; before the first one, when the encoder connected.
    last_unit: WallTime,
    last_picture: WallTime,
    /// Since when units have come without a pause.
    steady_since: Option<WallTime>,
    held: Held,
}

/// What is kept of a lane that is not on air.
#[derive(Debug, Default)]
struct Held {
    /// Of both lanes, always.
    configs: Vec<TrackConfig>,
    /// Labels, and configurations of further tracks: the newest of each.
    tracks: Vec<FromTrack>,
    /// Since the newest IDR picture, or the newest sound if there are no pictures; and when each
    /// came.
    units: VecDeque<(WallTime, Unit)>,
    bytes: usize,
}

/// What the streamer is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneStatus {
    /// Whose media is passed on.
    pub on_air: Option<Lane>,
    /// Who could take over at once.
    pub standing_by: Option<Lane>,
    /// Take-overs from one lane to the other so far.
    pub switches: u64,
}

impl Lanes {
    /// An encoder begins on a lane; the one before it there has left.
    pub(super) fn connect(&mut self, now: WallTime, lane: Lane) {
        *self.publisher_mut(lane) = Publisher {
            connected: true,
            last_unit: now,
            last_picture: now,
            ..Publisher::default()
        };
        if self.on_air.is_none() {
            self.begin(lane);
        }
        self.look(now);
    }

    /// Media of the encoder on a lane.
    pub(super) fn push(&mut self, now: WallTime, lane: Lane, media: Media) {
        let on_air = self.on_air == Some(lane);
        let publisher = self.publisher_mut(lane);
        publisher.heard(now, &media);
        publisher.held.take_config(&media);
        let mut returns = false;
        if on_air {
            self.actions.push_back(Action::Pass(media));
        } else if let Media::Unit(unit) = media {
            let begins = unit.keyframe && unit.kind == publisher.held.leader();
            publisher.held.push(now, unit);
            returns = begins && lane == Lane::Primary && publisher.is_steady(now);
        }
        if returns && self.publisher(lane).can_take_over(now) {
            self.take_over(lane);
        }
        self.look(now);
    }

    /// Of the further tracks of the encoder on a lane. While it stands by only what tells of them
    /// is kept: they have a GAP until their next keyframe.
    pub(super) fn push_track(&mut self, lane: Lane, from_track: FromTrack) {
        self.publisher_mut(lane).held.take_track(&from_track);
        if self.on_air == Some(lane) {
            self.actions.push_back(Action::PassTrack(from_track));
        }
    }

    /// The encoder on a lane has left.
    pub(super) fn disconnect(&mut self, now: WallTime, lane: Lane) {
        let last_unit = self.publisher(lane).last_unit;
        *self.publisher_mut(lane) = Publisher {
            last_unit,
            ..Publisher::default()
        };
        if self.on_air == Some(lane) {
            let other = lane.other();
            if !self.publisher(other).connected {
                self.on_air = None;
                self.actions.push_back(Action::Leave);
            } else if self.may_take_over(now, other) {
                self.take_over(other);
            } else {
                self.begin(other);
            }
        }
        self.look(now);
    }

    /// Call when [`poll_timeout`](Self::poll_timeout) is due.
    pub(super) fn handle_timeout(&mut self, now: WallTime) {
        self.look(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). Ask anew after every other call.
    pub(super) fn poll_timeout(&self) -> Option<WallTime> {
        self.alarm
    }

    /// What is to be done. Call until `None` after every other call.
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub(super) fn status(&self, now: WallTime) -> LaneStatus {
        let others = self.on_air.map(Lane::other);
        LaneStatus {
            on_air: self.on_air,
            standing_by: others.filter(|&other| self.publisher(other).can_take_over(now)),
            switches: self.switches,
        }
    }

    /// Takes over from a lane that has stopped, or decides when to look again.
    fn look(&mut self, now: WallTime) {
        self.alarm = None;
        let Some(lane) = self.on_air else { return };
        let other = lane.other();
        if !self.publisher(other).connected {
            return;
        }
        let stops_at = self.publisher(lane).stops_at(self.publisher(other));
        if stops_at > now {
            self.alarm = Some(stops_at);
        } else if self.may_take_over(now, other) {
            self.take_over(other);
            // Whoever takes over lives: this does not go on.
            self.look(now);
        }
    }

    /// Whether `lane` has what it takes, and media time does not run too far ahead by it.
    fn may_take_over(&self, now: WallTime, lane: Lane) -> bool {
        self.publisher(lane).can_take_over(now) && self.ahead_after(lane) <= MAX_AHEAD
    }

    fn ahead_after(&self, lane: Lane) -> Duration {
        let ended = self.publisher(lane.other()).last_unit;
        let since = self.publisher(lane).held.since();
        (self.ahead + ended.since(since)).saturating_sub(since.since(ended))
    }

    fn take_over(&mut self, lane: Lane) {
        self.ahead = self.ahead_after(lane);
        self.switches += 1;
        self.on_air = Some(lane);
        let since = self.publisher(lane).held.since();
        self.actions.push_back(Action::TakeOver { to: lane, since });
        self.pass_held(lane);
    }

    /// Puts a lane on air whose media is still to come, or goes on in mid-group.
    fn begin(&mut self, lane: Lane) {
        self.on_air = Some(lane);
        self.actions.push_back(Action::Begin);
        self.publisher_mut(lane).held.clear();
        self.pass_held(lane);
    }

    fn pass_held(&mut self, lane: Lane) {
        let held = &mut self.publisher_mut(lane).held;
        held.bytes = 0;
        let tracks = held.tracks.clone().into_iter();
        let configs = held.configs.clone().into_iter().map(Media::Config);
        let units = std::mem::take(&mut held.units);
        let units = units.into_iter().map(|(_, unit)| Media::Unit(unit));
        let media = configs.chain(units);
        self.actions.extend(tracks.map(Action::PassTrack));
        self.actions.extend(media.map(Action::Pass));
    }

    fn publisher(&self, lane: Lane) -> &Publisher {
        match lane {
            Lane::Primary => &self.primary,
            Lane::Backup => &self.backup,
        }
    }

    fn publisher_mut(&mut self, lane: Lane) -> &mut Publisher {
        match lane {
            Lane::Primary => &mut self.primary,
            Lane::Backup => &mut self.backup,
        }
    }
}

impl Publisher {
    fn heard(&mut self, now: WallTime, media: &Media) {
        let Media::Unit(unit) = media else { return };
        let picture = unit.kind == TrackKind::Video;
        let was_silent = now.since(self.last_unit) >= SILENCE;
        let was_dark = picture && now.since(self.last_picture) >= NO_PICTURES;
        if was_silent || was_dark {
            self.steady_since = None;
        }
        self.steady_since.get_or_insert(now);
        self.last_unit = now;
        if picture {
            self.last_picture = now;
        }
    }

    /// When it counts as stopped, unless something comes.
    fn stops_at(&self, other: &Self) -> WallTime {
        let silent = self.last_unit.plus(SILENCE);
        let pictures_stop = self.last_picture.plus(NO_PICTURES);
        match other.held.leader() {
            TrackKind::Video if other.last_picture > self.last_picture => silent.min(pictures_stop),
            _ => silent,
        }
    }

    /// Lives, and has brought something to begin with.
    fn can_take_over(&self, now: WallTime) -> bool {
        self.connected && now.since(self.last_unit) < SILENCE && !self.held.units.is_empty()
    }

    fn is_steady(&self, now: WallTime) -> bool {
        self.steady_since
            .is_some_and(|since| now.since(since) >= STEADY)
    }
}

impl Held {
    fn take_config(&mut self, media: &Media) {
        let Media::Config(config) = media else { return };
        let known = self.configs.iter_mut().find(|c| c.kind() == config.kind());
        match known {
            Some(known) if known == config => return,
            Some(known) => *known = config.clone(),
            None => self.configs.push(config.clone()),
        }
        // What came before can't be decoded with it.
        self.clear();
    }

    fn take_track(&mut self, from_track: &FromTrack) {
        if matches!(
            from_track,
            FromTrack::Media {
                media: Media::Unit(_),
                ..
            }
        ) {
            return;
        }
        let tells_of = |told: &FromTrack| match told {
            FromTrack::Label { kind, index, .. } => (true, *kind, *index),
            FromTrack::Media { index, media } => (false, media.kind(), *index),
        };
        self.tracks
            .retain(|told| tells_of(told) != tells_of(from_track));
        self.tracks.push(from_track.clone());
    }

    /// The track that groups are counted by.
    fn leader(&self) -> TrackKind {
        let has_video = self.configs.iter().any(|c| c.kind() == TrackKind::Video);
        match has_video {
            true => TrackKind::Video,
            false => TrackKind::Audio,
        }
    }

    fn push(&mut self, now: WallTime, unit: Unit) {
        match self.leader() {
            TrackKind::Video if unit.keyframe && unit.kind == TrackKind::Video => self.clear(),
            TrackKind::Video if self.units.is_empty() => return,
            TrackKind::Video if now.since(self.since()) > HELD => return self.clear(),
            TrackKind::Video => {}
            TrackKind::Audio => self.forget_before(unit.pts.0.saturating_sub(HELD_SOUND)),
        }
        self.bytes += unit.data.len();
        self.units.push_back((now, unit));
        if self.bytes > HELD_BYTES {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.units.clear();
        self.bytes = 0;
    }

    fn forget_before(&mut self, pts: i64) {
        let old = |(_, unit): &mut (WallTime, Unit)| unit.pts.0 < pts;
        while let Some((_, unit)) = self.units.pop_front_if(old) {
            self.bytes -= unit.data.len();
        }
    }

    /// When the first of what is kept came.
    fn since(&self) -> WallTime {
        self.units.front().map_or(WallTime(0), |(came, _)| *came)
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
