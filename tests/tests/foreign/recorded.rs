//! Recordings, as packagers make them.

use crate::packagers::{Bench, SECONDS, lists, stream};
use crate::{How, Shown, watch};

fn all_streams(numbered: Option<&str>, output: &str) -> String {
    let streams = ["180", "360", "en", "fr"].map(|source| stream(source, numbered, output));
    streams.join(" ")
}

/// Plays them, and checks what is the same for all: they last as long as they are, with picture and
/// sound, and nothing goes wrong.
fn check(bench: &Bench, sources: &[&str]) -> Vec<Shown> {
    let plays: Vec<(&str, How)> = sources
        .iter()
        .map(|source| (*source, How::Recorded))
        .collect();
    let all = watch(bench.folder(), &plays);
    for (source, shown) in sources.iter().zip(&all) {
        let seconds = shown.seconds.unwrap_or_default();
        assert!((seconds - SECONDS).abs() < 0.3, "{source}: {shown:?}");
        assert!(
            shown.height > 0 && shown.sound_bytes > 0,
            "{source}: {shown:?}"
        );
        assert_eq!(shown.live, Some(false), "{source}: {shown:?}");
        assert!(
            shown.errors.is_empty() && shown.messages.is_empty(),
            "{source}: {shown:?}"
        );
    }
    all
}

#[test]
fn plays_what_shaka_packager_makes() {
    let bench = Bench::with_sources();
    let numbered = all_streams(Some("$Number%05d$"), "numbered");
    bench.shaka(&format!(
        "{numbered} {} --generate_static_live_mpd",
        lists("numbered")
    ));
    let timed = all_streams(Some("$Time$"), "timed");
    bench.shaka(&format!(
        "{timed} {} --generate_static_live_mpd",
        lists("timed")
    ));
    bench.shaka(&format!(
        "{} {}",
        all_streams(None, "indexed"),
        lists("indexed")
    ));
    let sources = [
        "/media/numbered/manifest.mpd",
        "/media/timed/manifest.mpd?with=a&query",
        "/media/indexed/manifest.mpd",
        "/moved/numbered/master.m3u8",
        "/media/indexed/master.m3u8",
    ];
    for shown in check(&bench, &sources) {
        assert_eq!(shown.heights, [Some(180), Some(360)]);
        let mut sounds: Vec<_> = shown.sounds.iter().flatten().collect();
        sounds.sort_unstable();
        assert_eq!(sounds, ["en", "fr"]);
    }
}

#[test]
fn plays_what_ffmpeg_makes() {
    let bench = Bench::with_sources();
    for name in ["hls", "one-file", "regular", "timeline", "list"] {
        bench.make(name);
    }
    let inputs = "-i 180.mp4 -i 360.mp4 -i en.mp4 -map 0 -map 1 -map 2";
    let fmp4 = "-f hls -hls_time 4 -hls_playlist_type vod -hls_segment_type fmp4";
    // Two variants with sound in them, and no CODECS.
    bench.ffmpeg(&format!(
        "{inputs} -map 2 -c copy {fmp4} -master_pl_name master.m3u8 -var_stream_map v:0,a:0\u{a0}v:1,a:1 hls/%v.m3u8"
    ));
    bench.ffmpeg(&format!(
        "-i 360.mp4 -i en.mp4 -c copy {fmp4} -hls_flags single_file one-file/index.m3u8"
    ));
    let sets = "-adaptation_sets id=0,streams=v\u{a0}id=1,streams=a";
    let dash = format!("{inputs} -c copy -f dash -seg_duration 2 {sets}");
    bench.ffmpeg(&format!("{dash} -use_timeline 0 regular/manifest.mpd"));
    bench.ffmpeg(&format!("{dash} -use_timeline 1 timeline/manifest.mpd"));
    bench.ffmpeg(&format!(
        "{dash} -single_file 1 -hls_playlist 1 list/manifest.mpd"
    ));
    let sources = [
        "/media/hls/master.m3u8",
        "/media/one-file/index.m3u8",
        "/media/regular/manifest.mpd",
        "/media/timeline/manifest.mpd",
        "/media/list/manifest.mpd",
        "/media/list/master.m3u8",
    ];
    check(&bench, &sources);
}
