//! Players in Chromium, and playlists as a player's own parser reads them.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::json;
use weir_model::VideoId;
use weir_tests::{Encoder, Weir, browser, built};

const DEADLINE: Duration = Duration::from_secs(240);
const SECONDS: u32 = 8;

/// A live video, pushed for as long as this is held.
struct Live {
    weir: Weir,
    id: VideoId,
    watch_url: String,
    _encoder: Encoder,
}

impl Live {
    async fn start() -> Self {
        let weir = Weir::start().await;
        let created = weir.create_video("browser").await;
        let id = created.video.id;
        let encoder = Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);
        weir.wait_until_live(id, &["source", "480p", "audio"], 3)
            .await;
        Self {
            weir,
            id,
            watch_url: created.video.watch_url,
            _encoder: encoder,
        }
    }
}

/// What a player showed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    played_seconds: f64,
    stalls: u32,
    frames: Vec<Frame>,
}

#[derive(Debug, Deserialize)]
struct Frame {
    index: Option<u32>,
}

impl Shown {
    /// Asserts that the film went on, at about its own speed, in order.
    fn assert_played(&self) {
        let played = self.played_seconds;
        assert!(
            played > 0.8 * f64::from(SECONDS),
            "{played} s of {SECONDS} s"
        );
        // A machine that is busy with other things makes any player wait now and then.
        assert!(self.stalls <= SECONDS / 2, "{} stalls", self.stalls);
        let indices: Vec<u32> = self.frames.iter().filter_map(|frame| frame.index).collect();
        assert!(
            indices.len() * 10 > self.frames.len() * 9,
            "the marks can be read"
        );
        // 24 frames a second were pushed; a busy machine may not draw all of them.
        assert!(
            indices.len() > 4 * SECONDS as usize,
            "{} frames",
            indices.len()
        );
        let back = indices.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(
            back <= 1,
            "the film went back {back} times; once is its loop"
        );
    }
}

#[tokio::test]
async fn weirs_player_plays() {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(flatten)]
        shown: Shown,
        origins: Vec<String>,
        errors: Vec<String>,
    }
    let live = Live::start().await;
    let page = live.weir.viewer().url(&live.watch_url);
    let answer: Answer = browser::run(
        "weir",
        &json!({ "page": page, "seconds": SECONDS }),
        DEADLINE,
    );
    answer.shown.assert_played();
    assert_eq!(
        answer.origins,
        [live.weir.viewer().base()],
        "all of it through the PoP"
    );
    assert_eq!(answer.errors, [""; 0]);
}

#[tokio::test]
async fn hls_js_plays() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        #[serde(flatten)]
        shown: Shown,
        heights: Vec<u32>,
        low_latency: bool,
        fatal: Vec<String>,
    }
    let live = Live::start().await;
    let playlist = live
        .weir
        .viewer()
        .url(&format!("/v/{}/index.m3u8", live.id));
    let input = json!({ "player": "hlsjs", "source": playlist, "seconds": SECONDS });
    let mut answer: Answer = browser::run("play", &input, DEADLINE);
    answer.shown.assert_played();
    answer.heights.sort_unstable();
    assert_eq!(answer.heights, [480, 720]);
    assert!(answer.low_latency, "it took the parts");
    assert_eq!(answer.fatal, [""; 0]);
}

#[tokio::test]
async fn hls_parser_reads_the_low_latency_tags() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Variant {
        bandwidth: u64,
        average_bandwidth: Option<u64>,
        codecs: String,
        resolution: Resolution,
        frame_rate: Option<f64>,
    }
    #[derive(Debug, Deserialize)]
    struct Resolution {
        height: u32,
    }
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Playlist {
        target_duration: f64,
        part_target_duration: f64,
        can_block_reload: bool,
        part_hold_back: f64,
        segments: u32,
        initialised: bool,
        dated: bool,
        parts: u32,
        longest_part: f64,
        hints: u32,
        reports: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Answer {
        variants: Vec<Variant>,
        playlists: BTreeMap<String, Playlist>,
    }
    let live = Live::start().await;
    let multivariant = live
        .weir
        .viewer()
        .url(&format!("/v/{}/index.m3u8", live.id));
    let answer: Answer = browser::run("parse", &json!({ "multivariant": multivariant }), DEADLINE);

    let heights: Vec<u32> = answer
        .variants
        .iter()
        .map(|variant| variant.resolution.height)
        .collect();
    assert!(
        heights.contains(&480) && heights.contains(&720),
        "{heights:?}"
    );
    for variant in &answer.variants {
        assert!(variant.codecs.contains("avc1.") && variant.codecs.contains("mp4a.40.2"));
        assert!(
            variant
                .average_bandwidth
                .is_some_and(|average| average <= variant.bandwidth)
        );
        assert!(
            variant
                .frame_rate
                .is_some_and(|rate| (rate - 24.0).abs() < 0.1),
            "{variant:?}"
        );
    }
    let renditions: Vec<&str> = answer.playlists.keys().map(String::as_str).collect();
    assert_eq!(renditions, ["480p", "audio", "source"]);
    for (rendition, playlist) in &answer.playlists {
        let about = format!("{rendition}: {playlist:?}");
        assert_eq!(playlist.target_duration, 4.0, "{about}");
        assert!(
            (playlist.part_target_duration - 0.35).abs() < 1e-9,
            "{about}"
        );
        assert!(
            playlist.can_block_reload && playlist.initialised && playlist.dated,
            "{about}"
        );
        assert!(
            playlist.part_hold_back >= 3.0 * playlist.part_target_duration - 1e-9,
            "{about}"
        );
        assert!(playlist.segments >= 3 && playlist.parts > 6, "{about}");
        assert!(
            playlist.longest_part <= playlist.part_target_duration,
            "{about}"
        );
        assert_eq!(playlist.hints, 1, "{about}");
        assert_eq!(
            playlist.reports.len(),
            2,
            "a report on each other rendition: {about}"
        );
    }
}
