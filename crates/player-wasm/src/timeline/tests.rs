use super::*;

const HEAD: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=0.35\n\
    #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24,PART-HOLD-BACK=1.05\n";

fn playlist(body: &str) -> MediaPlaylist {
    MediaPlaylist::parse(&[HEAD, body].concat()).unwrap()
}

fn known(body: &str) -> Timeline {
    let mut timeline = Timeline::default();
    assert_eq!(timeline.update(playlist(body)), Update::Advanced);
    timeline
}

const LIVE: &str = "#EXT-X-MEDIA-SEQUENCE:10\n\
    #EXT-X-MAP:URI=\"i0\"\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10Z\n\
    #EXTINF:2,\n10.m4s\n#EXTINF:2,\n11.m4s\n\
    #EXT-X-PART:DURATION=0.3,URI=\"12.0\",INDEPENDENT=YES\n\
    #EXT-X-PART:DURATION=0.3,URI=\"12.1\"\n\
    #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"12.2\"\n";

#[test]
fn places_segments_and_knows_the_edge() {
    let timeline = known(LIVE);
    assert_eq!(timeline.edge(), Position { msn: 12, part: 2 });
    assert_eq!(timeline.end_ms(), Some(14_600.0));
    assert_eq!(timeline.hint.as_deref(), Some("12.2"));
    let open = timeline.get(12).unwrap();
    assert_eq!((open.start_ms, open.part_start_ms(1)), (14_000.0, 14_300.0));
    assert_eq!(open.map.as_deref(), Some("i0"));
    assert_eq!(timeline.get(9), None);
    assert_eq!(timeline.get(13), None);
}

#[test]
fn enters_at_independent_parts() {
    let timeline = known(LIVE);
    let check = |ms, msn, part| assert_eq!(timeline.entry(ms), Position { msn, part }, "{ms}");
    check(0.0, 10, 0);
    check(11_999.0, 10, 0);
    check(12_000.0, 11, 0);
    check(14_599.0, 12, 0);
    check(99_999.0, 12, 0);
}

#[test]
fn a_delta_update_keeps_what_it_skips() {
    let mut timeline = known(LIVE);
    let update = timeline.update(playlist(
        "#EXT-X-MEDIA-SEQUENCE:11\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n\
         #EXTINF:1.5,\n12.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"i1\"\n\
         #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:20Z\n#EXTINF:2,\n13.m4s\n",
    ));
    assert_eq!(update, Update::Advanced);
    assert_eq!(timeline.first_msn(), 11);
    let of = |msn| timeline.get(msn).unwrap();
    assert_eq!((of(11).start_ms, of(11).discontinuity), (12_000.0, 0));
    assert_eq!(
        (of(12).start_ms, of(12).map.as_deref()),
        (14_000.0, Some("i0"))
    );
    assert_eq!((of(13).start_ms, of(13).discontinuity), (20_000.0, 1));
    assert_eq!(of(13).map.as_deref(), Some("i1"));
    assert_eq!(timeline.edge(), Position { msn: 14, part: 0 });
}

#[test]
fn a_delta_update_that_skips_the_unknown_is_refused() {
    // 12 was open: its complete form has not been seen.
    let mut timeline = known(LIVE);
    let delta = "#EXT-X-MEDIA-SEQUENCE:10\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF:2,\n13.m4s\n";
    assert_eq!(timeline.update(playlist(delta)), Update::Mismatch);
    assert_eq!(timeline.edge(), Position { msn: 12, part: 2 });
    let other = "#EXT-X-MEDIA-SEQUENCE:9\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n#EXTINF:2,\n10.m4s\n";
    assert_eq!(timeline.update(playlist(other)), Update::Mismatch);
    assert_eq!(
        Timeline::default().update(playlist(other)),
        Update::Mismatch
    );
}

#[test]
fn an_older_playlist_changes_nothing() {
    let mut timeline = known(LIVE);
    let older = "#EXT-X-MEDIA-SEQUENCE:9\n#EXTINF:2,\n9.m4s\n#EXTINF:2,\n10.m4s\n";
    assert_eq!(timeline.update(playlist(older)), Update::Unchanged);
    assert_eq!(timeline.update(playlist(LIVE)), Update::Unchanged);
    assert_eq!(timeline.edge(), Position { msn: 12, part: 2 });
}

#[test]
fn counts_back_from_the_first_date() {
    let timeline = known(
        "#EXTINF:2,\n0\n#EXTINF:3,\n1\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:00Z\n#EXTINF:2,\n2\n",
    );
    assert_eq!(timeline.start_ms(), Some(55_000.0));
    assert!(timeline.dated);
    let undated = known("#EXTINF:2,\n0\n#EXTINF:3,\n1\n#EXT-X-ENDLIST\n");
    assert_eq!(
        (undated.start_ms(), undated.end_ms()),
        (Some(0.0), Some(5_000.0))
    );
    assert!(!undated.dated && undated.ended);
}

#[test]
fn goes_on_without_dates() {
    let listed = |first: u64, segments: &str| {
        let body = format!("#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}");
        playlist(&body)
    };
    let mut timeline = Timeline::default();
    timeline.update(listed(5, "#EXTINF:2,\n5\n#EXTINF:3,\n6\n"));
    assert_eq!(timeline.start_ms(), Some(0.0));
    timeline.update(listed(6, "#EXTINF:3,\n6\n#EXTINF:2,\n7\n"));
    assert_eq!(
        (timeline.start_ms(), timeline.end_ms()),
        (Some(2000.0), Some(7000.0))
    );
    // What came between was never listed.
    timeline.update(listed(20, "#EXTINF:2,\n20\n"));
    assert_eq!(timeline.start_ms(), Some(7000.0));
    let mut beside = Timeline::default();
    beside.update(listed(19, "#EXTINF:2,\n19\n#EXTINF:2,\n20\n"));
    assert_eq!(beside.lies_before(&timeline), Some(5000.0));
    beside.shift(5000.0);
    assert_eq!(beside.get(20).unwrap().start_ms, 7000.0);
}

#[test]
fn a_server_that_starts_over_is_believed_when_it_moves_on() {
    let mut timeline = known(LIVE);
    let over = |text: &str| playlist(&["#EXT-X-MEDIA-SEQUENCE:0\n", text].concat());
    let first = "#EXTINF:2,\n0\n";
    assert_eq!(timeline.update(over(first)), Update::Unchanged);
    assert_eq!(timeline.update(over(first)), Update::Unchanged);
    let second = "#EXTINF:2,\n0\n#EXTINF:2,\n1\n";
    assert_eq!(timeline.update(over(second)), Update::Advanced);
    assert_eq!(timeline.edge(), Position { msn: 2, part: 0 });
}
