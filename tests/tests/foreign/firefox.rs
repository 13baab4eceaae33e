//! A recording with captions in Firefox ESR, as HLS and as DASH: played, set by the menu, to its end.

use std::fs;

use serde::Deserialize;
use serde_json::json;
use weir_tests::{browser, built};

use crate::{
    DEADLINE,
    packagers::{Bench, lists, stream},
};

const CAPTIONS: &str = "WEBVTT\n\n00:00.000 --> 10:00.000\nHello there\n";
/// Turns of the source, so that the end is not fetched before somebody goes there.
const TURNS: u32 = 20;

#[test]
fn plays_and_is_set_in_firefox() {
    #[derive(Deserialize)]
    struct Answer {
        passed: Vec<Vec<String>>,
    }
    let bench = Bench::with_sources();
    fs::write(bench.folder().join("en.vtt"), CAPTIONS).expect("captions can be written");
    for source in ["180", "360", "en"] {
        let more = TURNS - 1;
        bench.ffmpeg(&format!(
            "-stream_loop {more} -i {source}.mp4 -c copy turns.mp4"
        ));
        let [turns, source] =
            ["turns", source].map(|name| bench.folder().join(format!("{name}.mp4")));
        fs::rename(turns, source).expect("a file can be renamed");
    }
    let media = ["180", "360", "en"].map(|source| stream(source, None, "captioned"));
    let captions = "in=en.vtt,stream=text,language=en,output=captioned/en.vtt,playlist_name=captions.m3u8,\
                    hls_group_id=captions,hls_name=English";
    bench.shaka(&format!(
        "{} {captions} {}",
        media.join(" "),
        lists("captioned")
    ));
    let sources = [
        "/media/captioned/master.m3u8",
        "/media/captioned/manifest.mpd",
    ];
    let input = json!({
        "player": built::player_package(),
        "media": bench.folder(),
        "sources": sources,
    });
    let answer: Answer = browser::run("firefox_foreign", &input, DEADLINE);
    let steps = [
        "plays",
        "has its controls",
        "has captions",
        "shows captions",
        "hides captions",
        "is quicker",
        "changes",
        "ends",
        "without trouble",
    ];
    assert_eq!(answer.passed, [steps, steps]);
}
