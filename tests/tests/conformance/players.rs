//! Players in two browsers.

use std::collections::BTreeMap;

use serde_json::json;
use weir_model::VideoId;
use weir_tests::{Weir, browser, playlist::MediaPlaylist, wait::PATIENCE};

use super::{
    Rule,
    reading::{Reading, State},
};

/// Complaints about each player, by browser and player.
pub(crate) type Plays = BTreeMap<&'static str, BTreeMap<String, Vec<String>>>;

/// In the order in which they play.
pub(crate) const BROWSERS: [&str; 2] = ["chromium", "firefox"];
const SECONDS: u32 = 3;

/// How far before a discontinuity playing begins, and how far behind the beginning of a window that
/// moves on.
const BEFORE_MS: i64 = 2000;
const BEHIND_MS: i64 = 8000;

pub(crate) const RULES: &[Rule] = &[
    rule("Weir's own player plays it", "Chromium", |reading| {
        complaints(reading, "chromium", "Weir")
    }),
    rule("hls.js plays it", "Chromium", |reading| {
        complaints(reading, "chromium", "hls.js")
    }),
    rule("Shaka plays it as HLS", "Chromium", |reading| {
        complaints(reading, "chromium", "Shaka, HLS")
    }),
    rule("Shaka plays it as DASH", "Chromium", |reading| {
        complaints(reading, "chromium", "Shaka, DASH")
    }),
    rule("dash.js plays it", "Chromium", |reading| {
        complaints(reading, "chromium", "dash.js")
    }),
    rule("Weir's own player plays it", "Firefox", |reading| {
        complaints(reading, "firefox", "Weir")
    }),
    rule("hls.js plays it", "Firefox", |reading| {
        complaints(reading, "firefox", "hls.js")
    }),
    rule("Shaka plays it as HLS", "Firefox", |reading| {
        complaints(reading, "firefox", "Shaka, HLS")
    }),
    rule("Shaka plays it as DASH", "Firefox", |reading| {
        complaints(reading, "firefox", "Shaka, DASH")
    }),
    rule("dash.js plays it", "Firefox", |reading| {
        complaints(reading, "firefox", "dash.js")
    }),
];

const fn rule(
    says: &'static str,
    source: &'static str,
    check: fn(&Reading) -> Option<Vec<String>>,
) -> Rule {
    Rule {
        source,
        says,
        check,
    }
}

fn complaints(reading: &Reading, browser: &str, player: &str) -> Option<Vec<String>> {
    Some(reading.plays[browser][player].clone())
}

/// Has every player play in these browsers, one after the other: live at its edge, after a discontinuity over
/// it, of the playlists for rewinding from their beginning, and of the recording both ends.
pub(crate) async fn play(
    weir: &Weir,
    id: VideoId,
    state: State,
    playlist: &str,
    browsers: &'static [&'static str],
) -> Plays {
    let source = format!("/v/{id}/source/{playlist}");
    let (from_ms, across_ms) = match state {
        State::Live | State::Recording => (None, None),
        State::AfterDiscontinuity => {
            let playlist = MediaPlaylist::fetch(weir.viewer(), &source).await;
            let (end, start) = last_break(&playlist).expect("there is a discontinuity");
            (Some(end - BEFORE_MS), Some(start))
        }
        State::Dvr => {
            let segments = MediaPlaylist::fetch(weir.viewer(), &source)
                .await
                .segments();
            let start = segments[0].program_date_time_ms.expect("it is dated");
            (Some(start + BEHIND_MS), None)
        }
    };
    let video = format!("/v/{id}/{playlist}");
    let hls = weir.viewer().url(&video);
    let dash = weir.viewer().url(&format!("/v/{id}/manifest.mpd"));
    let mut input = json!({
        "plays": {
            "hls.js": { "player": "hlsjs", "source": hls },
            "Shaka, HLS": { "player": "shaka", "source": hls },
            "Shaka, DASH": { "player": "shaka", "source": dash },
            "dash.js": { "player": "dashjs", "source": dash },
        },
        "page": weir.viewer().url(&format!("/watch/{id}")),
        "source": video,
        "seconds": SECONDS,
        "fromMs": from_ms,
        "acrossMs": across_ms,
        "toEnd": state == State::Recording,
    });
    let all = tokio::task::spawn_blocking(move || {
        let in_one = |browser| {
            input["browser"] = json!(browser);
            (browser, browser::run("witness", &input, PATIENCE * 6))
        };
        browsers.iter().copied().map(in_one).collect()
    });
    all.await.expect("the players were looked at")
}

/// When the media before the last discontinuity ends, and when that after it begins: Unix ms. What is
/// listed between them has none.
pub(crate) fn last_break(playlist: &MediaPlaylist) -> Option<(i64, i64)> {
    let (mut at, mut end) = (0, 0);
    let mut found = None;
    for segment in playlist.segments() {
        let start = segment.program_date_time_ms.unwrap_or(at);
        if segment.discontinuity {
            found = Some((end, start));
        }
        at = start + (segment.duration * 1000.0).round() as i64;
        if !segment.gap {
            end = at;
        }
    }
    found
}
