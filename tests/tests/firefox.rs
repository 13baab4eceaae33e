//! The watch page in Firefox ESR.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use weir_tests::{Encoder, Weir, browser, built};

const DEADLINE: Duration = Duration::from_secs(480);

#[tokio::test]
async fn the_watch_page_works_in_firefox() {
    #[derive(Deserialize)]
    struct Answer {
        passed: Vec<String>,
    }
    let weir = Weir::start().await;
    let created = weir.create_video("firefox").await;
    let id = created.video.id;
    let _encoder = Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source", "480p", "audio"], 5)
        .await;
    let page = weir.viewer().url(&created.video.watch_url);
    let answer: Answer = browser::run("firefox_watch", &json!({ "page": page }), DEADLINE);
    let steps = [
        "plays",
        "pauses",
        "changes",
        "goes back",
        "goes live",
        "counts the view",
    ];
    assert_eq!(answer.passed, steps);
}
