//! What the player has no means to play: it says what, instead of waiting for ever.

use std::fs;

use crate::packagers::{Bench, SECONDS, lists, picture, stream};
use crate::{How, watch};

#[test]
fn says_what_it_cannot_play() {
    let bench = Bench::with_sources();
    bench.make("ts");
    bench.ffmpeg(
        "-i 180.mp4 -i en.mp4 -c copy -f hls -hls_time 4 -hls_playlist_type vod ts/index.m3u8",
    );
    let multivariant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000\nindex.m3u8\n";
    fs::write(bench.folder().join("ts/master.m3u8"), multivariant)
        .expect("a playlist can be written");
    let key = "label=:key_id=00000000000000000000000000000001:key=00000000000000000000000000000002";
    bench.shaka(&format!(
        "{} {} --generate_static_live_mpd --enable_raw_key_encryption --keys {key} --clear_lead 0 --protection_scheme cbcs",
        stream("180", Some("$Number$"), "locked"),
        lists("locked"),
    ));
    bench.make("webm");
    bench.ffmpeg(&format!(
        "{} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 200k -f dash -dash_segment_type webm webm/manifest.mpd",
        picture(180, Some(SECONDS / 4.0)),
    ));
    let expected = [
        ("/media/ts/index.m3u8", "MPEG-TS"),
        ("/media/ts/master.m3u8", "MPEG-TS"),
        ("/media/locked/master.m3u8", "encrypted media"),
        ("/media/locked/manifest.mpd", "encrypted media"),
        ("/media/webm/manifest.mpd", "not fragmented MP4"),
    ];
    let plays = expected.map(|(source, _)| (source, How::Refused));
    for ((source, what), shown) in expected.iter().zip(watch(bench.folder(), &plays)) {
        let message = shown.message.unwrap_or_default();
        assert!(message.contains(what), "{source}: {message}");
    }
}
