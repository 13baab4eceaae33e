//! What happens to people who watch: damaged media, no network, a closed tab.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use weir_tests::{Encoder, Weir, browser, built};

const DEADLINE: Duration = Duration::from_secs(480);

#[derive(Deserialize)]
struct Answer {
    passed: Vec<String>,
}

#[tokio::test]
async fn playback_recovers_without_a_reload() {
    let weir = Weir::start().await;
    let created = weir.create_video("mishaps").await;
    let id = created.video.id;
    let _encoder = Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source", "480p", "audio"], 4)
        .await;
    let page = weir.viewer().url(&created.video.watch_url);
    let answer: Answer = browser::run("mishaps", &json!({ "page": page }), DEADLINE);
    assert_eq!(answer.passed, ["undecodable", "offline", "closed"]);
}
