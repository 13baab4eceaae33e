//! The durable record of what a broadcast did: one append-only file per video, one JSON line per
//! [`Entry`].
//!
//! A thread of its own writes, so that live never waits for a disk. It takes all that has been
//! handed in, writes it, calls fsync once per touched file, and only then acknowledges each entry.
//! A crash can tear the last line; a reader skips what is no entry, and the next append starts on
//! a fresh line.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::{error, warn};
use weir_media::record::{InitRecord, SegmentRecord};
use weir_model::{Msn, VideoId};

use crate::archive::StoredSpan;

/// One fact about a broadcast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Media sequence numbers below this one may have been used.
    Reserved(Msn),
    /// An initialisation segment is in the spool.
    Init(InitRecord),
    /// A segment has ended. Unless the record says gap, its bytes are in the spool.
    Segment(SegmentRecord),
    /// A span is in object storage.
    Span(StoredSpan),
}

/// How many entries may wait for the disk. At three renditions of 2 s segments this is minutes of
/// a thousand broadcasts.
const QUEUE: usize = 1 << 16;
/// How many entries share one fsync at most.
const BATCH: usize = 1024;

/// Told when an entry is durable, or why it is not. Runs on the journal's thread: be quick.
pub type Acknowledge = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

/// Why an entry is not durable.
#[derive(Clone, Debug, Error)]
pub enum JournalError {
    /// The disk is so slow that the queue is full.
    #[error("the journal's queue of {QUEUE} entries is full")]
    Full,
    /// The disk refused.
    #[error("journal of {video}: {source}")]
    Disk {
        /// Whose journal.
        video: VideoId,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The origin is shutting down.
    #[error("the journal is closed")]
    Closed,
}

enum Command {
    Append {
        video: VideoId,
        line: Vec<u8>,
        acknowledge: Option<Acknowledge>,
    },
    Close {
        video: VideoId,
    },
    Flush {
        done: SyncSender<()>,
    },
}

/// The journals of all videos of one origin.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    commands: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// Starts the writer over the files in `folder`, which is made if it is missing.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (commands, inbox) = sync_channel(QUEUE);
        let files = Files {
            folder: folder.to_owned(),
            open: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("weir-journal".to_owned())
            .spawn(move || write_batches(&inbox, files))?;
        Ok(Self {
            folder: folder.to_owned(),
            commands: Some(commands),
            thread: Some(thread),
        })
    }

    /// Hands `entry` over and returns at once; `acknowledge` is called exactly once.
    pub fn append(&self, video: VideoId, entry: &Entry, acknowledge: Option<Acknowledge>) {
        let mut line = serde_json::to_vec(entry).expect("entries are plain data");
        line.push(b'\n');
        let refused = match &self.commands {
            Some(commands) => commands.try_send(Command::Append {
                video,
                line,
                acknowledge,
            }),
            None => Err(TrySendError::Disconnected(Command::Append {
                video,
                line,
                acknowledge,
            })),
        };
        let (command, why) = match refused {
            Ok(()) => return,
            Err(TrySendError::Full(command)) => (command, JournalError::Full),
            Err(TrySendError::Disconnected(command)) => (command, JournalError::Closed),
        };
        warn!(%video, error = %why, "journal entry refused");
        if let Command::Append {
            acknowledge: Some(acknowledge),
            ..
        } = command
        {
            acknowledge(Err(why));
        }
    }

    /// Closes the file of a video that is off air. A later append opens it again.
    pub fn close(&self, video: VideoId) {
        if let Some(commands) = &self.commands {
            // A file that stays open until the origin ends does no harm.
            let _ = commands.try_send(Command::Close { video });
        }
    }

    /// Blocks until all that was handed in before is durable or refused.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if let Some(commands) = &self.commands
            && commands.send(Command::Flush { done }).is_ok()
        {
            // Both ways out mean that nothing is pending any more.
            let _ = wait.recv();
        }
    }

    /// Reads all entries of a video, oldest first. Lines that are no entry are skipped with a
    /// warning; a video without a journal has none.
    pub fn read(&self, video: VideoId) -> io::Result<Vec<Entry>> {
        let text = match fs::read(file_of(&self.folder, video)) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let mut entries = Vec::new();
        for (number, line) in text.split(|&b| b == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(entry) => entries.push(entry),
                Err(e) => warn!(%video, line = number + 1, error = %e, "journal line skipped"),
            }
        }
        Ok(entries)
    }

    /// Every video that has a journal.
    pub fn videos(&self) -> io::Result<Vec<VideoId>> {
        let mut videos = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let name = file?.file_name();
            let video = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            videos.extend(video.and_then(|video| video.parse::<VideoId>().ok()));
        }
        Ok(videos)
    }

    /// Removes the journal of a video whose recording has taken its place.
    pub fn remove(&self, video: VideoId) -> io::Result<()> {
        self.close(video);
        self.flush();
        match fs::remove_file(file_of(&self.folder, video)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the journal's thread panicked");
        }
    }
}

fn file_of(folder: &Path, video: VideoId) -> PathBuf {
    folder.join(format!("{video}.jsonl"))
}

fn write_batches(inbox: &Receiver<Command>, mut files: Files) {
    while let Ok(first) = inbox.recv() {
        let mut lines: HashMap<VideoId, (Vec<u8>, Vec<Acknowledge>)> = HashMap::new();
        let mut flushed = Vec::new();
        let mut closed = Vec::new();
        let more = std::iter::from_fn(|| inbox.try_recv().ok()).take(BATCH);
        for command in std::iter::once(first).chain(more) {
            match command {
                Command::Append {
                    video,
                    line,
                    acknowledge,
                } => {
                    let (bytes, acknowledges) = lines.entry(video).or_default();
                    bytes.extend_from_slice(&line);
                    acknowledges.extend(acknowledge);
                }
                Command::Close { video } => closed.push(video),
                Command::Flush { done } => flushed.push(done),
            }
        }
        for (video, (bytes, acknowledges)) in lines {
            let result = files.append(video, &bytes).map_err(|e| {
                error!(%video, error = %e, "journal write failed; what it held is not durable");
                JournalError::Disk {
                    video,
                    source: Arc::new(e),
                }
            });
            for acknowledge in acknowledges {
                acknowledge(result.clone());
            }
        }
        for video in closed {
            files.open.remove(&video);
        }
        for done in flushed {
            // Whoever waited may have given up.
            let _ = done.send(());
        }
    }
}

struct Files {
    folder: PathBuf,
    open: HashMap<VideoId, File>,
}

impl Files {
    fn append(&mut self, video: VideoId, bytes: &[u8]) -> io::Result<()> {
        // A file that failed is opened anew next time, which mends a torn line.
        let mut file = match self.open.remove(&video) {
            Some(file) => file,
            None => self.open_for_append(video)?,
        };
        file.write_all(bytes)?;
        file.sync_data()?;
        self.open.insert(video, file);
        Ok(())
    }

    fn open_for_append(&self, video: VideoId) -> io::Result<File> {
        let path = file_of(&self.folder, video);
        let fresh = !path.exists();
        let mut file = File::options()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        if fresh {
            File::open(&self.folder)?.sync_all()?;
        } else if file.metadata()?.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn video() -> VideoId {
        "oabcdefghijk".parse().unwrap()
    }

    fn reserved(range: std::ops::Range<u64>) -> Vec<Entry> {
        range.map(|n| Entry::Reserved(Msn(n))).collect()
    }

    fn append_and_wait(journal: &Journal, entries: &[Entry]) {
        let (tx, rx) = mpsc::channel();
        for entry in entries {
            let tx = tx.clone();
            let acknowledge: Acknowledge = Box::new(move |result| tx.send(result).unwrap());
            journal.append(video(), entry, Some(acknowledge));
        }
        for _ in entries {
            rx.recv().unwrap().unwrap();
        }
    }

    #[test]
    fn acknowledged_entries_are_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        append_and_wait(&journal, &reserved(0..100));
        // Another reader sees them while the writer is still open, as after a SIGKILL.
        let reopened = Journal::open(dir.path()).unwrap();
        assert_eq!(reopened.read(video()).unwrap(), reserved(0..100));
    }

    #[test]
    fn a_torn_tail_is_dropped_and_later_entries_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = file_of(dir.path(), video());
        append_and_wait(&Journal::open(dir.path()).unwrap(), &reserved(0..3));
        let whole = fs::read(&path).unwrap();
        for cut in 1..=16 {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let journal = Journal::open(dir.path()).unwrap();
            // Only the newline is missing: the entry is whole.
            let kept = if cut == 1 { 3 } else { 2 };
            assert_eq!(
                journal.read(video()).unwrap(),
                reserved(0..kept),
                "cut {cut}"
            );
            append_and_wait(&journal, &reserved(9..10));
            let expected = [reserved(0..kept), reserved(9..10)].concat();
            assert_eq!(journal.read(video()).unwrap(), expected, "cut {cut}");
        }
    }

    #[test]
    fn a_refused_write_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("journal");
        let journal = Journal::open(&folder).unwrap();
        fs::remove_dir(&folder).unwrap();
        let (tx, rx) = mpsc::channel();
        let acknowledge: Acknowledge = Box::new(move |result| tx.send(result).unwrap());
        journal.append(video(), &Entry::Reserved(Msn(1)), Some(acknowledge));
        assert!(matches!(rx.recv().unwrap(), Err(JournalError::Disk { .. })));
    }
}
