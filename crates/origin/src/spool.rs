//! Segments as local files: `{folder}/{video}/{epoch}/{rendition}/{msn}.m4s`, and
//! `init-{n}.mp4` beside them.
//!
//! A thread of its own writes, so that live never waits for a disk. A file is written under
//! another name, synced, and renamed: under its own name it is whole and durable. What waits is
//! bounded in bytes; a segment that finds the queue full is refused, which means that it lives in
//! memory alone and becomes a gap of the recording.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

use bytes::Bytes;
use thiserror::Error;
use tracing::{error, warn};
use weir_model::{Epoch, Msn, RenditionId, VideoId};

/// How many bytes may wait for the disk: some seconds of fifty 8 Mbit/s broadcasts.
const QUEUE_BYTES: usize = 256 << 20;
/// How many files share one sync of their folders at most.
const BATCH: usize = 64;

/// A file of the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Whose media.
    pub video: VideoId,
    /// Life that wrote it.
    pub epoch: Epoch,
    /// Which rendition.
    pub rendition: RenditionId,
    /// What it is.
    pub kind: Kind,
}

/// What a file of the spool holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An initialisation segment.
    Init(u32),
    /// A media segment.
    Segment(Msn),
}

impl Name {
    fn folder(&self) -> PathBuf {
        [
            self.video.as_str(),
            &self.epoch.to_string(),
            self.rendition.as_str(),
        ]
        .iter()
        .collect()
    }

    fn file(&self) -> String {
        match self.kind {
            Kind::Init(n) => format!("init-{n}.mp4"),
            Kind::Segment(msn) => format!("{msn}.m4s"),
        }
    }
}

/// Why a file is not in the spool.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// The disk is so slow that the queue is full.
    #[error("the spool's queue of {QUEUE_BYTES} bytes is full")]
    Full,
    /// The disk refused.
    #[error("spool: {0}")]
    Disk(#[from] io::Error),
    /// The origin is shutting down.
    #[error("the spool is closed")]
    Closed,
}

/// Told when a file is durable, or why it is not. Runs on the spool's thread: be quick.
pub type Done = Box<dyn FnOnce(Result<(), SpoolError>) + Send>;

enum Command {
    Write {
        name: Name,
        bytes: Vec<Bytes>,
        done: Done,
    },
    After(Chore),
}

/// What is done after the writes that came with it.
enum Chore {
    Remove(Vec<Name>),
    RemoveVideo(VideoId),
    Flush(Sender<()>),
}

/// The spool of one origin.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    commands: Option<Sender<Command>>,
    waiting_bytes: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Spool {
    /// Starts the writer over `folder`, which is made if it is missing.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (commands, inbox) = channel();
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            folder: folder.to_owned(),
            waiting_bytes: waiting_bytes.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("weir-spool".to_owned())
            .spawn(move || writer.run(&inbox))?;
        Ok(Self {
            folder: folder.to_owned(),
            commands: Some(commands),
            waiting_bytes,
            thread: Some(thread),
        })
    }

    /// Hands a file over and returns at once; `done` is called exactly once.
    pub fn write(&self, name: Name, bytes: Vec<Bytes>, done: Done) {
        let len: usize = bytes.iter().map(Bytes::len).sum();
        if self.waiting_bytes.fetch_add(len, Ordering::Relaxed) + len > QUEUE_BYTES {
            self.waiting_bytes.fetch_sub(len, Ordering::Relaxed);
            warn!(?name, len, "spool full; the segment is not durable");
            return done(Err(SpoolError::Full));
        }
        if let Err(Command::Write { done, .. }) = self.send(Command::Write { name, bytes, done }) {
            self.waiting_bytes.fetch_sub(len, Ordering::Relaxed);
            done(Err(SpoolError::Closed));
        }
    }

    /// Reads a file. `NotFound` if it never was or is no longer in the spool. Blocks.
    pub fn read(&self, name: Name) -> io::Result<Bytes> {
        fs::read(self.folder.join(name.folder()).join(name.file())).map(Bytes::from)
    }

    /// Removes files some time soon, after the writes handed in before.
    pub fn remove(&self, names: Vec<Name>) {
        // When the thread is gone the origin is going down; the files are removed another time.
        let _ = self.send(Command::After(Chore::Remove(names)));
    }

    /// Removes all files of a video some time soon.
    pub fn remove_video(&self, video: VideoId) {
        let _ = self.send(Command::After(Chore::RemoveVideo(video)));
    }

    /// Blocks until all that was handed in before is done.
    pub fn flush(&self) {
        let (done, wait) = channel();
        if self.send(Command::After(Chore::Flush(done))).is_ok() {
            // Both ways out mean that nothing is pending any more.
            let _ = wait.recv();
        }
    }

    fn send(&self, command: Command) -> Result<(), Command> {
        match &self.commands {
            Some(commands) => commands.send(command).map_err(|refused| refused.0),
            None => Err(command),
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the spool's thread panicked");
        }
    }
}

struct Writer {
    folder: PathBuf,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Writer {
    fn run(&self, inbox: &Receiver<Command>) {
        while let Ok(first) = inbox.recv() {
            let mut written = Vec::new();
            let mut chores = Vec::new();
            let more = std::iter::from_fn(|| inbox.try_recv().ok()).take(BATCH);
            for command in std::iter::once(first).chain(more) {
                match command {
                    Command::Write { name, bytes, done } => {
                        let result = self.write(&name, &bytes);
                        let len = bytes.iter().map(Bytes::len).sum();
                        self.waiting_bytes.fetch_sub(len, Ordering::Relaxed);
                        written.push((name, done, result));
                    }
                    Command::After(chore) => chores.push(chore),
                }
            }
            self.acknowledge(written);
            for chore in chores {
                self.execute(chore);
            }
        }
    }

    fn execute(&self, chore: Chore) {
        let result = match chore {
            Chore::Remove(names) => names.iter().try_for_each(|name| {
                ignore_missing(fs::remove_file(
                    self.folder.join(name.folder()).join(name.file()),
                ))
            }),
            Chore::RemoveVideo(video) => {
                ignore_missing(fs::remove_dir_all(self.folder.join(video.as_str())))
            }
            Chore::Flush(done) => {
                // Whoever waited may have given up.
                let _ = done.send(());
                Ok(())
            }
        };
        if let Err(e) = result {
            warn!(error = %e, "spool files not removed");
        }
    }

    fn write(&self, name: &Name, bytes: &[Bytes]) -> io::Result<()> {
        let folder = self.folder.join(name.folder());
        let part = folder.join(format!("{}.part", name.file()));
        let mut file = match File::create(&part) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&folder)?;
                File::create(&part)?
            }
            other => other?,
        };
        for piece in bytes {
            file.write_all(piece)?;
        }
        file.sync_data()?;
        fs::rename(part, folder.join(name.file()))
    }

    /// Makes the renames durable, one sync per folder, and answers.
    fn acknowledge(&self, written: Vec<(Name, Done, io::Result<()>)>) {
        let folders: BTreeSet<PathBuf> = written
            .iter()
            .map(|(name, ..)| self.folder.join(name.folder()))
            .collect();
        let synced = folders
            .iter()
            .filter(|folder| folder.exists())
            .try_for_each(|folder| File::open(folder)?.sync_all());
        let unsynced = synced.err().map(Arc::new);
        for (name, done, result) in written {
            let result = match (result, &unsynced) {
                (Ok(()), Some(e)) => Err(io::Error::new(e.kind(), e.clone())),
                (result, _) => result,
            };
            if let Err(e) = &result {
                error!(?name, error = %e, "spool write failed; the segment is not durable");
            }
            done(result.map_err(SpoolError::Disk));
        }
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn name(msn: u64) -> Name {
        Name {
            video: "oabcdefghijk".parse().unwrap(),
            epoch: Epoch(1),
            rendition: "source".parse().unwrap(),
            kind: Kind::Segment(Msn(msn)),
        }
    }

    fn write_and_wait(spool: &Spool, name: Name, bytes: Vec<Bytes>) -> Result<(), SpoolError> {
        let (tx, rx) = mpsc::channel();
        spool.write(
            name,
            bytes,
            Box::new(move |result| tx.send(result).unwrap()),
        );
        rx.recv().unwrap()
    }

    #[test]
    fn what_is_done_can_be_read_by_another_life() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let pieces = vec![Bytes::from_static(b"moof"), Bytes::from_static(b"mdat")];
        write_and_wait(&spool, name(7), pieces).unwrap();
        let reopened = Spool::open(dir.path()).unwrap();
        assert_eq!(reopened.read(name(7)).unwrap(), "moofmdat");
        reopened.remove(vec![name(7), name(8)]);
        reopened.flush();
        assert_eq!(
            reopened.read(name(7)).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn a_full_queue_and_a_broken_disk_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let huge = vec![Bytes::from(vec![0; QUEUE_BYTES / 4]); 5];
        assert!(matches!(
            write_and_wait(&spool, name(1), huge),
            Err(SpoolError::Full)
        ));
        fs::write(
            dir.path().join("oabcdefghijk"),
            "a file where a folder should be",
        )
        .unwrap();
        let small = vec![Bytes::from_static(b"x")];
        assert!(matches!(
            write_and_wait(&spool, name(2), small),
            Err(SpoolError::Disk(_))
        ));
    }
}
