//! The files of the log, and where in them what is.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    hash::{BuildHasher, RandomState},
    io::{self, BufReader, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Instant, SystemTime},
};

use thiserror::Error;

use super::record::{self, PREFIX_BYTES, Prefix};
use crate::cache::{Hit, Templates};

/// Files that a volume is divided into, if they are not too small or too large for that.
const FILES: u64 = 64;
const MIN_FILE_BYTES: u64 = 256 << 10;
const MAX_FILE_BYTES: u64 = 1 << 30;
const EXTENSION: &str = "weirlog";

/// Why an answer could not be read.
#[derive(Debug, Error)]
pub(super) enum ReadError {
    #[error("the file {file}")]
    Io { file: u32, source: io::Error },
    #[error("{len} bytes at {at} in file {file} are not what was written")]
    Damaged { file: u32, at: u32, len: u32 },
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    file: u32,
    at: u32,
    len: u32,
}

pub(super) struct Volume {
    folder: PathBuf,
    bytes: u64,
    file_bytes: u64,
    templates: Arc<Templates>,
    hasher: RandomState,
    index: RwLock<Index>,
}

/// Keys are hashed, for there may be a great many: a record has its own key to compare.
#[derive(Default)]
struct Index {
    places: HashMap<u64, Place>,
    files: BTreeMap<u32, LogFile>,
}

struct LogFile {
    file: Arc<File>,
    bytes: u64,
}

impl Volume {
    /// Looks through the files in `folder`, and removes what is more than `bytes`.
    pub(super) fn open(folder: &Path, bytes: u64, templates: Arc<Templates>) -> io::Result<Self> {
        let volume = Self {
            folder: folder.to_owned(),
            bytes,
            file_bytes: (bytes / FILES).clamp(MIN_FILE_BYTES, MAX_FILE_BYTES),
            templates,
            hasher: RandomState::new(),
            index: RwLock::default(),
        };
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if path.extension().is_some_and(|found| found == EXTENSION)
                && let Some(number) = stem.and_then(|stem| stem.parse().ok())
            {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        for number in numbers {
            volume.look_through(number)?;
        }
        volume.make_room(0);
        Ok(volume)
    }

    /// Puts the records of a file into the index, up to the first that is not whole.
    fn look_through(&self, number: u32) -> io::Result<()> {
        let file = File::open(self.path(number))?;
        let bytes = file.metadata()?.len();
        let wall = SystemTime::now();
        let mut reader = BufReader::new(&file);
        let (mut at, mut useful) = (0, false);
        let mut prefix_bytes = [0; PREFIX_BYTES];
        let mut names = Vec::new();
        while at + PREFIX_BYTES as u64 <= bytes {
            reader.read_exact(&mut prefix_bytes)?;
            let Some(prefix) = Prefix::parse(&prefix_bytes) else {
                break;
            };
            let end = at + prefix.record_len() as u64;
            if end > bytes {
                break;
            }
            names.resize(prefix.names_len(), 0);
            reader.read_exact(&mut names)?;
            let Some(key) = prefix.check(&prefix_bytes, &names) else {
                break;
            };
            if let (false, Some(place)) = (prefix.is_spent(wall), place(number, at, end)) {
                self.write_index().places.insert(self.hash(key), place);
                useful = true;
            }
            reader.seek_relative(i64::try_from(prefix.body_len()).unwrap_or(i64::MAX))?;
            at = end;
        }
        let file = LogFile {
            file: Arc::new(file),
            bytes,
        };
        self.write_index().files.insert(number, file);
        if !useful {
            self.remove(number);
        }
        Ok(())
    }

    /// Where an answer is, as far as its key's hash can tell.
    pub(super) fn place(&self, key: &str) -> Option<Place> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.places.get(&self.hash(key)).copied()
    }

    /// Reads an answer that is still of use. One that is damaged is forgotten.
    pub(super) fn read(
        &self,
        key: &str,
        now: Instant,
        wall: SystemTime,
    ) -> Result<Option<Hit>, ReadError> {
        let hash = self.hash(key);
        let found = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            index.places.get(&hash).and_then(|place| {
                let file = index.files.get(&place.file)?;
                Some((*place, file.file.clone()))
            })
        };
        let Some((place, file)) = found else {
            return Ok(None);
        };
        let mut record = vec![0; place.len as usize];
        let Place {
            file: number,
            at,
            len,
        } = place;
        if let Err(source) = file.read_exact_at(&mut record, at.into()) {
            self.forget(hash, place);
            return Err(ReadError::Io {
                file: number,
                source,
            });
        }
        match record::decode(key, record.into(), &self.templates, (now, wall)) {
            Some(hit) if hit.life.use_left(now).is_zero() => Ok(None),
            Some(hit) => Ok(Some(hit)),
            None => {
                self.forget(hash, place);
                Err(ReadError::Damaged {
                    file: number,
                    at,
                    len,
                })
            }
        }
    }

    fn forget(&self, hash: u64, place: Place) {
        let mut index = self.write_index();
        if index.places.get(&hash) == Some(&place) {
            index.places.remove(&hash);
        }
    }

    /// Begins a file, with room for it. Gives its number.
    pub(super) fn begin_file(&self) -> io::Result<(u32, Arc<File>)> {
        self.make_room(self.file_bytes);
        let last = self.write_index().files.keys().next_back().copied();
        let number = last.map_or(1, |last| last.saturating_add(1));
        let file = File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(self.path(number))?;
        let file = Arc::new(file);
        let log_file = LogFile {
            file: file.clone(),
            bytes: 0,
        };
        self.write_index().files.insert(number, log_file);
        Ok((number, file))
    }

    /// A record of `key` was written at `at`, which ends there.
    pub(super) fn written(&self, key: &str, number: u32, (at, end): (u64, u64)) {
        let hash = self.hash(key);
        let mut index = self.write_index();
        if let Some(file) = index.files.get_mut(&number) {
            file.bytes = end;
            if let Some(place) = place(number, at, end) {
                index.places.insert(hash, place);
            }
        }
    }

    /// How long a file may become.
    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// How many answers there are.
    pub(super) fn len(&self) -> usize {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.places.len()
    }

    /// Bytes that the files take.
    pub(super) fn bytes(&self) -> u64 {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.files.values().map(|file| file.bytes).sum()
    }

    /// Removes the oldest files until there is room for `bytes` more.
    fn make_room(&self, bytes: u64) {
        while self.bytes() + bytes > self.bytes {
            let oldest = self.write_index().files.keys().next().copied();
            match oldest {
                Some(oldest) => self.remove(oldest),
                None => return,
            }
        }
    }

    fn remove(&self, number: u32) {
        let mut index = self.write_index();
        index.files.remove(&number);
        index.places.retain(|_, place| place.file != number);
        // What cannot be removed now is found again at the next start.
        let _ = fs::remove_file(self.path(number));
    }

    fn write_index(&self) -> std::sync::RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, key: &str) -> u64 {
        self.hasher.hash_one(key)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:010}.{EXTENSION}"))
    }
}

fn place(file: u32, at: u64, end: u64) -> Option<Place> {
    Some(Place {
        file,
        at: u32::try_from(at).ok()?,
        len: u32::try_from(end - at).ok()?,
    })
}
