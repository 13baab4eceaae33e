//! A broadcast's encoders: what they bring goes through the lanes, which decide whose is passed on.

use tracing::info;
use weir_ingest::repair::Repairs;
use weir_media::{track::FromTrack, unit::Media};
use weir_model::{Lane, WallTime};

use super::{
    Broadcast,
    lanes::{Action, LaneStatus, Lanes},
};

impl Broadcast {
    /// An encoder begins on a lane, first or again.
    pub(super) fn connect(&self, lane: Lane) {
        self.arrange(|lanes, now| lanes.connect(now, lane));
    }

    /// Media from the encoder on a lane.
    pub(super) fn push(&self, lane: Lane, media: Media) {
        if matches!(media, Media::Unit(_)) {
            self.surroundings.metrics.units.inc();
        }
        self.arrange(|lanes, now| lanes.push(now, lane, media));
    }

    /// Of the further tracks of the encoder on a lane.
    pub(super) fn push_track(&self, lane: Lane, from_track: FromTrack) {
        self.arrange(|lanes, _| lanes.push_track(lane, from_track));
    }

    /// The encoder on a lane has left. After the last one the reconnect window begins.
    pub(super) fn disconnect(&self, lane: Lane) {
        self.arrange(|lanes, now| lanes.disconnect(now, lane));
    }

    /// Who is on air, and who stands by.
    pub fn lanes(&self) -> LaneStatus {
        let inner = self.lock();
        inner.lanes.status(self.surroundings.clock.now())
    }

    /// What was repaired at the door, for all encoders of this epoch.
    pub fn encoder_repairs(&self) -> Repairs {
        let [primary, backup] = self.lock().encoder_repairs;
        primary + backup
    }

    pub(super) fn lane_repairs(&self, lane: Lane) -> Repairs {
        self.lock().encoder_repairs[lane as usize]
    }

    /// What has been repaired at the door of a lane so far.
    pub(super) fn note_repairs(&self, lane: Lane, repairs: Repairs) {
        self.lock().encoder_repairs[lane as usize] = repairs;
    }

    /// Tells the lanes one thing, and the core what follows from it.
    pub(super) fn arrange(&self, fact: impl FnOnce(&mut Lanes, WallTime)) {
        let mut inner = self.lock();
        let now = self.surroundings.clock.now();
        fact(&mut inner.lanes, now);
        while let Some(action) = inner.lanes.poll_action() {
            match action {
                Action::Begin => inner.live.publish(now),
                Action::TakeOver { to, since } => {
                    self.surroundings.metrics.lane_switches.inc();
                    info!(video = %self.video, on_air = %to, "publisher switched");
                    inner.live.take_over(now, since);
                }
                Action::Pass(media) => inner.live.push(now, media),
                Action::PassTrack(from_track) => inner.live.push_track(now, from_track),
                Action::Leave => inner.live.unpublish(now),
            }
        }
        self.settle(inner);
    }
}
