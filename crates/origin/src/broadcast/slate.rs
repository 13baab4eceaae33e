//! Has a child make the slate: one life of `weir-transcode slate`, framed media over its pipes.

use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStdin, ChildStdout, Command},
};
use tracing::{info, warn};
use weir_media::{
    framing::{self, Decoder, Frame, FrameTooLong, InvalidFrame, SlateJob},
    live::slate::{InvalidLoop, LoopTrack, SlateLoop, of_stored},
    record::SegmentRecord,
    track,
    unit::{Media, Timestamp, TrackConfig, TrackKind, Unit},
};
use weir_model::{RenditionId, VideoId};

use super::Broadcast;
use crate::{
    archive::Contents,
    spool::{self, Spool},
};

/// How long making a slate may take. Two seconds are enough on a machine that has time.
const DEADLINE: Duration = Duration::from_secs(15);

/// Most memory that the child may have for itself, in bytes. Pictures of 8K with all that they
/// refer to take half of it.
const MEMORY: u64 = 4 << 30;

/// Most bytes that it may answer.
const ANSWER: usize = 32 << 20;

/// Bytes read from the child at a time.
const READ: usize = 64 << 10;

/// What is shown while an encoder is away.
#[derive(Clone, Debug)]
pub struct Config {
    /// `weir-transcode`.
    pub program: PathBuf,
    /// A picture to show instead of the last one that the encoder sent.
    pub picture: Option<PathBuf>,
    /// How much of an absence passes before.
    pub after: Duration,
}

/// Why there is no slate.
#[derive(Debug, Error)]
enum MakeError {
    #[error("the child could not be started: {0}")]
    Spawn(#[source] io::Error),
    #[error("the child's memory could not be bounded: {0}")]
    Memory(#[source] io::Error),
    #[error("pipe: {0}")]
    Pipe(#[from] io::Error),
    #[error("the child answered nonsense: {0}")]
    Frame(#[from] InvalidFrame),
    #[error(transparent)]
    TooLong(#[from] FrameTooLong),
    #[error("the child answered more than {ANSWER} bytes")]
    Large,
    #[error("the child answered with a frame that belongs to no loop")]
    Unexpected,
    #[error("the child left with {0}")]
    Exit(ExitStatus),
    #[error("the child closed its output before its last word")]
    CutShort,
    #[error("it was not done within {} s", DEADLINE.as_secs())]
    Deadline,
    #[error(transparent)]
    Loop(#[from] InvalidLoop),
}

/// What a slate can be made of after a crash: how the source and its sound were coded, and the last
/// pictures that were stored. Nothing if that is no longer in the spool. Blocks.
pub(crate) fn last_stored(spool: &Spool, video: VideoId, contents: &Contents) -> Vec<Media> {
    let of = |kind| {
        let rendition = name(kind);
        let records = contents.segments.iter();
        let records = records.filter(move |record| record.rendition == rendition && !record.gap);
        records.max_by_key(|record| record.msn)
    };
    let read = |record: &SegmentRecord, kind| {
        let (epoch, rendition) = (record.epoch, record.rendition);
        let found = spool.read(spool::Name {
            video,
            epoch,
            rendition,
            kind,
        });
        found.ok()
    };
    let init = |record: &SegmentRecord| read(record, spool::Kind::Init(record.init));
    let Some(last) = of(TrackKind::Video) else {
        return Vec::new();
    };
    let sound = of(TrackKind::Audio).and_then(init);
    let inits: Vec<_> = init(last).into_iter().chain(sound).collect();
    let Some(segment) = read(last, spool::Kind::Segment(last.msn)) else {
        return Vec::new();
    };
    of_stored(&inits, &segment).unwrap_or_else(|error| {
        warn!(%video, %error, "what is stored makes no slate");
        Vec::new()
    })
}

impl Broadcast {
    /// Has a slate made of the last that the encoder sent, and tells the core of it.
    pub(super) fn make_slate(&self, absence: u64, media: Vec<Media>) {
        let (Some(config), Some(this)) = (&self.surroundings.slate, self.this.upgrade()) else {
            return;
        };
        let config = config.clone();
        tokio::spawn(async move {
            let made = tokio::select! {
                made = tokio::time::timeout(DEADLINE, make(&config, media)) => made,
                () = this.closed.cancelled() => return,
            };
            this.slate_made(absence, made.unwrap_or(Err(MakeError::Deadline)));
        });
    }

    fn slate_made(self: &Arc<Self>, absence: u64, made: Result<SlateLoop, MakeError>) {
        let metrics = &self.surroundings.metrics;
        match made {
            Ok(slate) => {
                metrics.slates.inc();
                info!(video = %self.video, "slate made");
                self.tell(|live, now| live.slate_made(now, absence, slate));
            }
            Err(error) => {
                metrics.slates_failed.inc();
                warn!(video = %self.video, %error, "slate not made");
                self.tell(|live, now| live.slate_failed(now, absence));
            }
        }
    }
}

/// When this future is dropped, the child is killed.
async fn make(config: &Config, media: Vec<Media>) -> Result<SlateLoop, MakeError> {
    let mut child = Command::new(&config.program)
        .arg("slate")
        .env("NO_COLOR", "1")
        // SVT-AV1 writes a page about itself otherwise.
        .env("SVT_LOG", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        // A Ctrl-C at the terminal is for the origin, which ends its children itself.
        .process_group(0)
        .spawn()
        .map_err(MakeError::Spawn)?;
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    let bound = Rlimit {
        current: Some(MEMORY),
        maximum: Some(MEMORY),
    };
    prlimit(pid, Resource::Data, bound).map_err(|e| MakeError::Memory(e.into()))?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(MakeError::CutShort);
    };
    let job = SlateJob {
        picture: config.picture.as_deref().map(written),
    };
    let (told, answered) = tokio::join!(tell(stdin, job, media), listen(stdout));
    match answered {
        Ok(tracks) => Ok(SlateLoop::new(tracks)?),
        // Its exit status says more than the broken pipes that come with it.
        Err(MakeError::CutShort | MakeError::Pipe(_)) => Err(MakeError::Exit(child.wait().await?)),
        Err(error) => Err(told.err().unwrap_or(error)),
    }
}

fn written(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn name(kind: TrackKind) -> RenditionId {
    track::rendition(kind, track::TrackIndex::LEAD)
}

async fn tell(mut stdin: ChildStdin, job: SlateJob, media: Vec<Media>) -> Result<(), MakeError> {
    let media = media.into_iter().map(|media| match media {
        Media::Config(config) => Frame::Config {
            rendition: name(config.kind()),
            config,
        },
        Media::Unit(unit) => Frame::Unit {
            rendition: name(unit.kind),
            cut: false,
            unit,
        },
    });
    for frame in [Frame::Slate(job)]
        .into_iter()
        .chain(media)
        .chain([Frame::End])
    {
        stdin.write_all(&framing::encode(&frame)?).await?;
    }
    Ok(())
}

/// A track that is being answered.
struct Answered {
    rendition: RenditionId,
    config: TrackConfig,
    units: Vec<Unit>,
    length: Timestamp,
}

async fn listen(mut stdout: ChildStdout) -> Result<Vec<LoopTrack>, MakeError> {
    let mut decoder = Decoder::default();
    let mut buffer = BytesMut::with_capacity(READ);
    let mut tracks: Vec<Answered> = Vec::new();
    let mut read = 0;
    loop {
        buffer.reserve(READ);
        let len = stdout.read_buf(&mut buffer).await?;
        if len == 0 {
            return Err(MakeError::CutShort);
        }
        read += len;
        if read > ANSWER {
            return Err(MakeError::Large);
        }
        decoder.feed(&buffer.split());
        while let Some(frame) = decoder.next_frame()? {
            if !take(&mut tracks, frame)? {
                let track = |track: Answered| LoopTrack {
                    config: track.config,
                    units: track.units,
                    length: track.length,
                };
                return Ok(tracks.into_iter().map(track).collect());
            }
        }
    }
}

/// Answers whether there is more to come.
fn take(tracks: &mut Vec<Answered>, frame: Frame) -> Result<bool, MakeError> {
    match frame {
        Frame::Config { rendition, config } => tracks.push(Answered {
            rendition,
            config,
            units: Vec::new(),
            length: Timestamp::default(),
        }),
        Frame::Unit {
            rendition, unit, ..
        } => of(tracks, rendition)?.units.push(unit),
        Frame::Again { rendition, at } => of(tracks, rendition)?.length = at,
        Frame::End => return Ok(false),
        _ => return Err(MakeError::Unexpected),
    }
    Ok(true)
}

fn of(tracks: &mut [Answered], rendition: RenditionId) -> Result<&mut Answered, MakeError> {
    let mut tracks = tracks.iter_mut();
    let known = tracks.find(|track| track.rendition == rendition);
    known.ok_or(MakeError::Unexpected)
}
