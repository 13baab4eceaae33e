//! A disk that takes no more: viewers notice nothing, and nothing that is torn is ever served.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use support::{
    RunningPop,
    client::get,
    config, module,
    origin::{Origin, Reply, wait_until},
};
use weir_pop::DiskCache;

/// Set where no file may grow any further.
const FULL: &str = "WEIR_TEST_FULL_DISK";
const SEGMENTS: usize = 15;
const SEGMENT_BYTES: usize = 100_000;

fn target(n: usize) -> String {
    format!("/v/oabcdefghijk/3/480p/{n}.m4s")
}

fn body_of(target: &str) -> Vec<u8> {
    target.bytes().cycle().take(SEGMENT_BYTES).collect()
}

/// How many segments were asked for.
fn fetched(origin: &Origin) -> usize {
    let asked = origin.asked().into_iter();
    asked
        .filter(|asked| asked.target.starts_with("/v/"))
        .count()
}

fn start(origin: &Origin, folder: &Path) -> RunningPop {
    let mut config = config(origin.address, &module::path());
    config.disk_cache = Some(DiskCache {
        folder: folder.to_owned(),
        bytes: 64 << 20,
    });
    RunningPop::start_with(config)
}

/// The limit is a process's own, so that this test starts itself again, under one: a record that
/// goes beyond it is written in part, and the rest refused, as by a disk that is full.
#[test]
fn viewers_do_not_notice_that_a_disk_takes_no_more() {
    if env::var_os(FULL).is_some() {
        return with_a_full_disk();
    }
    let output = Command::new("sh")
        // In blocks of 512 or of 1,024 bytes: room for a few segments, and not for all.
        .args([
            "-c",
            r#"trap "" XFSZ; ulimit -f 800; exec "$0" --nocapture"#,
        ])
        .arg(env::current_exe().unwrap())
        .env(FULL, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let cried = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{cried}");
    assert!(said.contains("1 passed"), "{said}");
}

fn with_a_full_disk() {
    let origin = Origin::start(|asked| Reply::Whole {
        status: 200,
        fields: vec![("content-type", "video/mp4".to_owned())],
        body: body_of(&asked.target),
    });
    let folder = tempfile::tempdir().unwrap();
    let pop = start(&origin, folder.path());
    let count = |name: &str| pop.counter(&format!("weir_pop_disk_{name}_total")) as usize;
    for n in 0..SEGMENTS {
        // First from the origin, then from memory.
        for _ in 0..2 {
            let answer = get(pop.address, &target(n));
            assert_eq!((answer.status, &answer.body), (200, &body_of(&target(n))));
        }
        wait_until("the disk's answer", || {
            count("written") + count("failures") + count("skipped") == n + 1
        });
    }
    let written = count("written");
    assert!((1..SEGMENTS).contains(&written), "{written} were written");
    assert_eq!(count("failures"), 1, "then it is left alone for a while");
    assert_eq!(fetched(&origin), SEGMENTS);
    drop(pop);

    // What was written is whole, the rest is fetched anew.
    let pop = start(&origin, folder.path());
    for n in 0..SEGMENTS {
        let answer = get(pop.address, &target(n));
        assert_eq!((answer.status, &answer.body), (200, &body_of(&target(n))));
    }
    assert_eq!(pop.counter("weir_pop_disk_hits_total") as usize, written);
    assert_eq!(fetched(&origin), 2 * SEGMENTS - written);
}
