//! One life of a transcoder process: `weir-transcode live`, framed media over its pipes.

use std::{
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::BytesMut;
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{ChildStderr, ChildStdin, ChildStdout, Command},
    time::Instant,
};
use tracing::info;
use weir_media::{
    framing::{self, Decoder, Frame, FrameTooLong, InvalidFrame, LadderJob},
    live::{AUDIO, SOURCE},
    unit::{Media, TrackKind},
};
use weir_model::{RenditionId, VideoId};

use super::{
    Output,
    queue::{Item, Queue},
};

/// A child that is fed and says nothing for this long is stuck.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a child whose pipes are closed may take to leave.
const EXIT: Duration = Duration::from_millis(500);
/// Longest line of its log that is passed on, in bytes.
const MAX_LOG_LINE: u64 = 2048;
/// Bytes read from the child at a time.
const READ: usize = 64 << 10;

/// How a child's life ended.
#[derive(Debug, Error)]
pub enum Ended {
    /// It never began.
    #[error("could not be started: {0}")]
    Spawn(io::Error),
    /// It left.
    #[error("left with {0}")]
    Exit(ExitStatus),
    /// It closed its output and did not leave.
    #[error("closed its output")]
    Left,
    /// A pipe broke, which is how a child that was killed looks from here.
    #[error("pipe: {0}")]
    Pipe(#[from] io::Error),
    /// It said what is no frame.
    #[error("answered nonsense: {0}")]
    Frame(#[from] InvalidFrame),
    /// A unit is too large to be handed over.
    #[error(transparent)]
    TooLong(#[from] FrameTooLong),
    /// It was fed and said nothing.
    #[error("said nothing for {} s", SILENCE.as_secs())]
    Silent,
}

/// Starts a child, feeds it from `queue` and gives its answers to `output` until it ends. When
/// this future is dropped, the child is killed.
pub(super) async fn run(
    program: &Path,
    video: VideoId,
    job: &LadderJob,
    queue: &Queue,
    output: &dyn Output,
) -> Ended {
    let spawned = Command::new(program)
        .arg("live")
        .env("NO_COLOR", "1")
        // SVT-AV1 writes a page about itself otherwise.
        .env("SVT_LOG", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        // A Ctrl-C at the terminal is for the origin, which ends its children itself.
        .process_group(0)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(e) => return Ended::Spawn(e),
    };
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Ended::Spawn(io::Error::other("a pipe is missing"));
    };
    info!(%video, pid = child.id(), "transcoder started");
    let unanswered = Unanswered::default();
    let conversation = async {
        tokio::try_join!(
            feed(stdin, job, queue, &unanswered),
            listen(stdout, output, &unanswered),
            pass_on_log(stderr, video),
            unanswered.watch(),
        )
    };
    let ended = match conversation.await {
        Err(ended) => ended,
        Ok(_) => Ended::Left,
    };
    // The exit status says more than the broken pipe that comes with it.
    match tokio::time::timeout(EXIT, child.wait()).await {
        Ok(Ok(status)) => Ended::Exit(status),
        Ok(Err(e)) => Ended::Pipe(e),
        Err(_) => ended,
    }
}

/// Since when the child has been fed without an answer.
#[derive(Default)]
struct Unanswered(Mutex<Option<Instant>>);

impl Unanswered {
    fn fed(&self) {
        self.lock().get_or_insert_with(Instant::now);
    }

    fn answered(&self) {
        *self.lock() = None;
    }

    /// Fails when the child is stuck.
    async fn watch(&self) -> Result<(), Ended> {
        loop {
            let silent_at = self.lock().unwrap_or_else(Instant::now) + SILENCE;
            tokio::time::sleep_until(silent_at).await;
            if self
                .lock()
                .is_some_and(|since| since + SILENCE <= Instant::now())
            {
                return Err(Ended::Silent);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn feed(
    mut stdin: ChildStdin,
    job: &LadderJob,
    queue: &Queue,
    unanswered: &Unanswered,
) -> Result<(), Ended> {
    let name = |kind| match kind {
        TrackKind::Video => SOURCE,
        TrackKind::Audio => AUDIO,
    };
    let rendition = |kind| -> Result<RenditionId, Ended> {
        Ok(name(kind).parse().map_err(InvalidFrame::Rendition)?)
    };
    stdin
        .write_all(&framing::encode(&Frame::Job(job.clone()))?)
        .await?;
    while let Some(item) = queue.pop().await {
        let frame = match item {
            Item::Config(config) => Frame::Config {
                rendition: rendition(config.kind())?,
                config,
            },
            Item::Unit(unit, cut) => Frame::Unit {
                rendition: rendition(unit.kind)?,
                cut,
                unit,
            },
        };
        unanswered.fed();
        stdin.write_all(&framing::encode(&frame)?).await?;
    }
    stdin.write_all(&framing::encode(&Frame::End)?).await?;
    Ok(())
}

async fn listen(
    mut stdout: ChildStdout,
    output: &dyn Output,
    unanswered: &Unanswered,
) -> Result<(), Ended> {
    let mut decoder = Decoder::default();
    let mut buffer = BytesMut::with_capacity(READ);
    loop {
        buffer.reserve(READ);
        if stdout.read_buf(&mut buffer).await? == 0 {
            return Err(Ended::Left);
        }
        unanswered.answered();
        decoder.feed(&buffer.split());
        while let Some(frame) = decoder.next_frame()? {
            match frame {
                Frame::Config { rendition, config } => {
                    output.media(rendition, Media::Config(config));
                }
                Frame::Unit {
                    rendition, unit, ..
                } => output.media(rendition, Media::Unit(unit)),
                Frame::Rung {
                    rendition,
                    state,
                    at,
                } => output.rung(rendition, state, at),
                Frame::Idle => {}
                Frame::Undecodable { .. } => output.undecodable(),
                Frame::End | Frame::Job(_) | Frame::Slate(_) | Frame::Again { .. } => {
                    return Err(Ended::Left);
                }
            }
        }
    }
}

async fn pass_on_log(stderr: ChildStderr, video: VideoId) -> Result<(), Ended> {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut lines)
            .take(MAX_LOG_LINE)
            .read_until(b'\n', &mut line)
            .await?
            == 0
        {
            return Ok(());
        }
        info!(%video, "transcoder: {}", String::from_utf8_lossy(&line).trim_end());
    }
}
