//! The thread that appends records.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::mpsc;
use tracing::{info, warn};

use super::{record, volume::Volume};
use crate::{cache::Stored, metrics::DiskMetrics, shelf::Life};

/// How long nothing is written after a failure.
const PAUSE: Duration = Duration::from_secs(30);
/// A buffer that is longer than this is not kept for the next record.
const KEPT_BUFFER: usize = 4 << 20;

/// An answer to be written.
pub(super) struct Job {
    pub(super) key: Arc<str>,
    pub(super) stored: Arc<Stored>,
    pub(super) life: Life,
}

pub(super) struct Writer {
    volume: Arc<Volume>,
    metrics: DiskMetrics,
    /// The file that is appended to, its number and its length.
    open: Option<(u32, Arc<File>, u64)>,
    buffer: Vec<u8>,
    failed: Option<Instant>,
}

impl Writer {
    pub(super) fn new(volume: Arc<Volume>, metrics: DiskMetrics) -> Self {
        Self {
            volume,
            metrics,
            open: None,
            buffer: Vec::new(),
            failed: None,
        }
    }

    /// Writes until nobody is left who could send more.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = jobs.blocking_recv() {
            let now = Instant::now();
            if self.failed.is_some_and(|at| now < at + PAUSE) {
                self.metrics.skipped.inc();
                continue;
            }
            match self.write(&job, now, SystemTime::now()) {
                Ok(()) => {
                    if self.failed.take().is_some() {
                        info!("disk cache: written to again");
                    }
                }
                Err(error) => {
                    self.metrics.failures.inc();
                    if self.failed.is_none() {
                        warn!(%error, "disk cache: not written to; the PoP works from memory");
                    }
                    self.failed = Some(now);
                }
            }
            self.metrics.set_bytes(self.volume.bytes());
        }
    }

    fn write(&mut self, job: &Job, now: Instant, wall: SystemTime) -> io::Result<()> {
        if self.buffer.capacity() > KEPT_BUFFER {
            self.buffer = Vec::new();
        }
        let clocks = (now, wall);
        if !record::encode(&job.key, &job.stored, &job.life, clocks, &mut self.buffer) {
            return Ok(());
        }
        let len = self.buffer.len() as u64;
        let most = self.volume.file_bytes();
        if len > most {
            return Ok(());
        }
        if self.open.as_ref().is_none_or(|(_, _, at)| at + len > most) {
            let (number, file) = self.volume.begin_file()?;
            self.open = Some((number, file, 0));
        }
        let Some((number, file, at)) = &mut self.open else {
            return Ok(());
        };
        if let Err(error) = file.write_all_at(&self.buffer, *at) {
            // What is there of it would end the look through the file.
            let _ = file.set_len(*at);
            self.open = None;
            return Err(error);
        }
        let end = *at + len;
        self.volume.written(&job.key, *number, (*at, end));
        *at = end;
        self.metrics.written.inc();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::{
        cache::{Head, Templates},
        metrics::Metrics,
        shelf::Terms,
    };

    #[test]
    fn a_full_disk_is_left_alone_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let volume = Volume::open(folder.path(), 1 << 20, Arc::<Templates>::default()).unwrap();
        let metrics = Metrics::register(&mut Registry::default()).disk;
        let mut writer = Writer::new(Arc::new(volume), metrics.clone());
        // It has no room, as the name says.
        let full = File::options().write(true).open("/dev/full").unwrap();
        writer.open = Some((1, Arc::new(full), 0));
        let (jobs, waiting) = mpsc::channel(3);
        for key in ["/a", "/b", "/c"] {
            let job = Job {
                key: Arc::from(key),
                stored: Arc::new(Stored {
                    status: StatusCode::OK,
                    head: Head::new(Arc::default(), &HeaderMap::new()),
                    body: Bytes::from_static(b"0123456789").into(),
                }),
                life: Life::of_answer(&Terms::default(), Instant::now()),
            };
            jobs.try_send(job).ok().unwrap();
        }
        drop(jobs);
        writer.run(waiting);
        let counts = (
            metrics.failures.get(),
            metrics.skipped.get(),
            metrics.written.get(),
        );
        assert_eq!(counts, (1, 2, 0));
    }
}
