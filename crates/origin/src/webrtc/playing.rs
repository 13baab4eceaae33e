//! A viewer's session: sockets and clocks for [`Player`], and the units that it plays.

use std::sync::Arc;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tracing::debug;
use weir_media::live::State;

use super::{
    Shared,
    outlet::Sent,
    packet::Packet,
    player::{Outcome, Player},
    routes::Route,
    sessions::Seat,
};
use crate::broadcast::tap::Subscription;

/// A session.
pub(super) struct Playing {
    pub(super) player: Player,
    pub(super) packets: mpsc::Receiver<Packet>,
    pub(super) units: Subscription,
    pub(super) route: Route,
    pub(super) seat: Seat,
    pub(super) shared: Arc<Shared>,
}

impl Playing {
    /// Runs the session to its end.
    pub(super) async fn run(mut self) {
        let mut counted = 0;
        let broadcast = self.units.broadcast().clone();
        let mut state = broadcast.state();
        let reason = loop {
            if let Err(over) = self.settle().await {
                break over;
            }
            let dropped = self.player.frames_dropped();
            let metrics = &self.shared.metrics;
            metrics.webrtc_frames_dropped.inc_by(dropped - counted);
            counted = dropped;
            let next = self.player.poll_timeout().into();
            tokio::select! {
                biased;
                () = self.shared.shutdown.cancelled() => break "the origin goes down".to_owned(),
                () = self.seat.stopped() => break "the viewer left".to_owned(),
                _ = state.wait_for(|state| *state == State::Ended) => {
                    break "the broadcast ended".to_owned();
                }
                () = sleep_until(next) => {
                    self.player.handle_timeout(Instant::now().into_std());
                }
                Some(packet) = self.packets.recv() => {
                    if let Some(source) = self.player.handle_packet(&packet) {
                        self.route.claim(source);
                    }
                }
                tapped = self.units.next() => match tapped {
                    Ok(tapped) => {
                        let now = Instant::now().into_std();
                        self.player.handle_media(now, &tapped, || broadcast.tracks());
                    }
                    Err(missed) => self.player.skip(missed),
                },
            }
        };
        self.player.close();
        while let Some(Outcome::Transmit(transmit)) = self.player.poll() {
            self.shared.outlet.send(transmit).await;
        }
        debug!(video = %broadcast.video(), reason, dropped = counted, "WebRTC viewer gone");
    }

    /// Does what the core asks for. `Err` tells why it is over.
    async fn settle(&mut self) -> Result<(), String> {
        while let Some(outcome) = self.player.poll() {
            match outcome {
                Outcome::Transmit(transmit) => {
                    if self.shared.outlet.send(transmit).await == Sent::NoRoom {
                        self.player.skip(1);
                    }
                }
                Outcome::WantKeyframe => self.units.broadcast().want_keyframe(),
                Outcome::Over(over) => return Err(over.to_string()),
            }
        }
        Ok(())
    }
}
