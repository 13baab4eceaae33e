//! What a page has to fetch to play stays below its ceilings.

use std::process::Command;

use serde::Deserialize;
use weir_tests::built;

/// Kilobytes of 1000 bytes, in Brotli.
#[derive(Deserialize)]
struct Sizes {
    engine: f64,
    all: f64,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(flatten)]
    ours: Sizes,
    ceilings: Sizes,
    files: Vec<String>,
}

#[test]
fn the_player_is_small() {
    let script = built::root().join("bench/size.mjs");
    let output = Command::new("node")
        .arg(script)
        .arg("--check")
        .output()
        .expect("Node is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let answer: Answer = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    let Answer { ours, ceilings, .. } = &answer;
    assert!(
        ours.engine <= ceilings.engine,
        "HLS, LL-HLS and ABR take {} kB of {}",
        ours.engine,
        ceilings.engine
    );
    assert!(
        ours.all <= ceilings.all,
        "with DASH, captions and controls it is {} kB of {}: {:?}",
        ours.all,
        ceilings.all,
        answer.files
    );
}
