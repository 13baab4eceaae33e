//! What the disk cache gives back after the PoP was killed, what it never gives, and that viewers
//! notice nothing of its failures.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use support::{
    RunningPop,
    client::{Answer, get},
    config, module,
    origin::{Origin, Reply, wait_until},
};
use tempfile::TempDir;
use weir_pop::DiskCache;

const FIRST: &str = "/v/oabcdefghijk/3/480p/12.m4s";
const SECOND: &str = "/v/oabcdefghijk/3/480p/13.m4s";
const PLAYLIST: &str = "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7&_HLS_part=2";
const MULTIVARIANT: &str = "/v/oabcdefghijk/index.m3u8";

/// No port that a test is given.
const NOWHERE: &str = "127.0.0.1:1";

fn start(origin: SocketAddr, folder: &Path, bytes: u64) -> RunningPop {
    let mut config = config(origin, &module::path());
    config.disk_cache = Some(DiskCache {
        folder: folder.to_owned(),
        bytes,
    });
    RunningPop::start_with(config)
}

fn large_bodies() -> Origin {
    Origin::start(|asked| Reply::Whole {
        status: 200,
        fields: vec![
            ("content-type", "video/mp4".to_owned()),
            ("etag", "\"one\"".to_owned()),
        ],
        body: body_of(&asked.target),
    })
}

fn body_of(target: &str) -> Vec<u8> {
    target.bytes().cycle().take(100_000).collect()
}

fn written(pop: &RunningPop) -> f64 {
    pop.counter("weir_pop_disk_written_total")
}

/// The folder of a PoP that fetched these, as a kill leaves it.
fn left_by_a_kill(targets: &[&str]) -> TempDir {
    let origin = large_bodies();
    let folder = TempDir::new().unwrap();
    let pop = start(origin.address, folder.path(), 64 << 20);
    for (count, target) in (1..).zip(targets) {
        assert_eq!(get(pop.address, target).status, 200);
        wait_until("the answer to be written", || {
            written(&pop) as usize == count
        });
    }
    let left = TempDir::new().unwrap();
    for file in logs(folder.path()) {
        fs::copy(&file, left.path().join(file.file_name().unwrap())).unwrap();
    }
    left
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == "weirlog"))
        .collect()
}

fn is_from_disk(answer: &Answer) -> bool {
    answer
        .field("cache-status")
        .is_some_and(|status| status.ends_with("; detail=disk"))
}

#[test]
fn hits_are_served_at_once_after_a_kill() {
    let left = left_by_a_kill(&[FIRST, SECOND]);
    let pop = start(NOWHERE.parse().unwrap(), left.path(), 64 << 20);
    for target in [FIRST, SECOND] {
        let answer = get(pop.address, target);
        assert_eq!((answer.status, &answer.body), (200, &body_of(target)));
        assert!(is_from_disk(&answer), "{answer:?}");
        assert_eq!(answer.field("content-type"), Some("video/mp4"));
        assert_eq!(answer.field("etag"), Some("\"one\""));
        assert!(answer.field("age").is_some());
        assert_eq!(
            answer.field("cache-control"),
            Some("public, max-age=31536000, immutable")
        );
        assert!(
            !is_from_disk(&get(pop.address, target)),
            "by now it is in memory"
        );
    }
    assert_eq!(pop.counter("weir_pop_disk_hits_total"), 2.0);
}

#[test]
fn what_is_torn_is_fetched_anew() {
    for damage in [
        (|log: &mut Vec<u8>| {
            // In the body of the last record.
            let at = log.len() - 1000;
            log[at] ^= 1;
        }) as fn(&mut Vec<u8>),
        |log| log.truncate(log.len() - 50_000),
        |log| {
            let at = log.len() - 50_000;
            log[at..].fill(0);
        },
    ] {
        let left = left_by_a_kill(&[FIRST, SECOND]);
        let file = logs(left.path()).pop().unwrap();
        let mut log = fs::read(&file).unwrap();
        damage(&mut log);
        fs::write(&file, log).unwrap();

        let origin = large_bodies();
        let pop = start(origin.address, left.path(), 64 << 20);
        assert!(is_from_disk(&get(pop.address, FIRST)));
        let answer = get(pop.address, SECOND);
        assert_eq!((answer.status, &answer.body), (200, &body_of(SECOND)));
        assert!(!is_from_disk(&answer));
        assert_eq!(origin.asked_for(SECOND), 1);
    }
}

#[test]
fn live_playlists_are_not_written_and_what_may_stand_in_is() {
    let origin = large_bodies();
    let folder = TempDir::new().unwrap();
    let pop = start(origin.address, folder.path(), 64 << 20);
    get(pop.address, PLAYLIST);
    get(pop.address, MULTIVARIANT);
    wait_until("one of them to be written", || written(&pop) > 0.0);
    drop(pop);
    drop(origin);
    let pop = start(NOWHERE.parse().unwrap(), folder.path(), 64 << 20);
    let answer = get(pop.address, MULTIVARIANT);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(get(pop.address, PLAYLIST).status >= 500);
}

#[test]
fn the_oldest_goes_when_there_is_no_room() {
    const BYTES: u64 = 2 << 20;
    let origin = large_bodies();
    let folder = TempDir::new().unwrap();
    let target = |n: usize| format!("/v/oabcdefghijk/3/480p/{n}.m4s");
    let pop = start(origin.address, folder.path(), BYTES);
    for n in 1..=60 {
        get(pop.address, &target(n));
        wait_until("it to be written", || written(&pop) as usize == n);
        let files = logs(folder.path());
        let bytes: u64 = files
            .iter()
            .map(|file| fs::metadata(file).unwrap().len())
            .sum();
        assert!(bytes <= BYTES, "{bytes} bytes after {n}");
    }
    drop(pop);
    let pop = start(origin.address, folder.path(), BYTES);
    assert!(!is_from_disk(&get(pop.address, &target(1))));
    assert!(is_from_disk(&get(pop.address, &target(60))));
}

#[test]
fn viewers_do_not_notice_that_the_disk_fails() {
    let origin = large_bodies();
    let folder = TempDir::new().unwrap();
    let pop = start(origin.address, folder.path(), 64 << 20);
    fs::remove_dir_all(folder.path()).unwrap();
    for target in [FIRST, SECOND] {
        assert_eq!(get(pop.address, target).body, body_of(target));
        let hit = get(pop.address, target);
        assert!(hit.field("cache-status").unwrap().starts_with("weir; hit"));
    }
    wait_until("the failure to be counted", || {
        pop.counter("weir_pop_disk_failures_total") == 1.0
            && pop.counter("weir_pop_disk_skipped_total") == 1.0
    });
}

#[test]
fn a_folder_belongs_to_one_process() {
    let folder = TempDir::new().unwrap();
    let _pop = start(NOWHERE.parse().unwrap(), folder.path(), 64 << 20);
    let mut config = config(NOWHERE.parse().unwrap(), &module::path());
    config.disk_cache = Some(DiskCache {
        folder: folder.path().to_owned(),
        bytes: 1 << 20,
    });
    let second = weir_pop::Pop::load(
        config,
        &mut prometheus_client::registry::Registry::default(),
    );
    let error = second.unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
}
