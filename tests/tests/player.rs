//! The watch page as people use it: by mouse, by keyboard, on a phone, and when things go wrong.

use std::{fs, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use weir_tests::{Encoder, Weir, browser, built};

const DEADLINE: Duration = Duration::from_secs(480);

#[derive(Deserialize)]
struct Answer {
    passed: Vec<String>,
}

/// Runs cases of `player.mjs` on a live video that `given` may add to.
async fn check(cases: &[&str], given: impl FnOnce(&Weir, &str) -> Value) {
    let weir = Weir::start().await;
    let created = weir.create_video("player").await;
    let id = created.video.id;
    let _encoder = Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source", "480p", "audio"], 4)
        .await;
    let mut input = given(&weir, id.as_str());
    input["page"] = json!(weir.viewer().url(&created.video.watch_url));
    input["cases"] = json!(cases);
    let answer: Answer = browser::run("player", &input, DEADLINE);
    assert_eq!(answer.passed, cases);
}

#[tokio::test]
async fn the_watch_page_works_by_mouse_keyboard_and_touch() {
    check(
        &["mouse", "keyboard", "comments", "phone"],
        |_, _| json!({}),
    )
    .await;
}

#[tokio::test]
async fn playback_survives_a_dead_transcoder_and_the_end() {
    check(&["gap", "end"], |weir, id| {
        let token =
            fs::read_to_string(weir.data().join("data/operator-token")).expect("it is written");
        json!({
            "transcoder": weir.transcoders().first(),
            "end": weir.operator().url(&format!("/api/v1/videos/{id}/end")),
            "token": token.trim(),
        })
    })
    .await;
}
