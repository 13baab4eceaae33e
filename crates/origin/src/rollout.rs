//! Edge modules that points of presence are to run: the uploaded ones, the newest roll-out, and
//! how it goes everywhere.
//!
//! | in the folder | what |
//! | --- | --- |
//! | `modules/{sha256}.wasm` | what was uploaded, under the hash of its bytes |
//! | `rollout.json` | the newest roll-out |
//!
//! The origin cannot tell a good signature from a bad one: it has no key. It keeps what it is
//! given, and each point of presence decides for itself what it trusts.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use thiserror::Error;
use weir_model::{
    WallTime,
    rollout::{
        Fleet, InvalidManifest, MAX_MODULE, ModuleHash, Orders, PopStatus, Rollout, StartRollout,
        Status,
    },
};

/// Most modules that are kept; the oldest that no roll-out names goes when another comes.
const MAX_MODULES: usize = 32;
/// Most points of presence that are kept in mind; the one that was silent the longest goes when
/// another comes.
const MAX_POPS: usize = 4096;

/// Why a call was not done.
#[derive(Debug, Error)]
pub enum RolloutError {
    /// The system refused.
    #[error("edge modules: {path}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// `rollout.json` is not what was written there.
    #[error("edge modules: {path}: {source}")]
    State {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The bytes are not those of the name.
    #[error("the bytes have the hash {found}, not {named}")]
    OtherHash {
        /// What they were sent as.
        named: ModuleHash,
        /// What they are.
        found: ModuleHash,
    },
    /// There are none, or too many.
    #[error("a module has 1 to {MAX_MODULE} bytes, not {0}")]
    Size(usize),
    /// The manifest is none.
    #[error(transparent)]
    Manifest(#[from] InvalidManifest),
    /// Nobody has uploaded the module.
    #[error("there is no module {0}; upload it first")]
    NoModule(ModuleHash),
    /// The manifest is of other bytes.
    #[error("the module has {found} bytes, the manifest says {signed}")]
    OtherLength {
        /// What the manifest says.
        signed: u64,
        /// What was uploaded.
        found: u64,
    },
}

/// The modules and roll-outs of one origin.
#[derive(Debug)]
pub struct Rollouts {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Rollout>,
    pops: BTreeMap<String, PopStatus>,
}

impl Rollouts {
    /// Takes up what is in `folder`, which is made if it is missing.
    pub fn open(folder: &Path) -> Result<Self, RolloutError> {
        let modules = folder.join("modules");
        fs::create_dir_all(&modules).map_err(io_error(&modules))?;
        let path = folder.join("rollout.json");
        let current = match fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json)
                .map_err(|source| RolloutError::State { path, source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io_error(&path)(error)),
        };
        Ok(Self {
            folder: folder.to_owned(),
            state: Mutex::new(State {
                current,
                ..State::default()
            }),
        })
    }

    /// Keeps a module. It is durable when this returns; one that is there already is left alone.
    pub fn keep(&self, named: ModuleHash, bytes: &[u8]) -> Result<(), RolloutError> {
        if !(1..=MAX_MODULE).contains(&bytes.len()) {
            return Err(RolloutError::Size(bytes.len()));
        }
        let found = ModuleHash(Sha256::digest(bytes).into());
        if found != named {
            return Err(RolloutError::OtherHash { named, found });
        }
        let path = self.place(named);
        if path.is_file() {
            return Ok(());
        }
        // One at a time, so that no two write beside the same place.
        let state = self.state();
        self.make_room(state.current.as_ref())?;
        write_durably(&path, bytes)
    }

    /// The bytes of a module.
    pub fn module(&self, sha256: ModuleHash) -> Result<Bytes, RolloutError> {
        let path = self.place(sha256);
        match fs::read(&path) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(RolloutError::NoModule(sha256))
            }
            Err(error) => Err(io_error(&path)(error)),
        }
    }

    /// Has all points of presence run a module that was uploaded before. Durable when this returns.
    pub fn start(&self, wanted: StartRollout, now: WallTime) -> Result<Rollout, RolloutError> {
        let StartRollout { manifest, again } = wanted;
        manifest.check()?;
        let path = self.place(manifest.sha256);
        let found = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RolloutError::NoModule(manifest.sha256));
            }
            Err(error) => return Err(io_error(&path)(error)),
        };
        let signed = manifest.bytes;
        if found != signed {
            return Err(RolloutError::OtherLength { signed, found });
        }
        let mut state = self.state();
        let rollout = Rollout {
            number: state.current.as_ref().map_or(0, |current| current.number) + 1,
            started_at: now,
            manifest,
            again,
        };
        let path = self.folder.join("rollout.json");
        let json = serde_json::to_vec_pretty(&rollout).map_err(|source| RolloutError::State {
            path: path.clone(),
            source,
        })?;
        write_durably(&path, &json)?;
        state.current = Some(rollout.clone());
        Ok(rollout)
    }

    /// Hears how it goes at a point of presence, and tells it what is wanted.
    pub fn check_in(&self, name: String, status: Status, now: WallTime) -> Orders {
        let mut state = self.state();
        if state.pops.len() >= MAX_POPS && !state.pops.contains_key(&name) {
            let silent = state.pops.values().min_by_key(|pop| pop.seen_at);
            if let Some(silent) = silent.map(|pop| pop.name.clone()) {
                state.pops.remove(&silent);
            }
        }
        let pop = PopStatus {
            name: name.clone(),
            seen_at: now,
            status,
        };
        state.pops.insert(name, pop);
        Orders {
            rollout: state.current.clone(),
        }
    }

    /// The newest roll-out, and what was last heard from everywhere.
    pub fn fleet(&self) -> Fleet {
        let state = self.state();
        Fleet {
            rollout: state.current.clone(),
            pops: state.pops.values().cloned().collect(),
        }
    }

    fn make_room(&self, current: Option<&Rollout>) -> Result<(), RolloutError> {
        let folder = self.folder.join("modules");
        let wanted = current.map(|rollout| self.place(rollout.manifest.sha256));
        let entries = fs::read_dir(&folder).map_err(io_error(&folder))?;
        let mut modules: Vec<_> = entries
            .flatten()
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        modules.sort();
        let excess = (modules.len() + 1).saturating_sub(MAX_MODULES);
        let old = modules.into_iter().map(|(_, path)| path);
        for path in old
            .filter(|path| Some(path) != wanted.as_ref())
            .take(excess)
        {
            fs::remove_file(&path).map_err(io_error(&path))?;
        }
        Ok(())
    }

    fn place(&self, sha256: ModuleHash) -> PathBuf {
        self.folder.join("modules").join(format!("{sha256}.wasm"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a file whole beside its place, makes it durable and moves it there.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), RolloutError> {
    let beside = path.with_extension("new");
    let folder = path.parent().unwrap_or(Path::new("."));
    File::create(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(io_error(path))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> RolloutError + use<> {
    let path = path.to_owned();
    move |source| RolloutError::Io { path, source }
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
