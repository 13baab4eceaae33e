//! The transcoder child of a broadcast.
//!
//! - [`queue`]: what waits for the child, bounded in time
//! - [`child`]: the life of the process
//! - [`ladder`]: what an operator asks it to make
//!
//! A [`Transcoder`] is one child. When it dies its [`Output`] is told; the live core then asks for
//! another one, from the next segment on.

pub mod child;
pub mod ladder;
pub mod queue;

use std::{path::PathBuf, sync::Arc, time::Duration};

use prometheus_client::metrics::counter::Counter;
use tokio::task::AbortHandle;
use tracing::{info, warn};
use weir_media::{
    framing::{LadderJob, RungState},
    unit::{Media, Timestamp},
};
use weir_model::{RenditionId, VideoId};

use self::queue::Queue;
use crate::metrics::Metrics;

/// Who takes what a transcoder makes.
pub trait Output: Send + Sync {
    /// The next configuration or unit of a rendition.
    fn media(&self, rendition: RenditionId, media: Media);
    /// A rendition is left out, or made again from the picture at `at` on.
    fn rung(&self, rendition: RenditionId, state: RungState, at: Timestamp);
    /// None of the source's pictures can be decoded; told again while that lasts.
    fn undecodable(&self);
    /// The child has ended; what it had not answered is lost.
    fn lost(&self);
}

/// How long a child may take to answer what it still holds once its input has ended.
const FLUSH: Duration = Duration::from_secs(2);

/// One broadcast's transcoder. Dropping it kills the child; [`Transcoder::finish`] lets it answer
/// what it holds.
#[derive(Debug)]
pub struct Transcoder {
    queue: Arc<Queue>,
    /// Until it may end by itself.
    supervisor: Option<AbortHandle>,
}

impl Transcoder {
    /// Starts a child of `program`, after `delay`. Must be called within a tokio runtime.
    pub fn start(
        program: PathBuf,
        video: VideoId,
        job: LadderJob,
        delay: Duration,
        output: Arc<dyn Output>,
        metrics: &Metrics,
    ) -> Self {
        let queue = Arc::new(Queue::new(metrics.transcoder_units_dropped.clone()));
        let lost = metrics.transcoders_lost.clone();
        let life = Life {
            program,
            video,
            job,
            queue: queue.clone(),
            output,
            lost,
        };
        let supervisor = tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            life.run().await;
        });
        Self {
            queue,
            supervisor: Some(supervisor.abort_handle()),
        }
    }

    /// Hands over the next configuration or unit of the source; `cut` says that a segment begins
    /// with it. Never blocks: a child that is behind misses units up to the next IDR.
    pub fn feed(&self, media: Media, cut: bool) {
        self.queue.push(media, cut);
    }

    /// Ends the input. The child answers what it holds within two seconds, or is killed.
    pub fn finish(mut self) {
        self.supervisor = None;
        self.queue.close();
    }
}

impl Drop for Transcoder {
    fn drop(&mut self) {
        if let Some(supervisor) = &self.supervisor {
            supervisor.abort();
        }
    }
}

struct Life {
    program: PathBuf,
    video: VideoId,
    job: LadderJob,
    queue: Arc<Queue>,
    output: Arc<dyn Output>,
    lost: Counter,
}

impl Life {
    async fn run(self) {
        let Self {
            program,
            video,
            job,
            queue,
            output,
            lost,
        } = self;
        let running = child::run(&program, video, &job, &queue, output.as_ref());
        let ended = tokio::select! {
            ended = running => ended,
            () = async { queue.closed().await; tokio::time::sleep(FLUSH).await } => {
                return warn!(%video, "transcoder killed: it did not end in time");
            }
        };
        if queue.is_closed() {
            return info!(%video, reason = %ended, "transcoder ended");
        }
        warn!(%video, reason = %ended, "transcoder lost");
        lost.inc();
        output.lost();
    }
}
