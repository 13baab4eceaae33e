//! One video on air.
//!
//! - [`Broadcast`]: a [`Live`] behind a mutex that is held for microseconds, and the execution of
//!   what it asks for
//! - [`intake`]: the task that brings it what an encoder sends
//! - [`driver`]: the task that lets time pass for it
//! - `publishers`: its encoders, and `lanes`: which of the two is on air
//! - [`slate`]: the child that makes what is shown while all encoders are away
//! - [`books`]: the task that keeps metadata and archive in step with it
//! - [`tap`]: units to WebRTC viewers, before they are packaged
//! - `ladder`: its transcoder, started again when it dies
//!
//! Whoever brings something (the encoder's socket, the transcoder's pipe, the clock, the journal)
//! takes the mutex, tells [`Live`], and carries out its outputs before letting go, so that their
//! order is the order of the facts. Every output goes into a queue that never blocks.

pub mod books;
pub mod driver;
pub mod intake;
mod ladder;
mod lanes;
mod publishers;
pub mod slate;
pub mod tap;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use weir_ingest::repair::Repairs;
use weir_media::{
    live::{
        GrowthAnswer, Live, LiveConfig, MediaAnswer, Output, PositionAnswer, Restored, State,
        Status,
    },
    record::{InitRecord, SegmentRecord},
};
use weir_model::{
    Epoch, Lane, LiveEdge, Msn, PartIndex, PlaylistPosition, RenditionId, Skip, VideoId, WallTime,
};

pub use self::lanes::LaneStatus;
use self::{ladder::Births, lanes::Lanes, tap::Taps};
use crate::{
    archive::Shelf,
    clock::Clock,
    journal::{Entry, Journal},
    metrics::Metrics,
    spool::{self, Spool},
    transcode::Transcoder,
};

/// What every broadcast of an origin shares.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The origin's clock.
    pub clock: Clock,
    /// Where facts become durable.
    pub journal: Arc<Journal>,
    /// Where segments become durable.
    pub spool: Arc<Spool>,
    /// The transcoder's executable; without one, only the source is offered.
    pub transcoder: Option<PathBuf>,
    /// What is shown while all encoders are away, if anything.
    pub slate: Option<slate::Config>,
    /// How videos are packaged and listed.
    pub live: LiveConfig,
    /// What is counted.
    pub metrics: Metrics,
}

/// One video on air, in one epoch.
#[derive(Debug)]
pub struct Broadcast {
    video: VideoId,
    epoch: Epoch,
    surroundings: Surroundings,
    shelf: Arc<Shelf>,
    this: Weak<Broadcast>,
    inner: Mutex<Inner>,
    /// Msn up to which the journal has acknowledged reservations, and one: 0 is none.
    acknowledged: AtomicU64,
    /// Wakes the driver, whose plans have changed.
    wake: Notify,
    /// Counts the changes of what playlists and media requests are answered.
    changes: watch::Sender<u64>,
    /// Counts the changes of what the multivariant playlist says: a segment more, another coding.
    listed: AtomicU64,
    state: watch::Sender<State>,
    taps: Taps,
    /// Held by the encoder whose turn it is on its lane; the next one waits until all of its media
    /// is in.
    turns: [tokio::sync::Mutex<()>; Lane::ALL.len()],
    closed: CancellationToken,
}

#[derive(Debug)]
struct Inner {
    live: Live,
    lanes: Lanes,
    transcoder: Option<Transcoder>,
    births: Births,
    /// When the driver will look again by itself.
    alarm: Option<WallTime>,
    /// What was repaired at the door, for all encoders of this epoch on each lane.
    encoder_repairs: [Repairs; Lane::ALL.len()],
}

impl Broadcast {
    /// Takes a video on air. `shelf` is where what becomes durable is entered. Must be called
    /// within a tokio runtime; the broadcast drives itself until it has ended or is
    /// [closed](Self::close).
    pub fn start(
        surroundings: Surroundings,
        video: VideoId,
        epoch: Epoch,
        restored: Option<Restored>,
        shelf: Arc<Shelf>,
    ) -> Arc<Self> {
        let mut live_config = surroundings.live.clone();
        if surroundings.transcoder.is_none() {
            live_config.ladder.clear();
            live_config.sound.clear();
        }
        let live = Live::new(live_config, epoch, restored, surroundings.clock.now());
        surroundings.metrics.videos_on_air.inc();
        let broadcast = Arc::new_cyclic(|this| Self {
            video,
            epoch,
            surroundings,
            shelf,
            this: this.clone(),
            inner: Mutex::new(Inner {
                live,
                lanes: Lanes::default(),
                transcoder: None,
                births: Births::default(),
                alarm: None,
                encoder_repairs: Default::default(),
            }),
            acknowledged: AtomicU64::new(0),
            wake: Notify::new(),
            changes: watch::Sender::new(0),
            listed: AtomicU64::new(0),
            state: watch::Sender::new(State::Waiting),
            taps: Taps::default(),
            turns: Default::default(),
            closed: CancellationToken::new(),
        });
        // The first look finds out what the new core wants, a reservation first of all.
        broadcast.tell(|live, now| live.handle_timeout(now));
        tokio::spawn(driver::run(broadcast.clone()));
        broadcast
    }

    /// Which video.
    pub fn video(&self) -> VideoId {
        self.video
    }

    /// Which of its lives.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// What is stored of the video.
    pub fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// Ends the broadcast, whether or not an encoder is there.
    pub fn end(&self) {
        self.tell(|live, now| live.end(now));
    }

    /// Stops driving and lets the transcoder go, as the origin does when it shuts down. The
    /// broadcast does not end by this: the next life of the origin takes it up.
    pub fn close(&self) {
        self.closed.cancel();
        self.lock().transcoder = None;
    }

    /// Counts the changes of what [`playlist`](Self::playlist) and the media queries answer:
    /// subscribe, ask, and on `Wait` ask again at the next change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Where the broadcast is in its life, as it changes.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The multivariant playlist for whom at most `max_lines` are meant, once there is something to
    /// play.
    pub fn multivariant(&self, max_lines: Option<u32>) -> Option<String> {
        self.lock().live.multivariant(max_lines)
    }

    /// Counts the changes of what the multivariant playlist says. Read it before that.
    pub fn listed(&self) -> u64 {
        self.listed.load(Ordering::Acquire)
    }

    /// A live media playlist as it is.
    pub fn playlist(&self, rendition: RenditionId, skip: Skip) -> Option<String> {
        self.lock().live.playlist(rendition, skip)
    }

    /// Whether a position of a live media playlist is reached.
    pub fn reaches(&self, rendition: RenditionId, at: PlaylistPosition) -> PositionAnswer {
        self.lock().live.reaches(rendition, at)
    }

    /// How far a rendition has come; `None` without one, or once the broadcast is over.
    pub fn edge(&self, rendition: RenditionId) -> Option<LiveEdge> {
        self.lock().live.edge(rendition)
    }

    /// An initialisation segment.
    pub fn init(&self, epoch: Epoch, rendition: RenditionId, n: u32) -> MediaAnswer {
        self.lock().live.init(epoch, rendition, n)
    }

    /// A segment.
    pub fn segment(&self, epoch: Epoch, rendition: RenditionId, msn: Msn) -> MediaAnswer {
        self.lock().live.segment(epoch, rendition, msn)
    }

    /// A part of a segment.
    pub fn part(
        &self,
        epoch: Epoch,
        rendition: RenditionId,
        msn: Msn,
        part: PartIndex,
    ) -> MediaAnswer {
        self.lock().live.part(epoch, rendition, msn, part)
    }

    /// The chunks of a segment from the `from`th on, while it grows.
    pub fn growth(
        &self,
        epoch: Epoch,
        rendition: RenditionId,
        msn: Msn,
        from: usize,
    ) -> GrowthAnswer {
        self.lock().live.growth(epoch, rendition, msn, from)
    }

    /// Declared PART-TARGET in seconds.
    pub fn part_target_s(&self) -> f64 {
        self.lock().live.part_target_s()
    }

    /// Counters and warnings.
    pub fn status(&self) -> Status {
        self.lock().live.status()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time has passed.
    fn look(&self) {
        self.arrange(|lanes, now| lanes.handle_timeout(now));
        self.tell(|live, now| live.handle_timeout(now));
    }

    /// Tells the core one thing and does what it asks for.
    fn tell(&self, fact: impl FnOnce(&mut Live, WallTime)) {
        let mut inner = self.lock();
        fact(&mut inner.live, self.surroundings.clock.now());
        self.settle(inner);
    }

    /// Carries out all outputs, lets go of the core, and tells whoever is concerned.
    fn settle(&self, mut inner: MutexGuard<'_, Inner>) {
        let mut advanced = false;
        while let Some(output) = inner.live.poll_output() {
            match output {
                Output::Advanced => advanced = true,
                Output::Ended => {
                    advanced = true;
                    info!(video = %self.video, epoch = %self.epoch, "broadcast ended");
                }
                other => self.execute(&mut inner, other),
            }
        }
        let state = inner.live.state();
        let sooner = match (inner.next_look(), inner.alarm) {
            (Some(next), Some(alarm)) => next < alarm,
            (next, None) => next.is_some(),
            (None, Some(_)) => false,
        };
        drop(inner);
        if sooner {
            self.wake.notify_one();
        }
        if advanced {
            self.changes.send_modify(|changes| *changes += 1);
        }
        self.state
            .send_if_modified(|known| std::mem::replace(known, state) != state);
    }

    fn execute(&self, inner: &mut Inner, output: Output) {
        match output {
            Output::Reserve(msn) => self.reserve(msn),
            Output::Init { record, bytes } => self.keep_init(record, bytes),
            Output::Segment { record, bytes } => self.keep_segment(record, bytes),
            Output::TranscodeStart(job) => self.start_transcoder(inner, job),
            Output::Transcode { media, cut } => {
                if let Some(transcoder) = &inner.transcoder {
                    transcoder.feed(media, cut);
                }
            }
            Output::TranscodeEnd => {
                if let Some(transcoder) = inner.transcoder.take() {
                    transcoder.finish();
                }
            }
            Output::MakeSlate { absence, media } => self.make_slate(absence, media),
            Output::Tapped { rendition, media } => self.taps.pass(rendition, media),
            Output::Warning(warning) => {
                warn!(video = %self.video, warning = %warning, "streamer warned");
            }
            Output::Advanced | Output::Ended => {}
        }
    }

    /// The acknowledgement takes the way over the driver: it may come while the core is locked.
    fn reserve(&self, msn: Msn) {
        let this = self.this.clone();
        let acknowledge = move |result: Result<(), _>| {
            let Some(broadcast) = this.upgrade() else {
                return;
            };
            if result.is_err() {
                // Live goes on: names stay unique because a crash begins a new epoch.
                broadcast
                    .surroundings
                    .metrics
                    .reservations_not_durable
                    .inc();
            }
            broadcast
                .acknowledged
                .fetch_max(msn.0 + 1, Ordering::Release);
            broadcast.wake.notify_one();
        };
        let journal = &self.surroundings.journal;
        journal.append(
            self.video,
            &Entry::Reserved(msn),
            Some(Box::new(acknowledge)),
        );
    }

    fn keep_init(&self, record: InitRecord, bytes: Bytes) {
        self.listed.fetch_add(1, Ordering::Release);
        let name = self.spool_name(record.epoch, record.rendition, spool::Kind::Init(record.n));
        self.shelf.enter_init(record.clone());
        let this = self.this.clone();
        let done = move |result: Result<(), _>| {
            if let (Ok(()), Some(broadcast)) = (result, this.upgrade()) {
                let journal = &broadcast.surroundings.journal;
                journal.append(broadcast.video, &Entry::Init(record), None);
            }
        };
        self.surroundings
            .spool
            .write(name, vec![bytes], Box::new(done));
    }

    fn keep_segment(&self, record: SegmentRecord, bytes: Vec<Bytes>) {
        self.listed.fetch_add(1, Ordering::Release);
        let metrics = &self.surroundings.metrics;
        metrics.segments.inc();
        metrics
            .parts
            .inc_by(record.parts.iter().filter(|part| !part.gap).count() as u64);
        if record.gap {
            metrics.gaps.inc();
            return self.enter_segment(record);
        }
        metrics.media_bytes.inc_by(record.bytes);
        let kind = spool::Kind::Segment(record.msn);
        let name = self.spool_name(record.epoch, record.rendition, kind);
        let this = self.this.clone();
        let done = move |result: Result<(), _>| {
            let Some(broadcast) = this.upgrade() else {
                return;
            };
            let durable = result.is_ok();
            if !durable {
                broadcast.surroundings.metrics.segments_not_durable.inc();
            }
            // What is only in memory will be a gap of the recording.
            broadcast.enter_segment(SegmentRecord {
                gap: !durable,
                ..record
            });
        };
        self.surroundings.spool.write(name, bytes, Box::new(done));
    }

    fn enter_segment(&self, record: SegmentRecord) {
        let journal = &self.surroundings.journal;
        journal.append(self.video, &Entry::Segment(record.clone()), None);
        self.shelf.enter_segment(record);
    }

    fn spool_name(&self, epoch: Epoch, rendition: RenditionId, kind: spool::Kind) -> spool::Name {
        spool::Name {
            video: self.video,
            epoch,
            rendition,
            kind,
        }
    }
}

impl Inner {
    /// When time has to be let pass for the core or the lanes.
    fn next_look(&self) -> Option<WallTime> {
        let core = self.live.poll_timeout();
        core.into_iter().chain(self.lanes.poll_timeout()).min()
    }
}

impl Drop for Broadcast {
    fn drop(&mut self) {
        self.surroundings.metrics.videos_on_air.dec();
    }
}
