//! One encoder's connection.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use weir_ingest::{
    repair::Repairs,
    rtmp::{End, Refusal, Wait},
    ts::{Damage, Demuxer, Event},
};
use weir_model::VideoId;

use super::{reader::Reader, stream_id::stream_key};
use crate::rtmp::{Claim, Claims, FromEncoder, Publishers};

/// Most packets that are demultiplexed in one go.
const BATCH: usize = 64;
/// Longest without a packet while publishing. libsrt itself gives up a peer that is gone after
/// 5 s; this is for one that is there and sends nothing.
const IDLE: Duration = Duration::from_secs(15);
/// Longest that deciding about a stream key may take.
const DECISION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long saying inwards that it is over may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(5);

/// What connections share.
pub(super) struct Context {
    pub(super) publishers: Arc<dyn Publishers>,
    pub(super) claims: Arc<Claims>,
    pub(super) shutdown: CancellationToken,
}

/// How a connection ended, for the log.
pub(super) struct Closed {
    pub(super) reason: String,
    /// What was published, if anything was.
    pub(super) publication: Option<(VideoId, Repairs, Damage)>,
}

/// What a connection has while it publishes. Dropped in the order written: the channel is closed
/// before another may claim the video.
struct Publication {
    media: mpsc::Sender<FromEncoder>,
    repairs: Repairs,
    claim: Claim,
}

/// Runs a connection to its end.
pub(super) async fn run(connection: weir_srt::Connection, peer: &str, context: Context) -> Closed {
    let refused = |reason: String| Closed {
        reason,
        publication: None,
    };
    let stream_id = match connection.stream_id() {
        Ok(stream_id) => stream_id,
        Err(error) => return refused(error.to_string()),
    };
    let admitted = tokio::select! {
        admitted = admit(&stream_id, &context) => admitted,
        () = context.shutdown.cancelled() => Err(Refusal::Unavailable),
    };
    let mut publication = match admitted {
        Ok(publication) => publication,
        Err(refusal) => return refused(End::Refused(refusal).to_string()),
    };
    let mut reader = match Reader::start(connection) {
        Ok(reader) => reader,
        Err(error) => return refused(error.to_string()),
    };
    let (video, lane) = (publication.claim.video(), publication.claim.lane());
    info!(peer, %video, %lane, "encoder publishing");
    let mut demuxer = Demuxer::default();
    let end = publication
        .drive(&mut reader, &mut demuxer, &context.shutdown)
        .await;
    let closed = Closed {
        reason: end.to_string(),
        publication: Some((video, demuxer.repairs(), demuxer.damage())),
    };
    // The receiver may be gone, which is one of the reasons to be here.
    let goodbye = publication.media.send(FromEncoder::Ended(end));
    let _ = timeout(GOODBYE_TIMEOUT, goodbye).await;
    closed
}

async fn admit(stream_id: &str, context: &Context) -> Result<Publication, Refusal> {
    // The gate has let it in, so there is one.
    let (key, lane) = stream_key(stream_id).map_err(|_| Refusal::UnknownKey)?;
    let admitted = timeout(DECISION_TIMEOUT, async {
        let video = context.publishers.authorize(&key).await?;
        let claim = context.claims.claim(video, lane).await?;
        let media = context.publishers.publish(video, lane).await?;
        Ok(Publication {
            media,
            repairs: Repairs::default(),
            claim,
        })
    });
    admitted.await.unwrap_or(Err(Refusal::Unavailable))
}

impl Publication {
    /// Brings what comes inwards, until it is over.
    async fn drive(
        &mut self,
        reader: &mut Reader,
        demuxer: &mut Demuxer,
        shutdown: &CancellationToken,
    ) -> End {
        let mut last_input = Instant::now();
        loop {
            // In this order: a flood of packets must not hide that it is over, and packets that
            // lie here count, however late we come to read them.
            let packets = tokio::select! {
                biased;
                () = shutdown.cancelled() => return End::Refused(Refusal::Unavailable),
                () = self.claim.replaced() => return End::Refused(Refusal::Replaced),
                () = self.media.closed() => return End::Refused(Refusal::VideoEnded),
                packets = timeout_at(last_input + IDLE, reader.receive(BATCH)) => packets,
            };
            let Ok(packets) = packets else {
                return End::TimedOut(IDLE, Wait::Bytes);
            };
            last_input = Instant::now();
            let gone = packets.is_empty();
            if gone {
                demuxer.finish(last_input.into_std());
            } else {
                self.claim.touch();
            }
            for packet in packets {
                demuxer.handle_input(last_input.into_std(), &packet);
            }
            if let Err(refusal) = self.deliver_all(demuxer, shutdown).await {
                return End::Refused(refusal);
            }
            if gone {
                return End::Disconnected;
            }
        }
    }

    async fn deliver_all(
        &mut self,
        demuxer: &mut Demuxer,
        shutdown: &CancellationToken,
    ) -> Result<(), Refusal> {
        while let Some(event) = demuxer.poll_event() {
            match event {
                Event::Media(media) => {
                    self.deliver(FromEncoder::Media(media), shutdown).await?;
                }
                Event::Refused { pid, what } => {
                    let video = self.claim.video();
                    warn!(%video, pid, what, "a stream of the encoder is not taken");
                }
            }
        }
        let repairs = demuxer.repairs();
        if self.repairs != repairs {
            self.repairs = repairs;
            self.deliver(FromEncoder::Repaired(repairs), shutdown)
                .await?;
        }
        Ok(())
    }

    /// Hands something inwards, waiting for room.
    async fn deliver(
        &self,
        item: FromEncoder,
        shutdown: &CancellationToken,
    ) -> Result<(), Refusal> {
        tokio::select! {
            sent = self.media.send(item) => sent.map_err(|_| Refusal::VideoEnded),
            () = self.claim.replaced() => Err(Refusal::Replaced),
            () = shutdown.cancelled() => Err(Refusal::Unavailable),
        }
    }
}
