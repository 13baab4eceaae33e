//! What viewers get when the transcoder sheds the rung that they watch: another rendition, in our
//! player and in others. How it comes to shed one is its own tests' business.

use std::{collections::BTreeMap, fs, time::Duration};

use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use weir_tests::{Encoder, Weir, WeirOptions, browser, built, shedding::Shedding};

const DEADLINE: Duration = Duration::from_secs(900);

/// Little work: a player beside it is enough of that.
const LADDER: &str = "
    preset = \"ultrafast\"
    [[rung]]
    height = 480
    bitrate_kbps = 1200
    encoder = \"libx264\"
    [[rung]]
    height = 180
    bitrate_kbps = 200
    encoder = \"libx264\"
";

#[tokio::test]
async fn players_leave_a_rung_that_is_shed() {
    #[derive(Debug, Deserialize)]
    struct Answer {
        shed: BTreeMap<String, Vec<String>>,
        complaints: BTreeMap<String, Vec<String>>,
        back: bool,
    }
    let folder = TempDir::new().unwrap();
    let ladder = folder.path().join("ladder.toml");
    fs::write(&ladder, LADDER).unwrap();
    let shedding = Shedding::of("480p", env!("CARGO_BIN_EXE_shedding"));
    let args = [("--ladder", ladder), ("--transcoder", shedding.program())];
    let options = WeirOptions {
        args: args
            .into_iter()
            .flat_map(|(option, path)| [option.to_owned(), path.display().to_string()])
            .collect(),
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
        "playlist": weir.viewer().url(&format!("/v/{id}/480p/index.m3u8")),
        "switch": shedding.switch(),
        "status": weir.operator().url(&format!("/api/v1/videos/{id}")),
        "token": token.trim(),
    });
    let answer: Answer = browser::run("shed", &input, DEADLINE);
    for (player, complaints) in &answer.complaints {
        assert_eq!(answer.shed[player], ["480p"], "{player}: {answer:?}");
        assert_eq!(complaints, &[""; 0], "{player}: {answer:?}");
    }
    assert_eq!(answer.complaints.len(), 5, "{answer:?}");
    assert!(answer.back);
}
