//! What outlives the process: a log of answers in files of a bounded size.
//!
//! Records are appended to the newest file by one thread. For room the oldest file is removed
//! whole. Nothing is ever written over, so a process that is killed leaves at most one record
//! unfinished, and a checksum over every record tells any other damage: what does not match is
//! forgotten, never served. At the start the files are read from head to head, without the bodies,
//! so hits are served as soon as viewers are let in.
//!
//! The disk is a convenience. If it fails or is full, the PoP works from memory and tries again
//! later; viewers notice nothing.
//!
//! - `record`: an answer as bytes
//! - `volume`: the files, and where in them what is
//! - `writer`: the thread that appends

mod record;
mod volume;
mod writer;

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::{Instant, SystemTime},
};

use thiserror::Error;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::spawn_blocking,
};
use tracing::{info, warn};

use self::{
    volume::Volume,
    writer::{Job, Writer},
};
use super::{Hit, Templates};
use crate::{config::DiskCache, metrics::DiskMetrics};

/// Why a folder cannot hold a disk cache.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The folder or what is in it cannot be used.
    #[error("cannot keep a cache in {folder}")]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it.
    #[error("{0} is the disk cache of another process")]
    InUse(PathBuf),
}

/// Answers that may wait to be written. What comes while so many do is not written.
const WAITING: usize = 64;

/// The cache on a disk.
pub(crate) struct Disk {
    volume: Arc<Volume>,
    metrics: DiskMetrics,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    /// Locked for as long as this process has the folder.
    _lock: File,
}

impl Disk {
    /// Takes the folder and looks through what an earlier process left there.
    pub(crate) fn open(
        config: &DiskCache,
        metrics: DiskMetrics,
        templates: Arc<Templates>,
    ) -> Result<Self, OpenError> {
        let folder = &config.folder;
        let lock = lock(folder)?;
        let began = Instant::now();
        let volume = Volume::open(folder, config.bytes, templates)
            .map(Arc::new)
            .map_err(in_folder(folder))?;
        let (answers, bytes) = (volume.len(), volume.bytes());
        info!(folder = %folder.display(), answers, bytes, took = ?began.elapsed(), "disk cache open");
        metrics.set_bytes(bytes);
        let (jobs, waiting) = mpsc::channel(WAITING);
        let writer = Writer::new(volume.clone(), metrics.clone());
        let writer = std::thread::Builder::new()
            .name("disk-cache".to_owned())
            .spawn(move || writer.run(waiting))
            .map_err(in_folder(folder))?;
        Ok(Self {
            volume,
            metrics,
            jobs: Some(jobs),
            writer: Some(writer),
            _lock: lock,
        })
    }

    /// Reads an answer that is still of use, fresh or stale.
    pub(crate) async fn read(&self, key: &Arc<str>) -> Option<Hit> {
        self.volume.place(key)?;
        let (volume, metrics, key) = (self.volume.clone(), self.metrics.clone(), key.clone());
        let read = move || match volume.read(&key, Instant::now(), SystemTime::now()) {
            Ok(found) => found,
            Err(error) => {
                warn!(%error, "disk cache: an answer cannot be read and is forgotten");
                metrics.failures.inc();
                None
            }
        };
        // A task that panicked has read nothing.
        spawn_blocking(read).await.ok().flatten()
    }

    /// Has an answer written, when there is time.
    pub(crate) fn write(&self, key: &Arc<str>, hit: &Hit) {
        let job = Job {
            key: key.clone(),
            stored: hit.stored.clone(),
            life: hit.life,
        };
        let sent = self.jobs.as_ref().map(|jobs| jobs.try_send(job));
        if let Some(Err(TrySendError::Full(_))) = sent {
            self.metrics.skipped.inc();
        }
    }
}

impl Drop for Disk {
    /// Lets what waits be written.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            // It has told of its panic itself.
            let _ = writer.join();
        }
    }
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    fs::create_dir_all(folder).map_err(in_folder(folder))?;
    let lock = File::create(folder.join("lock")).map_err(in_folder(folder))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(in_folder(folder)(error)),
    }
}

fn in_folder(folder: &Path) -> impl Fn(io::Error) -> OpenError {
    |source| OpenError::Io {
        folder: folder.to_owned(),
        source,
    }
}
