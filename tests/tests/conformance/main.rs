//! The rules of HLS and DASH, each looked at live, after a discontinuity, in the playlists for
//! rewinding and in the recording. The outcome is `docs/conformance.md`: with `WEIR_WRITE_DOCS` set
//! it is written, else it has to be as it stands there.
//!
//! - [`reading`]: what a viewer gets in one of these states
//! - [`hls`], [`dash`]: the rules
//! - [`players`]: who plays it
//! - [`table`]: the document

// Rules unwrap as tests do.
#![allow(clippy::unwrap_used)]

mod dash;
mod hls;
mod players;
mod reading;
mod table;

use std::time::Duration;

use weir_model::{VideoId, api::VideoState};
use weir_tests::{Encoder, Weir, built, eventually, playlist::MediaPlaylist, wait::PATIENCE};

use reading::{Reading, State};

/// Where a rule is written down, what it says, and what is wrong by it; `None` where it does not
/// apply.
struct Rule {
    source: &'static str,
    says: &'static str,
    check: fn(&Reading) -> Option<Vec<String>>,
}

#[tokio::test]
async fn every_rule_holds() {
    let weir = Weir::start().await;
    let created = weir.create_video("conformance").await;
    let id = created.video.id;
    let push = || Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);

    let mut encoder = push();
    weir.wait_until_live(id, &["source", "480p", "audio"], 8)
        .await;
    let live = Reading::take(&weir, id, State::Live).await;

    encoder.kill();
    let mut encoder = push();
    let known = wait_for_break(&weir, id, 0).await;
    let mut after = Reading::take(&weir, id, State::AfterDiscontinuity).await;
    for browser in players::BROWSERS.chunks(1).skip(1) {
        encoder.kill();
        encoder = push();
        wait_for_break(&weir, id, known).await;
        let state = State::AfterDiscontinuity;
        let plays = players::play(&weir, id, state, "index.m3u8", browser).await;
        after.plays.extend(plays);
    }
    let dvr = Reading::take(&weir, id, State::Dvr).await;

    encoder.kill();
    weir.end_video(id).await;
    eventually("a recording", PATIENCE, async || {
        let recorded = weir.video(id).await.state == VideoState::Recorded;
        let multivariant = weir
            .viewer()
            .get(&format!("/v/{id}/index.m3u8"))
            .await
            .text();
        (recorded && multivariant.contains("/recording.m3u8")).then_some(())
    })
    .await;
    let recording = Reading::take(&weir, id, State::Recording).await;

    let readings = [live, after, dvr, recording];
    let chapters = [
        ("HLS", hls::RULES),
        ("DASH", dash::RULES),
        ("Players", players::RULES),
    ];
    let table = table::Table::of(&readings, &chapters);
    assert!(table.breaches.is_empty(), "{}", table.breaches.join("\n"));
    table.compare_or_write(&built::root().join("docs/conformance.md"));
}

/// Waits for three segments after a discontinuity in every rendition, one that is later than
/// `known_ms`. Answers when the media after it begins: Unix ms.
async fn wait_for_break(weir: &Weir, id: VideoId, known_ms: i64) -> i64 {
    let mut begins = 0;
    for rendition in ["source", "480p", "audio"] {
        begins = eventually("segments after a discontinuity", PATIENCE * 2, async || {
            let playlist = MediaPlaylist::live(weir.viewer(), id, rendition).await;
            let (_, begins) = players::last_break(&playlist)?;
            let segments = playlist.segments();
            let broken = segments.iter().rposition(|segment| segment.discontinuity)?;
            // Of one break the renditions tell times that lie some milliseconds apart.
            (begins > known_ms + 1000 && segments.len() >= broken + 4).then_some(begins)
        })
        .await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    begins
}
