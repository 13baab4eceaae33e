//! The short form of `cargo xtask soak broadcast`: each failure of an encoder once.

use std::time::Duration;

use weir_tests::{
    built,
    soak::{self, Failure, Films, Soak},
};

const EVERY: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_broadcast_outlives_every_failure_around_it() {
    let report = soak::run(&Soak {
        length: EVERY * (Failure::ALL.len() as u32 + 3),
        encoder_fails_every: EVERY,
        transcoder_dies_every: Duration::from_secs(19),
        films: Films::with(&built::film()),
        args: Vec::new(),
        apart: false,
        renditions: vec!["source", "480p", "audio"],
        browser: true,
        talks: false,
    })
    .await;
    assert_eq!(report.violations, [""; 0], "{report}");
    assert!(report.failures.starts_with(&Failure::ALL), "{report}");
    assert!(report.transcoder_deaths >= 2, "{report}");
    for view in &report.views {
        // A rung has GAPs whenever its transcoder begins anew.
        let least = if view.rendition == "480p" { 8 } else { 20 };
        assert!(view.segments >= least, "{report}");
        assert!(view.longest_wait < Duration::from_secs(12), "{report}");
    }
    let watched = report.watched.as_ref().expect("a browser watched");
    assert_eq!(watched.errors, [""; 0], "{report}");
    // Of 104 s, a third is lost to an encoder that is away at most.
    assert!(watched.played_seconds > 45.0, "{report}");
}
