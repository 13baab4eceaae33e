//! A publisher's session: sockets and clocks for [`Publisher`], and the way inwards.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tracing::info;
use weir_ingest::{
    repair::Repairs,
    rtmp::{End, Refusal},
};
use weir_media::unit::Media;

use super::{
    Shared,
    packet::Packet,
    peer::Over,
    publisher::{Counters, NO_MEDIA, Outcome, Publisher},
    routes::Route,
    sessions::Seat,
};
use crate::{
    broadcast::Broadcast,
    rtmp::{Claim, FromEncoder},
};

/// How long beginning to publish may take.
const DECISION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long saying inwards that it is over may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(5);

/// A session. Dropped in the order written: the channel inwards is closed before another may
/// claim the video.
pub(super) struct Publishing {
    pub(super) publisher: Publisher,
    pub(super) packets: mpsc::Receiver<Packet>,
    pub(super) inwards: Option<Inwards>,
    pub(super) route: Route,
    pub(super) claim: Claim,
    pub(super) seat: Seat,
    pub(super) shared: Arc<Shared>,
}

/// The way to the broadcast, once the connection stands.
pub(super) struct Inwards {
    media: mpsc::Sender<FromEncoder>,
    broadcast: Option<Arc<Broadcast>>,
    repairs: Repairs,
}

/// Why a session ended.
enum Ended {
    /// For the broadcast, and the log.
    By(End),
    /// The connection did.
    Connection(Over),
}

impl Publishing {
    /// Runs the session to its end.
    pub(super) async fn run(mut self) {
        let mut counted = Counters::default();
        let ended = loop {
            let settled = self.settle().await;
            self.count(&mut counted);
            if let Err(ended) = settled {
                break ended;
            }
            if let Err(ended) = self.wait().await {
                break ended;
            }
        };
        self.publisher.close();
        while let Some(Outcome::Transmit(transmit)) = self.publisher.poll() {
            self.shared.outlet.send(transmit).await;
        }
        let (video, lane) = (self.claim.video(), self.claim.lane());
        let end = match ended {
            Ended::By(end) => end,
            Ended::Connection(over) => {
                info!(%video, %lane, reason = %over, "WebRTC connection ended");
                End::Disconnected
            }
        };
        let repairs = self.publisher.repairs();
        let counters = self.publisher.counters();
        info!(%video, %lane, reason = %end, ?repairs, ?counters, "WebRTC publisher gone");
        if let Some(inwards) = &self.inwards {
            // The receiver may be gone, which is one of the reasons to be here.
            let goodbye = inwards.media.send(FromEncoder::Ended(end));
            let _ = timeout(GOODBYE_TIMEOUT, goodbye).await;
        }
    }

    /// Waits for something, and tells the core.
    async fn wait(&mut self) -> Result<(), Ended> {
        let refused = |refusal| Err(Ended::By(End::Refused(refusal)));
        let inwards = self.inwards.as_ref();
        let gone = async {
            match inwards {
                Some(inwards) => inwards.media.closed().await,
                None => std::future::pending().await,
            }
        };
        let keyframe_wanted = async {
            match inwards.and_then(|inwards| inwards.broadcast.as_ref()) {
                Some(broadcast) => broadcast.keyframe_wanted().await,
                None => std::future::pending().await,
            }
        };
        let next = self.publisher.poll_timeout().into();
        // In this order: a flood of packets must not hide that it is over.
        tokio::select! {
            biased;
            () = self.shared.shutdown.cancelled() => return refused(Refusal::Unavailable),
            () = self.seat.stopped() => return Err(Ended::By(End::Unpublished)),
            () = self.claim.replaced() => return refused(Refusal::Replaced),
            () = gone => return refused(Refusal::VideoEnded),
            () = sleep_until(next) => {
                self.publisher.handle_timeout(Instant::now().into_std());
            }
            () = keyframe_wanted => {
                self.publisher.want_keyframe(Instant::now().into_std());
            }
            Some(packet) = self.packets.recv() => {
                if let Some(source) = self.publisher.handle_packet(&packet) {
                    self.route.claim(source);
                }
            }
        }
        Ok(())
    }

    /// Does what the core asks for.
    async fn settle(&mut self) -> Result<(), Ended> {
        while let Some(outcome) = self.publisher.poll() {
            match outcome {
                Outcome::Transmit(transmit) => {
                    self.shared.outlet.send(transmit).await;
                }
                Outcome::Connected => self.begin().await?,
                Outcome::Media(media) => self.deliver(FromEncoder::Media(media)).await?,
                Outcome::Over(Over::NoMedia(_)) => {
                    let end = End::TimedOut(NO_MEDIA, weir_ingest::rtmp::Wait::Bytes);
                    return Err(Ended::By(end));
                }
                Outcome::Over(over) => return Err(Ended::Connection(over)),
            }
        }
        let repairs = self.publisher.repairs();
        if let Some(inwards) = self.inwards.as_mut().filter(|i| i.repairs != repairs) {
            inwards.repairs = repairs;
            self.deliver(FromEncoder::Repaired(repairs)).await?;
        }
        Ok(())
    }

    /// The connection stands: the video goes on air.
    async fn begin(&mut self) -> Result<(), Ended> {
        let (video, lane) = (self.claim.video(), self.claim.lane());
        let publishing = self.shared.publishers.publish(video, lane);
        let media = timeout(DECISION_TIMEOUT, publishing).await;
        let media = media
            .unwrap_or(Err(Refusal::Unavailable))
            .map_err(|refusal| Ended::By(End::Refused(refusal)))?;
        self.claim.touch();
        info!(%video, %lane, "encoder publishing over WebRTC");
        self.inwards = Some(Inwards {
            media,
            broadcast: self.shared.registry.on_air(video),
            repairs: Repairs::default(),
        });
        Ok(())
    }

    /// Hands something inwards, waiting for room.
    async fn deliver(&self, item: FromEncoder) -> Result<(), Ended> {
        let Some(inwards) = &self.inwards else {
            return Ok(());
        };
        if matches!(item, FromEncoder::Media(Media::Unit(_))) {
            self.claim.touch();
        }
        let refusal = tokio::select! {
            sent = inwards.media.send(item) => match sent {
                Ok(()) => return Ok(()),
                Err(_) => Refusal::VideoEnded,
            },
            () = self.claim.replaced() => Refusal::Replaced,
            () = self.shared.shutdown.cancelled() => Refusal::Unavailable,
        };
        Err(Ended::By(End::Refused(refusal)))
    }

    fn count(&self, counted: &mut Counters) {
        let now = self.publisher.counters();
        let metrics = &self.shared.metrics;
        metrics.webrtc_plis.inc_by(now.plis - counted.plis);
        metrics
            .webrtc_frames_dropped
            .inc_by(now.frames_dropped - counted.frames_dropped);
        *counted = now;
    }
}
