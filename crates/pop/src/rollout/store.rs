//! What a point of presence keeps of its edge modules, so that it comes back with the last good
//! one.
//!
//! | in the folder | what |
//! | --- | --- |
//! | `state.json` | the manifest of the module that was adopted last, and what was rolled back |
//! | `{sha256}.wasm` | that module, and one on trial |
//!
//! Every file is written whole beside its place, made durable and moved there.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use weir_model::rollout::{MAX_MODULE, Manifest, ModuleHash};

/// Largest `state.json` that is read, in bytes.
const MAX_STATE: u64 = 256 << 10;
/// Most modules that are remembered as rolled back; the oldest go.
const MAX_REJECTED: usize = 64;

/// Why the folder could not be read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The system refused.
    #[error("edge store {path}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what was written there.
    #[error("edge store {path}: {source}")]
    State {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The file is longer than anything that was written there.
    #[error("edge store {path}: the file is longer than {max} bytes")]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// How long it may be.
        max: u64,
    },
}

/// What `state.json` holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Of the module that was adopted last.
    pub(crate) adopted: Option<Manifest>,
    /// Modules that were rolled back, the oldest first.
    #[serde(default)]
    pub(crate) rejected: Vec<Rejected>,
}

/// A module that was rolled back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejected {
    pub(crate) sha256: ModuleHash,
    /// In which roll-out.
    pub(crate) rollout: u64,
    pub(crate) reason: String,
}

impl Memory {
    /// Why a module was rolled back.
    pub(crate) fn rejection(&self, sha256: ModuleHash) -> Option<&Rejected> {
        self.rejected.iter().find(|known| known.sha256 == sha256)
    }

    /// Remembers a module that was rolled back.
    pub(crate) fn reject(&mut self, rejected: Rejected) {
        self.rejected
            .retain(|known| known.sha256 != rejected.sha256);
        self.rejected.push(rejected);
        let excess = self.rejected.len().saturating_sub(MAX_REJECTED);
        self.rejected.drain(..excess);
    }
}

/// The folder of one point of presence.
#[derive(Clone, Debug)]
pub(crate) struct Store(PathBuf);

impl Store {
    /// Makes the folder if it is missing.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(|source| StoreError::Io {
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self(folder.to_owned()))
    }

    /// What is remembered; nothing, in a new folder.
    pub(crate) fn memory(&self) -> Result<Memory, StoreError> {
        let path = self.state();
        match read(&path, MAX_STATE) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|source| StoreError::State { path, source })
            }
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Memory::default())
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps what is to be remembered. Modules that it does not name go.
    pub(crate) fn remember(&self, memory: &Memory) -> Result<(), StoreError> {
        let path = self.state();
        let json = serde_json::to_vec_pretty(memory).map_err(|source| StoreError::State {
            path: path.clone(),
            source,
        })?;
        self.write(&path, &json)?;
        self.tidy(memory.adopted.as_ref().map(|manifest| manifest.sha256));
        Ok(())
    }

    /// The bytes of a module.
    pub(crate) fn module(&self, sha256: ModuleHash) -> Result<Vec<u8>, StoreError> {
        read(&self.place(sha256), MAX_MODULE as u64)
    }

    /// Keeps the bytes of a module.
    pub(crate) fn keep(&self, sha256: ModuleHash, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(&self.place(sha256), bytes)
    }

    fn state(&self) -> PathBuf {
        self.0.join("state.json")
    }

    fn place(&self, sha256: ModuleHash) -> PathBuf {
        self.0.join(format!("{sha256}.wasm"))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let error = |source| StoreError::Io {
            path: path.to_owned(),
            source,
        };
        let beside = path.with_extension("new");
        let mut file = File::create(&beside).map_err(error)?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&beside, path))
            .and_then(|()| File::open(&self.0)?.sync_all())
            .map_err(error)
    }

    /// What stays is a few megabytes too many, so no failure here is worth a word.
    fn tidy(&self, keep: Option<ModuleHash>) {
        let kept = keep.map(|sha256| self.place(sha256));
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_module = path
                .extension()
                .is_some_and(|extension| extension == "wasm");
            if is_module && Some(&path) != kept.as_ref() {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn read(path: &Path, max: u64) -> Result<Vec<u8>, StoreError> {
    let error = |source| StoreError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(error)?;
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() as u64 > max {
        return Err(StoreError::TooLong {
            path: path.to_owned(),
            max,
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: ModuleHash = ModuleHash([1; 32]);

    fn rejected(n: u8) -> Rejected {
        Rejected {
            sha256: ModuleHash([n; 32]),
            rollout: u64::from(n),
            reason: "it fails".to_owned(),
        }
    }

    #[test]
    fn what_is_kept_is_there_in_the_next_life() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("edge")).unwrap();
        assert_eq!(store.memory().unwrap(), Memory::default());
        store.keep(SHA, b"module").unwrap();
        let mut memory = Memory::default();
        memory.reject(rejected(9));
        store.remember(&memory).unwrap();
        let again = Store::open(&folder.path().join("edge")).unwrap();
        assert_eq!(again.memory().unwrap(), memory);
        // Nothing says that it is good, so it went.
        assert!(again.module(SHA).is_err());
    }

    #[test]
    fn a_file_that_was_tampered_with_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        fs::write(folder.path().join("state.json"), "{").unwrap();
        assert!(matches!(store.memory(), Err(StoreError::State { .. })));
        let long = vec![b' '; MAX_STATE as usize + 1];
        fs::write(folder.path().join("state.json"), long).unwrap();
        assert!(matches!(store.memory(), Err(StoreError::TooLong { .. })));
    }

    #[test]
    fn rejections_are_remembered_once_each_and_not_for_ever() {
        let mut memory = Memory::default();
        for n in 0..=MAX_REJECTED as u8 {
            memory.reject(rejected(n));
            memory.reject(rejected(n));
        }
        assert_eq!(memory.rejected.len(), MAX_REJECTED);
        assert_eq!(memory.rejection(ModuleHash([0; 32])), None);
        assert_eq!(memory.rejection(ModuleHash([1; 32])), Some(&rejected(1)));
    }
}
