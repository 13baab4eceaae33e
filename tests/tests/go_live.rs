//! Going live from a browser, and watching it: in segments, and in real time.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use weir_model::api::VideoState;
use weir_tests::{Weir, browser, eventually, wait::PATIENCE};

const DEADLINE: Duration = Duration::from_secs(480);

/// What the watch page played in three seconds or more.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Played {
    /// Different ones.
    pictures: u32,
    /// Of full scale.
    loudest: f64,
    height: u32,
    in_call: bool,
    startup_ms: f64,
    played_seconds: f64,
}

impl Played {
    fn assert_moves_and_sounds(&self) {
        // The fake camera's disc turns, and its microphone beeps once a second.
        assert!(self.pictures >= 8, "{self:?}");
        assert!(self.loudest > 0.02, "{self:?}");
        assert!(
            self.startup_ms > 0.0 && self.played_seconds >= 3.0,
            "{self:?}"
        );
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    hash: String,
    refused: String,
    sent: Sent,
    watching: String,
    watched: Played,
    real_time: Played,
    after: String,
    errors: Vec<String>,
}

/// What the page tells of the broadcast.
#[derive(Deserialize)]
struct Sent {
    bitrate: String,
    size: String,
    lost: String,
}

#[tokio::test]
async fn a_browser_goes_live_and_others_watch() {
    let weir = Weir::start().await;
    let created = weir.create_video("go live").await;
    let input = json!({
        "golive": weir.viewer().url("/golive.html"),
        "watch": weir.viewer().url(&created.video.watch_url),
        "playlist": weir.viewer().url(&format!("/v/{}/index.m3u8", created.video.id)),
        "key": created.stream_key,
        "screenshots": null,
    });
    let answer: Answer = browser::run("golive", &input, DEADLINE);

    assert!(answer.refused.contains("key"), "{}", answer.refused);
    assert_eq!(answer.hash, "", "the key leaves the address bar");
    let Sent {
        bitrate,
        size,
        lost,
    } = answer.sent;
    assert!(bitrate.ends_with(" Mbit/s"), "{bitrate}");
    assert_eq!(size, "1280×720", "the picture keeps its size");
    assert!(lost.parse::<f64>().is_ok(), "{lost}");
    assert_eq!(answer.watching, created.video.watch_url);
    answer.watched.assert_moves_and_sounds();
    assert!(!answer.watched.in_call);
    answer.real_time.assert_moves_and_sounds();
    assert!(answer.real_time.in_call);
    assert!(answer.real_time.height >= 360, "{:?}", answer.real_time);
    assert_eq!(answer.after, "The broadcast has been stopped.");
    assert_eq!(answer.errors, [""; 0]);

    eventually("the stop is heard of", PATIENCE, async || {
        let state = weir.video(created.video.id).await.state;
        (state == VideoState::Away).then_some(())
    })
    .await;
}
