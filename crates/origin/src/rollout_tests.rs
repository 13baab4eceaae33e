use tempfile::TempDir;
use weir_model::rollout::{Manifest, ModuleRef};

use super::*;

const NOW: WallTime = WallTime(1_795_000_000_000);

fn open() -> (TempDir, Rollouts) {
    let folder = tempfile::tempdir().unwrap();
    let rollouts = Rollouts::open(&folder.path().join("edge")).unwrap();
    (folder, rollouts)
}

fn hash(bytes: &[u8]) -> ModuleHash {
    ModuleHash(Sha256::digest(bytes).into())
}

fn wanted(bytes: &[u8]) -> StartRollout {
    StartRollout {
        manifest: Manifest {
            name: "edge-1".to_owned(),
            sha256: hash(bytes),
            bytes: bytes.len() as u64,
            abi: 3,
            created_at: NOW,
            key: "0123456789abcdef".to_owned(),
            signature: String::new(),
        },
        again: false,
    }
}

fn status() -> Status {
    Status {
        stable: ModuleRef {
            sha256: hash(b"stable"),
            name: None,
        },
        candidate: None,
        rollout: None,
        refused: 0,
        rolled_back: 0,
    }
}

#[test]
fn a_rollout_is_there_in_the_next_life() {
    let (folder, rollouts) = open();
    rollouts.keep(hash(b"one"), b"one").unwrap();
    // Uploading is idempotent.
    rollouts.keep(hash(b"one"), b"one").unwrap();
    rollouts.keep(hash(b"two"), b"two").unwrap();
    assert_eq!(rollouts.start(wanted(b"one"), NOW).unwrap().number, 1);
    let second = rollouts.start(wanted(b"two"), NOW).unwrap();
    assert_eq!(second.number, 2);

    let again = Rollouts::open(&folder.path().join("edge")).unwrap();
    let orders = again.check_in("paris".to_owned(), status(), NOW);
    assert_eq!(orders.rollout, Some(second));
    assert_eq!(again.module(hash(b"two")).unwrap(), b"two".as_slice());
    assert_eq!(again.start(wanted(b"one"), NOW).unwrap().number, 3);
}

#[test]
fn what_does_not_fit_is_refused() {
    let (_folder, rollouts) = open();
    let refused = rollouts.keep(hash(b"one"), b"two");
    assert!(
        matches!(refused, Err(RolloutError::OtherHash { .. })),
        "{refused:?}"
    );
    assert!(matches!(
        rollouts.keep(hash(b""), b""),
        Err(RolloutError::Size(0))
    ));
    let long = vec![0; MAX_MODULE + 1];
    let refused = rollouts.keep(hash(&long), &long);
    assert!(matches!(refused, Err(RolloutError::Size(_))), "{refused:?}");

    let refused = rollouts.start(wanted(b"one"), NOW);
    assert!(
        matches!(refused, Err(RolloutError::NoModule(_))),
        "{refused:?}"
    );
    rollouts.keep(hash(b"one"), b"one").unwrap();
    let mut longer = wanted(b"one");
    longer.manifest.bytes += 1;
    let refused = rollouts.start(longer, NOW);
    assert!(
        matches!(refused, Err(RolloutError::OtherLength { .. })),
        "{refused:?}"
    );
    let mut nameless = wanted(b"one");
    nameless.manifest.name.clear();
    let refused = rollouts.start(nameless, NOW);
    assert!(
        matches!(refused, Err(RolloutError::Manifest(_))),
        "{refused:?}"
    );
    assert_eq!(rollouts.fleet().rollout, None);
}

#[test]
fn the_fleet_is_bounded() {
    let (_folder, rollouts) = open();
    for n in 0..=MAX_POPS as u64 {
        rollouts.check_in(format!("pop-{n:04}"), status(), WallTime(NOW.0 + n));
    }
    let fleet = rollouts.fleet();
    assert_eq!(fleet.pops.len(), MAX_POPS);
    assert_eq!(
        fleet.pops[0].name, "pop-0001",
        "the one that was silent the longest is gone"
    );
}

#[test]
fn old_modules_make_room_but_not_the_wanted_one() {
    let (_folder, rollouts) = open();
    rollouts.keep(hash(b"wanted"), b"wanted").unwrap();
    rollouts.start(wanted(b"wanted"), NOW).unwrap();
    for n in 0..2 * MAX_MODULES {
        let bytes = n.to_string().into_bytes();
        rollouts.keep(hash(&bytes), &bytes).unwrap();
    }
    assert!(rollouts.module(hash(b"wanted")).is_ok());
    let kept = fs::read_dir(rollouts.folder.join("modules"))
        .unwrap()
        .count();
    assert_eq!(kept, MAX_MODULES);
}
