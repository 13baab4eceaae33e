use std::{fs, path::PathBuf};

use tempfile::TempDir;
use weir_edge_abi::{Method, Request};
use weir_model::{
    WallTime,
    rollout::{ModuleHash, State},
};

use super::*;
use crate::rollout::{EdgeKeys, SigningKey};

/// What a point of presence finds when it starts: the module that it came with, and a store in
/// which another one is kept.
struct Found {
    module: Vec<u8>,
    kept: Vec<u8>,
    key: SigningKey,
    folder: TempDir,
}

impl Found {
    fn new() -> Self {
        let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/wasm/edge.wasm");
        let path = std::env::var_os("WEIR_EDGE_MODULE").map_or_else(|| built.into(), PathBuf::from);
        let module = fs::read(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; run `cargo xtask build-wasm`", path.display())
        });
        // A custom section: the same module under another hash.
        let kept = [module.as_slice(), b"\0\x05\x04note"].concat();
        let key = SigningKey::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let manifest = key.sign(&kept, "kept", weir_edge_abi::ABI_VERSION, WallTime(0));
        let manifest = manifest.unwrap();
        store.keep(manifest.sha256, &kept).unwrap();
        let memory = Memory {
            adopted: Some(manifest),
            rejected: Vec::new(),
        };
        store.remember(&memory).unwrap();
        Self {
            module,
            kept,
            key,
            folder,
        }
    }

    fn load(&self, keys: EdgeKeys) -> Rollouts {
        let config = Config {
            keys,
            store: Some(self.folder.path().to_owned()),
            ..Config::default()
        };
        let (told, registry) = (weir_edge_abi::Config::default(), &mut Registry::default());
        let rollouts = Rollouts::load(Some(config), &self.module, &told, registry);
        rollouts.unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn pinned(&self) -> EdgeKeys {
        [self.key.public()].into_iter().collect()
    }

    fn hash(&self) -> ModuleHash {
        signature::hash(&self.kept)
    }
}

fn namespace_of(rollouts: &Rollouts) -> String {
    let request = Request::new(Method::Get, "/", "");
    let namespace = rollouts
        .guests()
        .decide(&request, |_, author| author.namespace.to_owned());
    namespace.unwrap()
}

#[test]
fn the_last_good_module_is_gone_on_with() {
    let found = Found::new();
    let rollouts = found.load(found.pinned());
    assert_eq!(rollouts.status().stable.sha256, found.hash());
    assert_eq!(rollouts.status().refused, 0);
    assert_eq!(namespace_of(&rollouts), namespace(found.hash()));
}

/// Goes on with the module that it came with, and says why.
fn check_refused(found: &Found, keys: EdgeKeys, why: &str) {
    let rollouts = found.load(keys);
    let status = rollouts.status();
    assert_eq!(status.stable.sha256, signature::hash(&found.module));
    assert_eq!((status.stable.name, status.refused), (None, 1));
    assert_eq!(namespace_of(&rollouts), "");
    let progress = status.rollout.unwrap();
    assert_eq!(progress.state, State::Refused);
    let reason = progress.reason.unwrap();
    assert!(reason.contains(why), "{reason}");
}

#[test]
fn one_that_was_tampered_with_is_not() {
    let found = Found::new();
    let path = found.folder.path().join(format!("{}.wasm", found.hash()));
    fs::write(
        &path,
        [&found.module, b"\0\x05\x04evil".as_slice()].concat(),
    )
    .unwrap();
    check_refused(&found, found.pinned(), "not those that were signed");
    fs::remove_file(path).unwrap();
    check_refused(&found, found.pinned(), "the module kept on disk");
}

#[test]
fn one_whose_key_is_not_pinned_any_more_is_not() {
    let found = Found::new();
    let other = SigningKey::generate().unwrap();
    let keys = [other.public()].into_iter().collect();
    check_refused(&found, keys, "not pinned here");
    check_refused(&found, EdgeKeys::default(), "no edge key is pinned here");
}

#[test]
fn a_store_that_was_damaged_costs_the_memory_alone() {
    let found = Found::new();
    fs::write(found.folder.path().join("state.json"), "{").unwrap();
    let status = found.load(found.pinned()).status();
    assert_eq!(status.stable.sha256, signature::hash(&found.module));
    assert_eq!(status.rollout, None);
}
