//! Whether a module is let in: one that was fetched, or one that was kept.

use thiserror::Error;
use tracing::warn;
use weir_edge_abi::ABI_VERSION;
use weir_model::rollout::{Manifest, ModuleRef};

use super::{
    course::namespace,
    signature::{EdgeKeys, Untrusted},
    smoke::{self, Unfit},
    store::{Memory, Store, StoreError},
};
use crate::guest::{ConfigMessage, Generation, Guests, Module};

/// Why a module was not let in.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    #[error("the module speaks ABI version {0}, this point of presence {ABI_VERSION}")]
    Version(u32),
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("looking at the module panicked")]
    Unknown,
}

/// Why a module that was kept is not gone on with.
#[derive(Debug, Error)]
pub(super) enum NotKept {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// What a store remembers. One that was damaged costs the memory, not the start.
pub(super) fn remembered(store: &Store) -> Memory {
    store.memory().unwrap_or_else(|error| {
        warn!(%error, "what was kept of edge modules cannot be read");
        Memory::default()
    })
}

/// The module that was adopted in an earlier life, looked at as if it were new.
pub(super) fn revive(
    store: &Store,
    manifest: &Manifest,
    keys: &EdgeKeys,
    told: &ConfigMessage,
) -> Result<(Generation, ModuleRef), NotKept> {
    let bytes = store.module(manifest.sha256)?;
    let module = inspect(manifest, &bytes, keys, told)?;
    let stable = ModuleRef {
        sha256: manifest.sha256,
        name: Some(manifest.name.clone()),
    };
    Ok((Generation::new(module, namespace(manifest.sha256)), stable))
}

/// Verifies, compiles and tries a module.
pub(super) fn inspect(
    manifest: &Manifest,
    bytes: &[u8],
    keys: &EdgeKeys,
    told: &ConfigMessage,
) -> Result<Module, Refusal> {
    keys.verify(manifest, bytes)?;
    if manifest.abi != ABI_VERSION {
        return Err(Refusal::Version(manifest.abi));
    }
    let module = Guests::compile(bytes, told.clone()).map_err(Unfit::from)?;
    smoke::test(&module)?;
    Ok(module)
}
