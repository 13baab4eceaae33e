//! Everything stored of a video.
//!
//! - [`shelf`]: the index of one video: what is stored, and where
//! - [`keeper`]: moves a broadcast from the spool into object storage as it goes
//! - [`mux`]: a span as one file
//!
//! Objects, below the store's root:
//!
//! | object | what |
//! | --- | --- |
//! | `videos/{video}/{epoch}/{rendition}/init-{n}.mp4` | an initialisation segment |
//! | `videos/{video}/{epoch}/{rendition}/span-{n}.m4s` | a span's segments with media, one after the other |
//! | `videos/{video}/recording.json` | the index of a video that has ended |
//!
//! An object is created once and never changes. A segment keeps one URL for ever: it is answered
//! from memory while the video is on air, then from the spool, then from a byte range of a span.

pub mod keeper;
pub mod mux;
pub mod shelf;

use std::{io, sync::Arc};

use bytes::Bytes;
use object_store::{
    ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, path::Path as ObjectPath,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use weir_media::{live::AUDIO, record::SegmentRecord, span::Span, unit::TrackKind};
use weir_model::{Epoch, Msn, PartIndex, RenditionId, VideoId};

use self::mux::{MuxError, Share};
pub use self::shelf::{Contents, Place, Shelf, StoredSpan};
use crate::spool::{Kind, Name, Spool};

/// Why something stored can't be had, or can't be stored.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// Object storage refused.
    #[error("object storage: {0}")]
    Store(#[from] object_store::Error),
    /// The spool could not be read.
    #[error("spool: {0}")]
    Spool(io::Error),
    /// A stored segment has another size than its record says.
    #[error("{video} {epoch}/{rendition}/{msn} has {found} bytes instead of {expected}")]
    Damaged {
        /// Whose segment.
        video: VideoId,
        /// Life that wrote it.
        epoch: Epoch,
        /// Which rendition.
        rendition: RenditionId,
        /// Which segment.
        msn: Msn,
        /// Bytes found.
        found: usize,
        /// Bytes recorded.
        expected: u64,
    },
    /// Something is stored under the name of another.
    #[error("object {0} exists with other contents")]
    Taken(ObjectPath),
    /// The index of a recording can't be read.
    #[error("recording of {video}: {source}")]
    Recording {
        /// Whose recording.
        video: VideoId,
        /// Why.
        source: serde_json::Error,
    },
    /// Stored segments do not make a span.
    #[error(transparent)]
    Mux(#[from] MuxError),
    /// A task of ours was cancelled, as the origin goes down.
    #[error("cancelled")]
    Cancelled,
}

/// Spool and object storage of one origin.
#[derive(Clone, Debug)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    spool: Arc<Spool>,
}

/// `recording.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Recording {
    /// Version of this format.
    version: u32,
    #[serde(flatten)]
    contents: Contents,
}

const RECORDING_VERSION: u32 = 1;

impl Archive {
    /// An archive of what is in `spool` and goes to `store`.
    pub fn new(store: Arc<dyn ObjectStore>, spool: Arc<Spool>) -> Self {
        Self { store, spool }
    }

    /// The index of an ended video; `None` if its recording is not complete.
    pub async fn load(&self, video: VideoId) -> Result<Option<Shelf>, ArchiveError> {
        let object = match self.store.get(&recording_path(video)).await {
            Ok(object) => object,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let json = object.bytes().await?;
        let recording: Recording = serde_json::from_slice(&json)
            .map_err(|source| ArchiveError::Recording { video, source })?;
        Ok(Some(Shelf::from_recording(video, recording.contents)))
    }

    /// An initialisation segment; `None` if it never was.
    pub async fn init(
        &self,
        shelf: &Shelf,
        epoch: Epoch,
        rendition: RenditionId,
        n: u32,
    ) -> Result<Option<Bytes>, ArchiveError> {
        let known = |init: &weir_media::record::InitRecord| {
            (init.epoch, init.rendition, init.n) == (epoch, rendition, n)
        };
        if !shelf.inits().iter().any(known) {
            return Ok(None);
        }
        let name = Name {
            video: shelf.video(),
            epoch,
            rendition,
            kind: Kind::Init(n),
        };
        if let Some(bytes) = self.spooled(name).await? {
            return Ok(Some(bytes));
        }
        match self.store.get(&object_path(name)).await {
            Ok(object) => Ok(Some(object.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// A segment; `None` if it never was or is a gap.
    pub async fn segment(
        &self,
        shelf: &Shelf,
        epoch: Epoch,
        rendition: RenditionId,
        msn: Msn,
    ) -> Result<Option<Bytes>, ArchiveError> {
        Ok(self
            .find(shelf, epoch, rendition, msn)
            .await?
            .map(|(_, bytes)| bytes))
    }

    /// A part of a segment; `None` if it never was or is a gap.
    pub async fn part(
        &self,
        shelf: &Shelf,
        epoch: Epoch,
        rendition: RenditionId,
        msn: Msn,
        part: PartIndex,
    ) -> Result<Option<Bytes>, ArchiveError> {
        let Some((record, bytes)) = self.find(shelf, epoch, rendition, msn).await? else {
            return Ok(None);
        };
        let index = part.0 as usize;
        let Some(wanted) = record.parts.get(index).filter(|part| !part.gap) else {
            return Ok(None);
        };
        let from: usize = record.parts[..index]
            .iter()
            .map(|part| part.bytes as usize)
            .sum();
        // The sizes of the parts add up to the segment's, which was checked.
        Ok(bytes
            .get(from..from + wanted.bytes as usize)
            .map(|range| bytes.slice_ref(range)))
    }

    /// A closed span of a rendition, muxed with its sound; `None` if there is no media in it, or
    /// it is not closed yet.
    pub async fn span(
        &self,
        shelf: &Shelf,
        epoch: Epoch,
        n: u32,
        rendition: RenditionId,
    ) -> Result<Option<Bytes>, ArchiveError> {
        let Some(span) = shelf.span(epoch, n) else {
            return Ok(None);
        };
        let Some(main) = self.share(shelf, &span, rendition).await? else {
            return Ok(None);
        };
        let others = shelf.inits().into_iter().filter(|init| {
            init.kind() == TrackKind::Audio && init.rendition != rendition && init.epoch == epoch
        });
        // What the encoder sent first of all, if there is a choice.
        let sound = others.min_by_key(|init| init.rendition.as_str() != AUDIO);
        let audio = match sound {
            Some(init) => self.share(shelf, &span, init.rendition).await?,
            None => None,
        };
        let muxed = tokio::task::spawn_blocking(move || mux::mux(main, audio)).await;
        Ok(Some(muxed.map_err(|_| ArchiveError::Cancelled)??))
    }

    async fn share(
        &self,
        shelf: &Shelf,
        span: &Span,
        rendition: RenditionId,
    ) -> Result<Option<Share>, ArchiveError> {
        let Span {
            epoch,
            n,
            first,
            last,
            ..
        } = *span;
        let records = shelf.segments_of(&StoredSpan {
            epoch,
            n,
            rendition,
            first,
            last,
        });
        let Some(init) = records.first().map(|record| record.init) else {
            return Ok(None);
        };
        let Some(init) = self.init(shelf, epoch, rendition, init).await? else {
            return Ok(None);
        };
        let mut segments = Vec::with_capacity(records.len());
        for record in records {
            if let Some(found) = self.find(shelf, epoch, rendition, record.msn).await? {
                segments.push(found);
            }
        }
        Ok(Some(Share { init, segments }))
    }

    async fn find(
        &self,
        shelf: &Shelf,
        epoch: Epoch,
        rendition: RenditionId,
        msn: Msn,
    ) -> Result<Option<(SegmentRecord, Bytes)>, ArchiveError> {
        let name = Name {
            video: shelf.video(),
            epoch,
            rendition,
            kind: Kind::Segment(msn),
        };
        let Some((place, record)) = shelf.place(epoch, rendition, msn) else {
            return Ok(None);
        };
        if place == Place::Spool
            && let Some(bytes) = self.spooled(name).await?
        {
            return checked(shelf.video(), record, bytes).map(Some);
        }
        // What has left the spool in this moment is in a span now.
        let Some((Place::Span(span, from), record)) = shelf.place(epoch, rendition, msn) else {
            return Ok(None);
        };
        let path = span_path(shelf.video(), &span);
        let bytes = self
            .store
            .get_range(&path, from..from + record.bytes)
            .await?;
        checked(shelf.video(), record, bytes).map(Some)
    }

    async fn spooled(&self, name: Name) -> Result<Option<Bytes>, ArchiveError> {
        let spool = self.spool.clone();
        match tokio::task::spawn_blocking(move || spool.read(name)).await {
            Ok(Ok(bytes)) => Ok(Some(bytes)),
            Ok(Err(e)) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Ok(Err(e)) => Err(ArchiveError::Spool(e)),
            Err(_) => Err(ArchiveError::Cancelled),
        }
    }

    /// Stores the initialisation segments that `span` needs, then the span.
    async fn store_span(&self, shelf: &Shelf, span: &StoredSpan) -> Result<(), ArchiveError> {
        let records = shelf.segments_of(span);
        let mut inits: Vec<u32> = records.iter().map(|record| record.init).collect();
        inits.dedup();
        for n in inits {
            let StoredSpan {
                epoch, rendition, ..
            } = *span;
            let name = Name {
                video: shelf.video(),
                epoch,
                rendition,
                kind: Kind::Init(n),
            };
            if let Some(bytes) = self.spooled(name).await? {
                self.create(object_path(name), bytes.into()).await?;
            }
        }
        let mut pieces = Vec::with_capacity(records.len());
        for record in records {
            let found = self
                .find(shelf, span.epoch, span.rendition, record.msn)
                .await?;
            let (_, bytes) = found.ok_or_else(|| ArchiveError::Damaged {
                video: shelf.video(),
                epoch: span.epoch,
                rendition: span.rendition,
                msn: record.msn,
                found: 0,
                expected: record.bytes,
            })?;
            pieces.push(bytes);
        }
        self.create(
            span_path(shelf.video(), span),
            PutPayload::from_iter(pieces),
        )
        .await
    }

    /// Creates an object. One that exists already with as many bytes is what a life before a
    /// crash made of the same segments.
    async fn create(&self, path: ObjectPath, bytes: PutPayload) -> Result<(), ArchiveError> {
        let len = bytes.content_length() as u64;
        let options = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&path, bytes, options).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let same = self.store.head(&path).await?.size == len;
                if same {
                    Ok(())
                } else {
                    Err(ArchiveError::Taken(path))
                }
            }
            Err(e) => Err(e.into()),
        }
    }

    async fn store_recording(&self, shelf: &Shelf) -> Result<(), ArchiveError> {
        let (video, contents) = (shelf.video(), shelf.contents());
        let recording = Recording {
            version: RECORDING_VERSION,
            contents,
        };
        let json = serde_json::to_vec(&recording)
            .map_err(|source| ArchiveError::Recording { video, source })?;
        self.store.put(&recording_path(video), json.into()).await?;
        Ok(())
    }
}

fn checked(
    video: VideoId,
    record: SegmentRecord,
    bytes: Bytes,
) -> Result<(SegmentRecord, Bytes), ArchiveError> {
    if bytes.len() as u64 == record.bytes {
        return Ok((record, bytes));
    }
    Err(ArchiveError::Damaged {
        video,
        epoch: record.epoch,
        rendition: record.rendition,
        msn: record.msn,
        found: bytes.len(),
        expected: record.bytes,
    })
}

fn object_path(name: Name) -> ObjectPath {
    let Name {
        video,
        epoch,
        rendition,
        kind,
    } = name;
    match kind {
        Kind::Init(n) => format!("videos/{video}/{epoch}/{rendition}/init-{n}.mp4").into(),
        Kind::Segment(msn) => format!("videos/{video}/{epoch}/{rendition}/{msn}.m4s").into(),
    }
}

fn span_path(video: VideoId, span: &StoredSpan) -> ObjectPath {
    let StoredSpan {
        epoch,
        rendition,
        n,
        ..
    } = span;
    format!("videos/{video}/{epoch}/{rendition}/span-{n}.m4s").into()
}

fn recording_path(video: VideoId) -> ObjectPath {
    format!("videos/{video}/recording.json").into()
}
