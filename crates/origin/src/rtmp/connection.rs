//! One encoder's connection.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use weir_ingest::{
    repair::Repairs,
    rtmp::{End, Event, Limits, PublishRequest, Refusal, Session},
};
use weir_model::VideoId;

use super::{
    APP, FromEncoder, Publishers,
    claims::{Claim, Claims},
    read_len,
};

const READ_LEN: usize = 16 * 1024;
/// A peer that doesn't take an answer of a few hundred bytes for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest that deciding about a stream key may take.
const DECISION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long, and for how many bytes, a refused peer is read on, so that it gets to see the refusal
/// instead of a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_LEN: usize = 256 * 1024;

/// What connections share.
pub(super) struct Context {
    pub(super) publishers: Arc<dyn Publishers>,
    pub(super) claims: Arc<Claims>,
    pub(super) shutdown: CancellationToken,
}

/// How a connection ended, for the log.
pub(super) struct Closed {
    pub(super) reason: String,
    pub(super) video: Option<VideoId>,
    pub(super) repairs: Repairs,
    /// What the encoder called itself.
    pub(super) encoder: Option<String>,
    /// Nothing went wrong.
    pub(super) orderly: bool,
    /// Not a byte came: a port scan or a health check.
    pub(super) silent: bool,
}

struct Connection<'a, S> {
    stream: S,
    session: Session,
    peer: &'a str,
    context: Context,
    publication: Option<Publication>,
}

/// What a connection has while it publishes. Dropped in the order written: the channel is closed
/// before another may claim the video.
struct Publication {
    media: mpsc::Sender<FromEncoder>,
    repairs: Repairs,
    claim: Claim,
}

/// Runs a connection, in the clear or over TLS, to its end.
pub(super) async fn run<S>(stream: S, peer: &str, context: Context) -> Closed
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let session = Session::new(Instant::now().into_std(), APP, Limits::default());
    let mut connection = Connection {
        stream,
        session,
        peer,
        context,
        publication: None,
    };
    let mut silent = true;
    let end = connection.drive(&mut silent).await;
    let video = connection.video();
    let closed = Closed {
        reason: end.to_string(),
        video,
        repairs: connection.session.repairs(),
        encoder: connection.session.encoder().map(str::to_owned),
        orderly: matches!(
            end,
            End::Unpublished | End::Refused(Refusal::VideoEnded | Refusal::Unavailable)
        ),
        silent: silent && matches!(end, End::Disconnected),
    };
    let stopped = end == End::Unpublished;
    if let Some(publication) = connection.publication.take() {
        // The receiver may be gone, which is one of the reasons to be here.
        let _ = timeout(
            WRITE_TIMEOUT,
            publication.media.send(FromEncoder::Ended(end)),
        )
        .await;
    }
    connection.linger(stopped).await;
    closed
}

enum Wake {
    Read(usize),
    TimedOut,
    Replaced,
    ReceiverGone,
    Shutdown,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    /// What is being published.
    fn video(&self) -> Option<VideoId> {
        let publication = self.publication.as_ref();
        publication.map(|publication| publication.claim.video())
    }

    async fn drive(&mut self, silent: &mut bool) -> End {
        let mut buffer = vec![0; READ_LEN];
        loop {
            if let Some(end) = self.settle().await {
                return end;
            }
            match self.wait(&mut buffer).await {
                Wake::Read(0) => self.session.handle_eof(),
                Wake::Read(len) => {
                    *silent = false;
                    if let Some(publication) = &self.publication {
                        publication.claim.touch();
                    }
                    self.session
                        .handle_input(Instant::now().into_std(), &buffer[..len]);
                }
                Wake::TimedOut => self.session.handle_timeout(Instant::now().into_std()),
                Wake::Replaced => self.session.reject(Refusal::Replaced),
                Wake::ReceiverGone => self.session.reject(Refusal::VideoEnded),
                Wake::Shutdown if self.session.is_publishing() => {
                    self.session.reject(Refusal::Unavailable);
                }
                Wake::Shutdown => return End::Refused(Refusal::Unavailable),
            }
        }
    }

    /// Carries out what the session wants, until it waits for input. The end, if it came.
    async fn settle(&mut self) -> Option<End> {
        let mut end = None;
        loop {
            while let Some(event) = self.session.poll_event() {
                match event {
                    Event::PublishRequested(request) => self.decide(&request).await,
                    Event::Media(media) => self.deliver(FromEncoder::Media(media)).await,
                    Event::Track(from_track) => {
                        self.deliver(FromEncoder::Track(from_track)).await;
                    }
                    Event::TrackRefused(track) => {
                        let video = self.video().map(tracing::field::display);
                        warn!(peer = self.peer, video, reason = %track, "encoder sends a track that is not taken");
                    }
                    Event::Ended(reason) => end = Some(reason),
                }
            }
            let output = self.session.take_output();
            if output.is_empty() {
                break;
            }
            let written = timeout(WRITE_TIMEOUT, self.stream.write_all(&output)).await;
            if !matches!(written, Ok(Ok(()))) {
                self.session.handle_eof();
            }
        }
        let repairs = self.session.repairs();
        if let Some(publication) = &mut self.publication
            && publication.repairs != repairs
        {
            publication.repairs = repairs;
            self.deliver(FromEncoder::Repaired(repairs)).await;
        }
        end
    }

    async fn wait(&mut self, buffer: &mut [u8]) -> Wake {
        let deadline = self.session.poll_timeout().map(Instant::from_std);
        let timed_out = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => pending().await,
            }
        };
        let publication = self.publication.as_ref();
        let lost = async {
            let Some(Publication { media, claim, .. }) = publication else {
                return pending().await;
            };
            tokio::select! {
                () = claim.replaced() => Wake::Replaced,
                () = media.closed() => Wake::ReceiverGone,
            }
        };
        // In this order: a flood of bytes must not hide that it is over, and bytes that lie here
        // count, however late we come to read them.
        tokio::select! {
            biased;
            () = self.context.shutdown.cancelled() => Wake::Shutdown,
            wake = lost => wake,
            read = self.stream.read(buffer) => Wake::Read(read_len(read)),
            () = timed_out => Wake::TimedOut,
        }
    }

    async fn decide(&mut self, request: &PublishRequest) {
        let admitted = match timeout(DECISION_TIMEOUT, self.admit(request)).await {
            Ok(admitted) => admitted,
            Err(_) => Err(Refusal::Unavailable),
        };
        match admitted {
            Ok(publication) => {
                let (video, lane) = (publication.claim.video(), publication.claim.lane());
                self.publication = Some(publication);
                self.session.accept(Instant::now().into_std());
                info!(peer = self.peer, %video, %lane, "encoder publishing");
            }
            Err(refusal) => self.session.reject(refusal),
        }
    }

    async fn admit(&self, request: &PublishRequest) -> Result<Publication, Refusal> {
        let video = self.context.publishers.authorize(&request.key).await?;
        let claim = self.context.claims.claim(video, request.lane).await?;
        let media = self.context.publishers.publish(video, request.lane).await?;
        Ok(Publication {
            media,
            repairs: Repairs::default(),
            claim,
        })
    }

    /// Hands something inwards, waiting for room: the encoder feels it as a slow network.
    async fn deliver(&mut self, item: FromEncoder) {
        let Some(Publication { media, claim, .. }) = &self.publication else {
            return;
        };
        let refusal = tokio::select! {
            sent = media.send(item) => match sent {
                Ok(()) => return,
                Err(_) => Refusal::VideoEnded,
            },
            () = claim.replaced() => Refusal::Replaced,
            () = self.context.shutdown.cancelled() => Refusal::Unavailable,
        };
        self.session.reject(refusal);
    }

    /// Lets the peer take the last words and close. One that has stopped by itself closes by itself,
    /// and would take our closing first for a failure.
    async fn linger(&mut self, stopped: bool) {
        let _ = timeout(LINGER, async {
            if !stopped {
                self.stream.shutdown().await?;
            }
            let mut left = LINGER_LEN;
            let mut buffer = [0; 4096];
            while left > 0 {
                let len = self.stream.read(&mut buffer).await?;
                if len == 0 {
                    break;
                }
                left = left.saturating_sub(len);
            }
            std::io::Result::Ok(())
        })
        .await;
    }
}
