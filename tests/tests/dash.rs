//! DASH, live and recorded: valid, played by dash.js and Shaka, and sent while it grows.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::Deserialize;
use serde_json::json;
use weir_model::{VideoId, WallTime, api::VideoState};
use weir_tests::{
    Encoder, Weir, WeirOptions, browser, built, eventually, manifest, playlist::MediaPlaylist,
    wait::PATIENCE,
};

const DEADLINE: Duration = Duration::from_secs(240);
const SECONDS: u32 = 8;

/// A live video, pushed for as long as this is held.
struct Live {
    weir: Weir,
    id: VideoId,
    stream_key: String,
    encoder: Encoder,
}

impl Live {
    async fn start(parts: &str) -> Self {
        let options = WeirOptions {
            args: vec!["--parts".to_owned(), parts.to_owned()],
            ..WeirOptions::default()
        };
        let weir = Weir::start_with(options).await;
        let created = weir.create_video("dash").await;
        let (id, stream_key) = (created.video.id, created.stream_key);
        let encoder = Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &stream_key);
        weir.wait_until_live(id, &["source", "480p", "audio"], 3)
            .await;
        Self {
            weir,
            id,
            stream_key,
            encoder,
        }
    }

    fn path(&self, relative: &str) -> String {
        format!("/v/{}/{relative}", self.id)
    }

    async fn manifest(&self) -> String {
        let answer = self.weir.viewer().get(&self.path("manifest.mpd")).await;
        let answer = answer.expect_ok();
        assert_eq!(answer.header("content-type"), Some("application/dash+xml"));
        answer.text()
    }

    async fn record(&mut self) {
        self.encoder.kill();
        self.weir.end_video(self.id).await;
        eventually("the manifest is static", PATIENCE, async || {
            let recorded = self.weir.video(self.id).await.state == VideoState::Recorded;
            (recorded && self.manifest().await.contains(r#"type="static""#)).then_some(())
        })
        .await;
    }
}

/// What a player showed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    played_seconds: f64,
    stalls: u32,
    live: bool,
    latency_ms: Option<f64>,
    heights: Vec<u32>,
    /// Segments that began to come well before they were whole.
    partial: u32,
    frames: Vec<Frame>,
    fatal: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Frame {
    index: Option<u32>,
}

fn play(live: &Live, player: &str) -> Shown {
    let manifest = live.weir.viewer().url(&live.path("manifest.mpd"));
    let input = json!({ "player": player, "source": manifest, "seconds": SECONDS });
    let shown: Shown = browser::run("play", &input, DEADLINE);
    let told = format!("{player}: {:?} {:?}", shown.fatal, shown.heights);
    assert_eq!(shown.fatal, [""; 0], "{told}");
    // A machine that is busy with other things makes any player wait now and then.
    assert!(
        shown.stalls <= SECONDS / 2,
        "{told}: {} stalls",
        shown.stalls
    );
    let read: Vec<u32> = shown
        .frames
        .iter()
        .filter_map(|frame| frame.index)
        .collect();
    // 24 frames a second were pushed; a busy machine may not draw all of them.
    assert!(
        read.len() > 4 * SECONDS as usize,
        "{told}: {} frames",
        read.len()
    );
    let back = read.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(back <= 1, "{told}: the film went back {back} times");
    assert!(
        shown.heights.contains(&480) && shown.heights.contains(&720),
        "{told}"
    );
    shown
}

#[tokio::test]
async fn dash_js_and_shaka_play_it_live_and_recorded() {
    let mut live = Live::start("fast").await;
    for player in ["dashjs", "shaka"] {
        let shown = play(&live, player);
        assert!(shown.live, "{player}");
        assert!(shown.partial > 0, "{player} takes segments while they grow");
        if let Some(latency) = shown.latency_ms {
            assert!((0.0..10_000.0).contains(&latency), "{player}: {latency} ms");
        }
    }
    live.record().await;
    for player in ["dashjs", "shaka"] {
        let shown = play(&live, player);
        assert!(!shown.live, "{player}");
        let played = shown.played_seconds;
        assert!(played > 0.7 * f64::from(SECONDS), "{player}: {played} s");
    }
}

#[tokio::test]
async fn manifests_are_valid_live_after_a_discontinuity_and_recorded() {
    let mut live = Live::start("standard").await;
    let text = live.manifest().await;
    assert_eq!(manifest::breaches(&text), [""; 0], "{text}");
    assert_eq!(manifest::values(&text, "type")[0], "dynamic");
    assert_eq!(
        manifest::values(&text, "availabilityTimeOffset")[0],
        "1.650"
    );
    let periods = text.matches("<Period ").count();

    // An encoder that comes back begins another Period.
    live.encoder.kill();
    let (film, url) = (built::film(), live.weir.rtmp_url());
    live.encoder = Encoder::ffmpeg_looped(&film, url, &live.stream_key);
    let text = eventually("another Period", PATIENCE, async || {
        let text = live.manifest().await;
        (text.matches("<Period ").count() > periods).then_some(text)
    })
    .await;
    assert_eq!(manifest::breaches(&text), [""; 0], "{text}");

    live.record().await;
    let text = live.manifest().await;
    assert_eq!(manifest::breaches(&text), [""; 0], "{text}");
    assert!(
        text.contains("<SegmentTimeline>") && !text.contains("UTCTiming"),
        "{text}"
    );
}

#[tokio::test]
async fn a_segment_is_sent_while_it_grows_and_kept_whole() {
    let live = Live::start("fast").await;
    let text = live.manifest().await;
    let media = manifest::values(&text, "media")[0].to_owned();
    let segment = |number: u64| live.path(&media.replace("$Number$", &number.to_string()));
    // On a busy machine one may be over before it was asked for, or come late and all at once.
    let (next, whole) = eventually("a segment chunk by chunk", PATIENCE, async || {
        let next = newest(&live).await + 1;
        let url = live.weir.viewer().url(&segment(next));
        Some((next, arrives_chunk_by_chunk(&url).await?))
    })
    .await;
    let path = segment(next);

    // Under both names it is the same, whole, from the cache too.
    let again = live.weir.viewer().get(&path).await.expect_ok();
    assert_eq!(again.body, whole);
    let status = again.header("cache-status").unwrap_or_default();
    assert!(status.starts_with("weir; hit"), "{status}");
    let plain = path.replace("dash-", "");
    assert_eq!(live.weir.viewer().body(&plain).await, whole);
    // What will be only after the next one is not waited for.
    let far = segment(newest(&live).await + 50);
    assert_eq!(live.weir.viewer().get(&far).await.status, 404);
}

/// Number of the newest segment of the source that is whole.
async fn newest(live: &Live) -> u64 {
    let playlist = MediaPlaylist::live(live.weir.viewer(), live.id, "source").await;
    playlist.segments().last().unwrap().msn
}

/// The segment at `url` if it has no end yet, and its chunks come one after the other; how fast is the
/// encoder's business.
async fn arrives_chunk_by_chunk(url: &str) -> Option<Vec<u8>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let request = Request::get(url).body(Empty::new());
    let response = client.request(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    if response.headers().contains_key("content-length") {
        return None;
    }
    let mut body = response.into_body();
    let mut whole = Vec::new();
    let began = Instant::now();
    let mut arrivals = Vec::new();
    while let Some(frame) = body.frame().await {
        whole.extend_from_slice(frame.unwrap().data_ref().unwrap());
        arrivals.push(began.elapsed());
    }
    let pauses = arrivals
        .windows(2)
        .filter(|pair| pair[1] - pair[0] > Duration::from_millis(50));
    (pauses.count() >= 3).then_some(whole)
}

#[tokio::test]
async fn the_edge_tells_the_time() {
    let weir = Weir::start().await;
    let answer = weir.viewer().get("/api/v1/time").await.expect_ok();
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let text = answer.text();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let within = |ms: u64| WallTime(ms).to_string()[..15] == text[..15];
    let now = u64::try_from(now.as_millis()).unwrap();
    assert!(within(now) || within(now - 10_000), "{text}");
}
