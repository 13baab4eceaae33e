//! Answers that many points of presence ask for at once. Each is rendered once, compressed once for
//! each encoding, and kept for those who ask a moment later.
//!
//! - [`Subject`]: what is rendered, and as of when
//! - [`Form`]: what was made of it, in every encoding that was asked for
//! - [`encoding`]: which encodings there are
//! - [`share`]: the same for answers of the API
//!
//! Nothing here is on the way of media into a playlist: a form is made when the first one asks.

pub mod encoding;
mod form;
pub mod share;

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};
use weir_media::live::State;
use weir_model::{Epoch, PlaylistPosition, Resource, Skip, VideoId};

pub use form::{Digest, Form, Rendered};

use crate::metrics::Metrics;

/// Most bytes that kept forms take.
const KEPT_BYTES: u64 = 32 << 20;

/// About what an entry takes beside its bytes.
const ENTRY_BYTES: u64 = 1024;

/// What is rendered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A playlist or manifest.
    List {
        /// Of which video.
        video: VideoId,
        /// Which.
        resource: Resource,
        /// Whether as a delta update.
        skip: Skip,
        /// How many lines it is meant for; multivariant playlists and manifests alone differ by it.
        max_lines: Option<u32>,
        /// Which of the many that it becomes.
        as_of: AsOf,
    },
    /// A body that was made elsewhere, by its digest.
    Body(Digest),
}

/// Which state of a video something was rendered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AsOf {
    /// When a live playlist had just come to this position: the first rendering stands for it.
    Position(Epoch, PlaylistPosition),
    /// As the broadcast is.
    Live(Epoch, Revision),
    /// What is stored, by the number of its [revision](crate::archive::Shelf::revision).
    Stored(u64),
}

/// A state of a broadcast, in which its lists say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    /// Changes up to it.
    pub changes: u64,
    /// Where the broadcast is in its life.
    pub state: State,
}

/// What kind of form it is, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A multivariant playlist, also of what is stored.
    Multivariant,
    /// A live media playlist, whole.
    Playlist,
    /// A delta update of one.
    Delta,
    /// A media playlist of what is stored.
    Stored,
    /// An MPD.
    Manifest,
    /// An answer of the API.
    Json,
}

impl Kind {
    /// The word used in counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Multivariant => "multivariant",
            Self::Playlist => "playlist",
            Self::Delta => "delta",
            Self::Stored => "stored",
            Self::Manifest => "manifest",
            Self::Json => "json",
        }
    }
}

/// The forms of one origin.
pub struct Forms {
    kept: Cache<Subject, Arc<Form>, ByBytes>,
    metrics: Metrics,
}

impl Forms {
    /// None yet.
    pub fn new(metrics: Metrics) -> Self {
        let about_entries = (KEPT_BYTES / (16 * ENTRY_BYTES)) as usize;
        Self {
            kept: Cache::with_weighter(about_entries, KEPT_BYTES, ByBytes),
            metrics,
        }
    }

    /// The form of `subject`, which `render` makes unless it is kept. Of those who ask at the same
    /// time one renders; where it has nothing to render, the next one tries.
    pub async fn get(
        &self,
        kind: Kind,
        subject: Subject,
        render: impl FnOnce() -> Option<Rendered>,
    ) -> Option<Arc<Form>> {
        let guard = match self.kept.get_value_or_guard_async(&subject).await {
            Ok(form) => return Some(form),
            Err(guard) => guard,
        };
        let form = Arc::new(Form::new(kind, render()?, &self.metrics));
        // Whoever waits gets it, whether or not it is kept.
        let _ = guard.insert(form.clone());
        Some(form)
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Subject, Arc<Form>> for ByBytes {
    /// Compressed forms come later, and are smaller than what they are made of.
    fn weight(&self, _: &Subject, form: &Arc<Form>) -> u64 {
        ENTRY_BYTES + 3 * form.size() as u64
    }
}

#[cfg(test)]
mod tests;
