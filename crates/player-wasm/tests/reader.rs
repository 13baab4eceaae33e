//! The playlist reader against an independent one, and against anything at all.

use m3u8_rs::{MasterPlaylist, parse_master_playlist_res, parse_media_playlist_res};
use proptest::prelude::*;
use weir_player_wasm::playlist::{InvalidPlaylist, MAX_PARTS, MediaPlaylist, Multivariant};

fn segment() -> impl Strategy<Value = String> {
    let duration =
        (1_u32..4000).prop_map(|ms| format!("#EXTINF:{}.{:03},\n", ms / 1000, ms % 1000));
    let flags = (any::<bool>(), any::<bool>(), prop::option::of(0_u8..3));
    (duration, flags, "[a-z0-9/.]{1,12}").prop_map(|(duration, (gap, discontinuity, map), uri)| {
        let mut text = String::new();
        if discontinuity {
            text += "#EXT-X-DISCONTINUITY\n";
        }
        if let Some(map) = map {
            text += &format!("#EXT-X-MAP:URI=\"init-{map}.mp4\"\n");
        }
        text += &duration;
        if gap {
            text += "#EXT-X-GAP\n";
        }
        text + &uri + "\n"
    })
}

proptest! {
    #[test]
    fn media_playlists_read_as_m3u8_rs_reads_them(
        first in 0_u64..1_000_000,
        segments in prop::collection::vec(segment(), 1..20),
        ended: bool,
    ) {
        let end = if ended { "#EXT-X-ENDLIST\n" } else { "" };
        let text = format!(
            "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n{}{end}",
            segments.concat()
        );
        let (oracle, ours) =
            (parse_media_playlist_res(text.as_bytes()).unwrap(), MediaPlaylist::parse(&text).unwrap());
        prop_assert_eq!(ours.media_sequence, oracle.media_sequence);
        prop_assert_eq!(ours.ended, oracle.end_list);
        prop_assert_eq!(ours.segments.len(), oracle.segments.len());
        for (ours, oracle) in ours.segments.iter().zip(&oracle.segments) {
            prop_assert_eq!(ours.uri.as_deref(), Some(oracle.uri.as_str()));
            prop_assert!((ours.duration - f64::from(oracle.duration)).abs() < 1e-5);
            prop_assert_eq!(ours.discontinuity, oracle.discontinuity);
            prop_assert_eq!(ours.map.as_ref(), oracle.map.as_ref().map(|map| &map.uri));
        }
    }

    #[test]
    fn multivariant_playlists_read_as_m3u8_rs_reads_them(
        variants in prop::collection::vec((1_u64..100_000_000, 1_u64..5000, "[a-z]{1,8}"), 1..10),
    ) {
        let lines = variants.iter().map(|(bandwidth, height, name)| format!(
            "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION=16x{height},CODECS=\"a,b\",AUDIO=\"g\"\n{name}\n"
        ));
        let text = format!("#EXTM3U\n{}", lines.collect::<String>());
        let oracle: MasterPlaylist = parse_master_playlist_res(text.as_bytes()).unwrap();
        let ours = Multivariant::parse(&text).unwrap();
        prop_assert_eq!(ours.variants.len(), oracle.variants.len());
        for (ours, oracle) in ours.variants.iter().zip(&oracle.variants) {
            prop_assert_eq!(&ours.uri, &oracle.uri);
            prop_assert_eq!(ours.bandwidth, oracle.bandwidth);
            prop_assert_eq!(Some(&ours.codecs), oracle.codecs.as_ref());
            let height = oracle.resolution.map(|resolution| resolution.height);
            prop_assert_eq!(ours.height.map(u64::from), height);
            prop_assert_eq!(&ours.audio_group, &oracle.audio);
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,200}") {
        let _ = (MediaPlaylist::parse(&text), Multivariant::parse(&text));
    }

    #[test]
    fn no_mix_of_tags_is_too_strange(lines in prop::collection::vec(prop::sample::select(vec![
        "#EXT-X-TARGETDURATION:4", "#EXT-X-TARGETDURATION:99999999999", "#EXT-X-MEDIA-SEQUENCE:999999999999999",
        "#EXT-X-SKIP:SKIPPED-SEGMENTS=999999999999999", "#EXTINF:-1,", "#EXTINF:2,", "x.m4s",
        "#EXT-X-PART:DURATION=1,URI=\"\"", "#EXT-X-PART:DURATION=0.3,URI=\"p\"", "#EXT-X-MAP:", "#EXT-X-GAP",
        "#EXT-X-PART-INF:PART-TARGET=NaN", "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"h\"", "#EXT-X-ENDLIST",
        "#EXT-X-PROGRAM-DATE-TIME:9999-12-31T23:59:60.999-99:99", "#EXT-X-DISCONTINUITY", "#EXT-X-BYTERANGE:1",
        "#EXT-X-RENDITION-REPORT:URI=\"../x\",LAST-MSN=x", "#EXT-X-DISCONTINUITY-SEQUENCE:18446744073709551615",
    ]), 0..40)) {
        let text = format!("#EXTM3U\n{}\n", lines.join("\n"));
        if let Ok(playlist) = MediaPlaylist::parse(&text) {
            let mut timeline = weir_player_wasm::timeline::Timeline::default();
            timeline.update(playlist.clone());
            timeline.update(playlist);
            timeline.entry(1e15);
        }
    }
}

#[test]
fn reads_the_low_latency_tags() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24.0,HOLD-BACK=12,PART-HOLD-BACK=1.05\n\
        #EXT-X-PART-INF:PART-TARGET=0.35\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n\
        #EXT-X-PART:DURATION=0.333,URI=\"10.0\",INDEPENDENT=YES\n\
        #EXT-X-PART:DURATION=0.1,URI=\"10.1\",GAP=YES\n\
        #EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"i\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"10.2\"\n\
        #EXT-X-RENDITION-REPORT:URI=\"../480p/index.m3u8\",LAST-MSN=10,LAST-PART=1\n";
    let playlist = MediaPlaylist::parse(text).unwrap();
    assert_eq!((playlist.part_target, playlist.skipped), (Some(0.35), 3));
    let control = playlist.control;
    assert!(control.can_block_reload);
    assert_eq!(
        (control.can_skip_until, control.part_hold_back),
        (Some(24.0), Some(1.05))
    );
    let open = playlist.segments.last().unwrap();
    assert_eq!((open.uri.as_ref(), open.parts.len()), (None, 2));
    assert!(open.parts[0].independent && !open.parts[0].gap && open.parts[1].gap);
    assert_eq!(playlist.hint.as_deref(), Some("10.2"));
    assert_eq!(
        (playlist.reports[0].last_msn, playlist.reports[0].last_part),
        (Some(10), Some(1))
    );
}

#[test]
fn refuses_what_it_cannot_honour() {
    let check = |body: &str, expected| {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n{body}\n");
        assert_eq!(MediaPlaylist::parse(&text).unwrap_err(), expected, "{body}");
    };
    check(
        "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"",
        InvalidPlaylist::Unsupported("encrypted media (EXT-X-KEY)"),
    );
    check(
        "#EXT-X-BYTERANGE:0@7",
        InvalidPlaylist::Malformed("BYTERANGE"),
    );
    check("#EXTINF:99999,", InvalidPlaylist::Malformed("EXTINF"));
    check(
        "#EXT-X-PART:DURATION=1",
        InvalidPlaylist::Malformed("EXT-X-PART"),
    );
    let parts = "#EXT-X-PART:DURATION=0.1,URI=\"p\"\n".repeat(MAX_PARTS + 1);
    check(&parts, InvalidPlaylist::TooLarge("parts"));
    check(&"x".repeat(20_000), InvalidPlaylist::TooLarge("line"));
    assert_eq!(
        MediaPlaylist::parse("hello"),
        Err(InvalidPlaylist::NotAPlaylist)
    );
    assert!(Multivariant::parse("#EXTM3U\n").is_err());
}
