//! What is stored of one video, without its media: records, spans, and where each is.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use weir_media::{
    ceiling,
    dash::{Manifest, Presentation},
    hls::{Multivariant, dvr, i_frames, multivariant::Phase, recording},
    record::{InitRecord, SegmentRecord},
    span::{self, Span},
    unit::TrackKind,
};
use weir_model::{Epoch, Msn, RenditionId, VideoId};

use crate::journal::Entry;

/// One rendition's part of a span, as an object: its segments with media, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSpan {
    /// Life of the video that wrote it.
    pub epoch: Epoch,
    /// Number of the span within the epoch.
    pub n: u32,
    /// Which rendition.
    pub rendition: RenditionId,
    /// First segment of the span.
    pub first: Msn,
    /// Last segment of the span.
    pub last: Msn,
}

/// Where a segment's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file of the spool.
    Spool,
    /// Within the object of a span, from this byte.
    Span(StoredSpan, u64),
}

/// The index of one video. It grows while the video is on air.
#[derive(Debug)]
pub struct Shelf {
    video: VideoId,
    contents: Mutex<Contents>,
    revision: AtomicU64,
    entered: Notify,
}

/// Counts the revisions of all indexes, so that no two of them share one: the recording's index
/// takes the place of the broadcast's.
static REVISIONS: AtomicU64 = AtomicU64::new(0);

/// Everything an index holds, as it is written into a recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// All initialisation segments, in the order in which they came.
    pub inits: Vec<InitRecord>,
    /// All segments, by msn.
    pub segments: Vec<SegmentRecord>,
    /// All stored spans, in the order in which they were stored.
    pub stored: Vec<StoredSpan>,
    /// Nothing follows: the video has ended.
    #[serde(skip)]
    ended: bool,
    /// Everything is stored.
    #[serde(skip)]
    complete: bool,
    /// Closed spans.
    #[serde(skip)]
    spans: Vec<Span>,
    /// How many of `segments` are in closed spans.
    #[serde(skip)]
    spanned: usize,
    #[serde(skip)]
    places: BTreeMap<(Epoch, RenditionId, Msn), StoredSpan>,
}

impl Shelf {
    /// The index of a video that has nothing stored yet.
    pub fn empty(video: VideoId) -> Self {
        Self {
            video,
            contents: Mutex::default(),
            revision: AtomicU64::new(next_revision()),
            entered: Notify::new(),
        }
    }

    /// The index of a video whose journal holds `entries`.
    pub fn from_journal(video: VideoId, entries: &[Entry]) -> Self {
        let mut contents = Contents::default();
        for entry in entries {
            match entry {
                Entry::Init(record) => contents.inits.push(record.clone()),
                Entry::Segment(record) => contents.insert(record.clone()),
                Entry::Span(stored) => contents.stored.push(*stored),
                Entry::Reserved(_) => {}
            }
        }
        contents.index();
        Self {
            video,
            contents: Mutex::new(contents),
            revision: AtomicU64::new(next_revision()),
            entered: Notify::new(),
        }
    }

    /// The index of a video that was recorded with these contents.
    pub fn from_recording(video: VideoId, mut contents: Contents) -> Self {
        contents.ended = true;
        contents.complete = true;
        contents.index();
        Self {
            video,
            contents: Mutex::new(contents),
            revision: AtomicU64::new(next_revision()),
            entered: Notify::new(),
        }
    }

    /// Which video.
    pub fn video(&self) -> VideoId {
        self.video
    }

    /// A number that belongs to what the lists of this index say now, and to nothing else.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Enters an initialisation segment that is on its way into the spool.
    pub fn enter_init(&self, record: InitRecord) {
        self.lock().inits.push(record);
        self.revise();
    }

    /// Enters a segment that is in the spool, or is a gap.
    pub fn enter_segment(&self, record: SegmentRecord) {
        let mut contents = self.lock();
        contents.insert(record);
        contents.plan();
        drop(contents);
        self.revise();
        self.entered.notify_one();
    }

    /// Enters a span that is in object storage.
    pub fn enter_span(&self, stored: StoredSpan) {
        let mut contents = self.lock();
        contents.stored.push(stored);
        contents
            .places
            .insert((stored.epoch, stored.rendition, stored.first), stored);
    }

    /// Nothing more will be entered but spans: the last one is closed.
    pub fn end(&self) {
        let mut contents = self.lock();
        contents.ended = true;
        contents.plan();
        drop(contents);
        self.revise();
        self.entered.notify_one();
    }

    /// Completes after a segment was entered or the end was told. For one waiter.
    pub async fn entered(&self) {
        self.entered.notified().await;
    }

    /// A copy of the contents, to be written into a recording.
    pub fn contents(&self) -> Contents {
        self.lock().clone()
    }

    /// Where a segment is, and what is known of it. `None` if it never was, or is a gap.
    pub fn place(
        &self,
        epoch: Epoch,
        rendition: RenditionId,
        msn: Msn,
    ) -> Option<(Place, SegmentRecord)> {
        let contents = self.lock();
        let record = contents
            .of_msn(msn)
            .find(|record| (record.epoch, record.rendition) == (epoch, rendition) && !record.gap)?;
        let before = (epoch, rendition, Msn(0))..=(epoch, rendition, msn);
        let stored = contents
            .places
            .range(before)
            .next_back()
            .map(|(_, stored)| *stored);
        let place = match stored.filter(|stored| msn <= stored.last) {
            Some(stored) => {
                let earlier = contents
                    .media_of(&stored)
                    .take_while(|other| other.msn < msn);
                Place::Span(stored, earlier.map(|other| other.bytes).sum())
            }
            None => Place::Spool,
        };
        Some((place, record.clone()))
    }

    /// The segments with media that the object of a span holds, in order.
    pub fn segments_of(&self, span: &StoredSpan) -> Vec<SegmentRecord> {
        self.lock().media_of(span).cloned().collect()
    }

    /// Closed spans' parts that have media and are not in object storage yet.
    pub fn due(&self) -> Vec<StoredSpan> {
        let contents = self.lock();
        let parts = contents.spans.iter().flat_map(|span| {
            span.renditions.iter().map(|&rendition| StoredSpan {
                epoch: span.epoch,
                n: span.n,
                rendition,
                first: span.first,
                last: span.last,
            })
        });
        parts
            .filter(|part| {
                !contents
                    .places
                    .contains_key(&(part.epoch, part.rendition, part.first))
            })
            .collect()
    }

    /// A closed span.
    pub fn span(&self, epoch: Epoch, n: u32) -> Option<Span> {
        let contents = self.lock();
        let span = contents
            .spans
            .iter()
            .find(|span| (span.epoch, span.n) == (epoch, n));
        span.cloned()
    }

    /// The closed span of `rendition` that holds `offset_s`, or the next one with media, and the
    /// offset of the one after it.
    pub fn locate(&self, rendition: RenditionId, offset_s: f64) -> Option<(Span, Option<f64>)> {
        let contents = self.lock();
        let found = span::locate(&contents.spans, rendition, offset_s)?;
        Some((found.span.clone(), found.next_offset_s))
    }

    /// All initialisation segments, in the order in which they came.
    pub fn inits(&self) -> Vec<InitRecord> {
        self.lock().inits.clone()
    }

    /// Whether everything is stored and the recording can be played.
    pub fn is_complete(&self) -> bool {
        self.lock().complete
    }

    /// Everything is stored.
    pub fn complete(&self) {
        self.lock().complete = true;
        self.revise();
    }

    /// What a rendition carries; `None` if the video has no such rendition.
    pub fn kind(&self, rendition: RenditionId) -> Option<TrackKind> {
        let contents = self.lock();
        contents
            .inits
            .iter()
            .find(|init| init.rendition == rendition)
            .map(InitRecord::kind)
    }

    /// The multivariant playlist of what is stored, leading to recordings' playlists or to those
    /// for rewinding, for whom at most `max_lines` are meant; `None` if nothing is stored.
    pub fn multivariant(
        &self,
        phase: Phase,
        max_lines: Option<u32>,
        steering: bool,
    ) -> Option<String> {
        let contents = self.lock();
        let multivariant = Multivariant {
            steering,
            ..Multivariant::of_stored(phase, &contents.inits, &contents.segments)
        };
        (!multivariant.variants.is_empty()).then(|| multivariant.render(max_lines))
    }

    /// A media playlist of the recording; `None` if the video has no such rendition.
    pub fn recording(&self, rendition: RenditionId) -> Option<String> {
        let contents = self.lock();
        contents
            .knows(rendition)
            .then(|| recording(rendition, &contents.segments))
    }

    /// A media playlist of all that is stored so far; `None` if the video has no such rendition.
    pub fn dvr(&self, rendition: RenditionId) -> Option<String> {
        let contents = self.lock();
        contents
            .knows(rendition)
            .then(|| dvr(rendition, &contents.segments, contents.ended))
    }

    /// The I-frames of all that is stored so far; `None` if the video has no such rendition.
    pub fn i_frames(&self, rendition: RenditionId) -> Option<String> {
        let contents = self.lock();
        contents
            .knows(rendition)
            .then(|| i_frames(rendition, &contents.segments, contents.ended))
    }

    /// The DASH manifest of all that is stored so far; `None` if there is no media.
    /// `part_target` in seconds is told as long as the video goes on.
    pub fn manifest(
        &self,
        part_target: Option<f64>,
        max_lines: Option<u32>,
        steering: bool,
    ) -> Option<String> {
        let contents = self.lock();
        let presentation = match part_target {
            Some(part_target) if !contents.ended => Presentation::Live { part_target },
            _ => Presentation::Recorded,
        };
        let manifest = Manifest {
            presentation,
            steering,
            inits: &contents.inits,
            records: &contents.segments[..contents.settled()],
        };
        manifest.render(max_lines)
    }

    /// Whether nothing more will be entered but spans.
    pub fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Whether a rendition has more lines than whoever may see `max` at most is offered. Sound has
    /// none, and the smallest picture is for everyone.
    pub fn exceeds(&self, rendition: RenditionId, max: u32) -> bool {
        let contents = self.lock();
        let newest: BTreeMap<RenditionId, u32> = contents
            .inits
            .iter()
            .filter(|init| init.kind() == TrackKind::Video)
            .map(|init| (init.rendition, init.lines()))
            .collect();
        let most = ceiling::lifted(max, newest.values().copied());
        newest.get(&rendition).is_some_and(|lines| *lines > most)
    }

    fn revise(&self) {
        self.revision.store(next_revision(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn next_revision() -> u64 {
    REVISIONS.fetch_add(1, Ordering::Relaxed)
}

impl Contents {
    /// Puts a record behind those of its msn. Records come nearly in order.
    fn insert(&mut self, record: SegmentRecord) {
        let behind = self
            .segments
            .iter()
            .rev()
            .take_while(|other| other.msn > record.msn)
            .count();
        let at = self.segments.len() - behind;
        self.segments.insert(at, record);
        if at < self.spanned {
            self.spanned += 1;
        }
    }

    fn index(&mut self) {
        self.places = self
            .stored
            .iter()
            .map(|stored| ((stored.epoch, stored.rendition, stored.first), *stored))
            .collect();
        self.plan();
    }

    /// Closes spans over the segments of which nothing is missing any more.
    fn plan(&mut self) {
        let settled = self.settled().max(self.spanned);
        let fresh = &self.segments[self.spanned..settled];
        let planned = span::plan(fresh, self.ended);
        for mut span in planned.into_iter().filter(|span| span.closed) {
            if let Some(before) = self.spans.last() {
                span.start_s = before.start_s + before.duration_s;
                if before.epoch == span.epoch {
                    span.n += before.n + 1;
                }
            }
            let rest = &self.segments[self.spanned..];
            self.spanned += rest
                .iter()
                .take_while(|record| record.msn <= span.last)
                .count();
            self.spans.push(span);
        }
    }

    /// How many segments come before the first msn that some rendition of the newest epoch has
    /// yet to reach: the renditions' segments of one msn come at different times.
    fn settled(&self) -> usize {
        if self.ended {
            return self.segments.len();
        }
        let Some(epoch) = self.segments.last().map(|record| record.epoch) else {
            return 0;
        };
        let mut newest: BTreeMap<RenditionId, Msn> = self
            .inits
            .iter()
            .filter(|init| init.epoch == epoch)
            .map(|init| (init.rendition, Msn(0)))
            .collect();
        // The renditions keep within a few segments of each other.
        for record in self.segments.iter().rev().take(8 * newest.len().max(1)) {
            let newest = newest.entry(record.rendition).or_default();
            *newest = record.msn.max(*newest);
        }
        let reached = newest.into_values().min().unwrap_or_default();
        self.segments
            .partition_point(|record| record.msn <= reached)
    }

    fn knows(&self, rendition: RenditionId) -> bool {
        self.inits.iter().any(|init| init.rendition == rendition)
    }

    fn of_msn(&self, msn: Msn) -> impl Iterator<Item = &SegmentRecord> {
        let start = self.segments.partition_point(|record| record.msn < msn);
        self.segments[start..]
            .iter()
            .take_while(move |record| record.msn == msn)
    }

    fn media_of(&self, span: &StoredSpan) -> impl Iterator<Item = &SegmentRecord> {
        let span = *span;
        let start = self
            .segments
            .partition_point(|record| record.msn < span.first);
        self.segments[start..]
            .iter()
            .take_while(move |record| record.msn <= span.last)
            .filter(move |record| {
                record.epoch == span.epoch && record.rendition == span.rendition && !record.gap
            })
    }
}
