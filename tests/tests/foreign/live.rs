//! Live streams: those of packagers that follow an encoder, and our own over DASH.

use std::{fs, time::Duration};

use weir_tests::{Encoder, Weir, WeirOptions, built, eventually};

use crate::packagers::{AAC, Bench, H264, picture};
use crate::{How, Shown, watch};

const DEADLINE: Duration = Duration::from_secs(120);

fn check(source: &str, shown: &Shown) {
    assert!(
        shown.height > 0 && shown.sound_bytes > 0,
        "{source}: {shown:?}"
    );
    assert_eq!(shown.live, Some(true), "{source}: {shown:?}");
    assert!(shown.messages.is_empty(), "{source}: {shown:?}");
    // That a segment is not there yet is an error to the browser's console, and no other is.
    let too_early = |error: &&String| error.contains("404");
    let others: Vec<&String> = shown
        .errors
        .iter()
        .filter(|error| !too_early(error))
        .collect();
    assert!(others.is_empty(), "{source}: {shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plays_live_what_packagers_make() {
    let bench = Bench::new();
    for name in ["alone", "split", "timeline", "regular"] {
        bench.make(name);
    }
    let pipe = bench.folder().join("pipe.ts");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).expect("a pipe can be made");
    let sound = "-re -f lavfi -i sine=frequency=440:sample_rate=48000";
    let hls = "-f hls -hls_list_size 8 -hls_segment_type fmp4";
    let dash = "-f dash -seg_duration 2 -window_size 10 -extra_window_size 10";
    let outputs = [
        // A media playlist alone, with sound in the picture's segments, no dates and no codecs.
        format!("{hls} -hls_time 4 -hls_flags delete_segments alone/index.m3u8"),
        format!(
            "{hls} -hls_time 2 -hls_flags delete_segments+program_date_time -master_pl_name master.m3u8 \
             -var_stream_map v:0,agroup:a\u{a0}a:0,agroup:a,default:yes,language:en split/%v.m3u8"
        ),
        format!("{dash} -use_timeline 1 timeline/manifest.mpd"),
        format!("{dash} -use_timeline 0 regular/manifest.mpd"),
        "-f mpegts pipe.ts".to_owned(),
    ];
    let outputs = outputs
        .map(|output| format!("{H264} {AAC} {output}"))
        .join(" ");
    let _encoder = bench.start_ffmpeg(&format!("-re {} {sound} {outputs}", picture(180, None)));
    let track = |kind: &str, more: &str| {
        let files = format!(
            "init_segment=shaka/{kind}/init.mp4,segment_template=shaka/{kind}/$Number$.m4s"
        );
        format!("in=pipe.ts,stream={kind},{files}{more}")
    };
    let _packager = bench.start_shaka(&format!(
        "{} {} --segment_duration 2 --mpd_output shaka/manifest.mpd --hls_master_playlist_output shaka/master.m3u8 \
         --hls_playlist_type LIVE --time_shift_buffer_depth 16 --preserved_segments_outside_live_window 10 \
         --minimum_update_period 2 --suggested_presentation_delay 6",
        track("video", ""),
        track("audio", ",language=en,hls_group_id=audio,hls_name=en"),
    ));
    // Each has three segments.
    let ready = [
        ("alone/index.m3u8", "#EXTINF", 3),
        ("split/0.m3u8", "#EXTINF", 3),
        ("timeline/manifest.mpd", "r=\"2\"", 1),
        ("regular/manifest.mpd", "duration=", 1),
        ("regular/chunk-stream1-00003.m4s", "", 1),
        ("shaka/manifest.mpd", "r=\"2\"", 1),
        ("shaka/master.m3u8", "#EXT-X-STREAM-INF", 1),
    ];
    for (name, mark, count) in ready {
        let path = bench.folder().join(name);
        eventually(name, DEADLINE, async || {
            let bytes = fs::read(&path).ok()?;
            let found = String::from_utf8_lossy(&bytes).matches(mark).count();
            (found >= count).then_some(())
        })
        .await;
    }
    let sources = [
        "/media/alone/index.m3u8",
        "/media/split/master.m3u8",
        "/media/timeline/manifest.mpd",
        "/media/regular/manifest.mpd",
        "/media/shaka/manifest.mpd",
        "/media/shaka/master.m3u8",
    ];
    // Not all at once: six decoders and eight encoders are too much for two cores.
    for pair in sources.chunks(2) {
        let plays: Vec<(&str, How)> = pair.iter().map(|source| (*source, How::Live)).collect();
        let all = tokio::task::block_in_place(|| watch(bench.folder(), &plays));
        for (source, shown) in pair.iter().zip(&all) {
            check(source, shown);
        }
    }
}

/// Our own manifest, of segments that are fetched while they grow.
#[tokio::test(flavor = "multi_thread")]
async fn plays_our_own_manifest() {
    let weir = Weir::start_with(WeirOptions::default()).await;
    let created = weir.create_video("dash").await;
    let id = created.video.id;
    let _encoder = Encoder::ffmpeg_looped(&built::film(), weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source", "480p", "audio"], 3)
        .await;
    let source = weir.viewer().url(&format!("/v/{id}/manifest.mpd"));
    let media = Bench::new();
    let all = tokio::task::block_in_place(|| watch(media.folder(), &[(&source, How::Live)]));
    check(&source, &all[0]);
    assert!(all[0].heights.contains(&Some(480)), "{:?}", all[0]);
    assert!(all[0].partial > 0, "{:?}", all[0]);
}
