//! What `<weir-player>` offers beside playing: settings, captions, frames, the npm package.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use weir_tests::{Encoder, Weir, browser, built};

const DEADLINE: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
struct Answer {
    passed: Vec<String>,
}

async fn check(cases: &[&str]) {
    let weir = Weir::start().await;
    let created = weir.create_video("features").await;
    let id = created.video.id;
    let _encoder = Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source", "audio"], 4).await;
    let input = json!({
        "page": weir.viewer().url(&created.video.watch_url),
        "embed": weir.viewer().url(&format!("/embed/{id}")),
        "source": weir.viewer().url(&format!("/v/{id}/index.m3u8")),
        "package": built::root().join("www/dist-player"),
        "cases": cases,
    });
    let answer: Answer = browser::run("features", &input, DEADLINE);
    assert_eq!(answer.passed, cases);
}

#[tokio::test]
async fn settings_and_captions_work() {
    check(&["settings", "captions", "subtitles"]).await;
}

#[tokio::test]
async fn thumbnails_show_and_trouble_is_told() {
    check(&["storyboard", "trouble"]).await;
}

#[tokio::test]
async fn the_player_is_at_home_on_other_pages() {
    check(&["frame", "refusal", "packaged"]).await;
}
