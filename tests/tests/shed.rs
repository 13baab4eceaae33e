//! What viewers get when the transcoder sheds the rung that they watch: another rendition, in our
//! player and in others.

use std::{collections::BTreeMap, fs, time::Duration};

use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use weir_tests::{Encoder, Weir, WeirOptions, browser, built};

const DEADLINE: Duration = Duration::from_secs(240);

/// The better rung is more work than the other, so that a machine slow enough for it to go can keep the
/// other.
const LADDER: &str = "
    [[rung]]
    height = 480
    bitrate_kbps = 1200
    encoder = \"libx264\"
    preset = \"superfast\"
    [[rung]]
    height = 180
    bitrate_kbps = 200
    encoder = \"libx264\"
    preset = \"ultrafast\"
";

#[tokio::test]
async fn players_leave_a_rung_that_is_shed() {
    #[derive(Deserialize)]
    struct Answer {
        shed: Vec<String>,
        complaints: BTreeMap<String, Vec<String>>,
        back: bool,
    }
    let folder = TempDir::new().unwrap();
    let ladder = folder.path().join("ladder.toml");
    fs::write(&ladder, LADDER).unwrap();
    let options = WeirOptions {
        args: vec!["--ladder".to_owned(), ladder.display().to_string()],
        ..WeirOptions::default()
    };
    let weir = Weir::start_with(options).await;
    let created = weir.create_video("shed").await;
    let id = created.video.id;
    let _encoder = Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source", "480p", "180p", "audio"], 4)
        .await;

    let hls = weir.viewer().url(&format!("/v/{id}/index.m3u8"));
    let dash = weir.viewer().url(&format!("/v/{id}/manifest.mpd"));
    let token = fs::read_to_string(weir.data().join("data/operator-token")).unwrap();
    let input = json!({
        "plays": {
            "hls.js": { "player": "hlsjs", "source": hls, "limit": 480 },
            "Shaka, HLS": { "player": "shaka", "source": hls, "limit": 480 },
            "Shaka, DASH": { "player": "shaka", "source": dash, "limit": 480 },
            "dash.js": { "player": "dashjs", "source": dash, "limit": 480 },
        },
        "page": weir.viewer().url(&created.video.watch_url),
        "rung": "480p",
        "height": 480,
        "transcoder": weir.transcoders().first(),
        "status": weir.operator().url(&format!("/api/v1/videos/{id}")),
        "token": token.trim(),
    });
    let answer: Answer = browser::run("shed", &input, DEADLINE);
    assert_eq!(answer.shed, ["480p"]);
    for (player, complaints) in &answer.complaints {
        assert_eq!(complaints, &[""; 0], "{player}");
    }
    assert_eq!(answer.complaints.len(), 5);
    assert!(answer.back);
}
