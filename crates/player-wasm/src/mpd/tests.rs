//! Manifests of packagers and of people, read and listed.

use proptest::prelude::*;

use super::*;
use crate::boxes::Index;
use crate::playlist::{InvalidPlaylist, MediaPlaylist};
use crate::timeline::{Timeline, Update};

const URL: &str = "http://h/v/x/manifest.mpd?k=1";
const FFMPEG_LIST: &str = include_str!("../../tests/manifests/ffmpeg-list.mpd");
const FFMPEG_REGULAR: &str = include_str!("../../tests/manifests/ffmpeg-regular.mpd");
const FFMPEG_TIMELINE: &str = include_str!("../../tests/manifests/ffmpeg-timeline.mpd");
const SHAKA_ENCRYPTED: &str = include_str!("../../tests/manifests/shaka-encrypted.mpd");
const SHAKA_INDEXED: &str = include_str!("../../tests/manifests/shaka-indexed.mpd");
const SHAKA_LIVE: &str = include_str!("../../tests/manifests/shaka-live.mpd");
const SHAKA_TIMES: &str = include_str!("../../tests/manifests/shaka-times.mpd");

fn listing(mpd: &Mpd, choice: &Choice, now_ms: f64, indexes: &[(String, Index)]) -> Listing {
    let known = &[];
    let moment = Moment {
        now_ms,
        indexes,
        known,
    };
    mpd.listing(choice, moment)
}

fn segments(listing: Listing) -> MediaPlaylist {
    match listing {
        Listing::Segments { playlist, .. } => *playlist,
        Listing::WantsIndex(url) => panic!("{url} is not fetched yet"),
    }
}

/// The choice behind a URI of the offer.
fn chosen<'a>(offer: &'a Offer, uri: &str) -> &'a Choice {
    &offer.choices[uri[1..].parse::<usize>().unwrap()]
}

fn urls(playlist: &MediaPlaylist) -> Vec<&str> {
    playlist
        .segments
        .iter()
        .map(|s| s.uri.as_deref().unwrap())
        .collect()
}

fn starts(playlist: &MediaPlaylist) -> Vec<f64> {
    playlist
        .segments
        .iter()
        .map(|s| s.date_time_ms.unwrap() / 1000.0)
        .collect()
}

#[test]
fn reads_what_packagers_write() {
    // Picture and sound: first and last URL, how many there are, and when the last one begins.
    let check = |text: &str, expected: [(&str, &str, usize, f64); 2]| {
        let mpd = Mpd::parse(text, URL).unwrap();
        let offer = mpd.offer().unwrap();
        let (variant, audio) = (
            &offer.multivariant.variants[0],
            &offer.multivariant.audio[0],
        );
        assert_eq!(variant.codecs, "avc1.4d400d,mp4a.40.2");
        assert_eq!(variant.audio_group.as_ref(), Some(&audio.group));
        for (uri, (first, last, count, start)) in
            [&variant.uri, &audio.uri].into_iter().zip(expected)
        {
            let playlist = segments(listing(&mpd, chosen(&offer, uri), 0.0, &[]));
            assert!(playlist.ended && playlist.relative);
            let urls: Vec<&str> = urls(&playlist)
                .iter()
                .map(|url| url.strip_prefix("http://h/v/x/").unwrap())
                .collect();
            assert_eq!(
                (urls[0], *urls.last().unwrap(), urls.len()),
                (first, last, count)
            );
            let starts = starts(&playlist);
            assert!((starts.last().unwrap() - start).abs() < 1e-3, "{starts:?}");
            assert!(
                playlist
                    .segments
                    .iter()
                    .all(|segment| segment.map.is_some() && !segment.gap)
            );
        }
    };
    check(
        FFMPEG_REGULAR,
        [
            (
                "chunk-stream0-00001.m4s",
                "chunk-stream0-00006.m4s",
                6,
                10.0,
            ),
            (
                "chunk-stream2-00001.m4s",
                "chunk-stream2-00006.m4s",
                6,
                10.0,
            ),
        ],
    );
    check(
        FFMPEG_TIMELINE,
        [
            (
                "chunk-stream0-00001.m4s",
                "chunk-stream0-00006.m4s",
                6,
                10.0,
            ),
            (
                "chunk-stream2-00001.m4s",
                "chunk-stream2-00007.m4s",
                7,
                11.9253,
            ),
        ],
    );
    check(
        FFMPEG_LIST,
        [
            (
                "manifest-stream0.mp4#bytes=829-104933",
                "manifest-stream0.mp4#bytes=481791-568982",
                6,
                10.0,
            ),
            (
                "manifest-stream2.mp4#bytes=765-17031",
                "manifest-stream2.mp4#bytes=83252-99919",
                6,
                10.0,
            ),
        ],
    );
    check(
        SHAKA_TIMES,
        [
            ("v180/0.m4s", "v180/128000.m4s", 6, 10.0),
            ("aen/0.m4s", "aen/480256.m4s", 6, 10.00533),
        ],
    );
}

#[test]
fn reads_indexes() {
    let mpd = Mpd::parse(SHAKA_INDEXED, URL).unwrap();
    let offer = mpd.offer().unwrap();
    let languages: Vec<_> = offer
        .multivariant
        .audio
        .iter()
        .map(|a| a.language.as_deref())
        .collect();
    assert_eq!(languages, [Some("en"), Some("fr")]);
    let choice = chosen(&offer, &offer.multivariant.variants[1].uri);
    let index_url = "http://h/v/x/v360.mp4#bytes=870-973";
    let wanted = Listing::WantsIndex(index_url.to_owned());
    assert_eq!(listing(&mpd, choice, 0.0, &[]), wanted);
    let index = Index {
        timescale: 12_800,
        earliest: 0,
        first_offset: 0,
        references: vec![(100, 25_600), (50, 25_600)],
    };
    let playlist = segments(listing(&mpd, choice, 0.0, &[(index_url.to_owned(), index)]));
    assert_eq!(
        urls(&playlist),
        [
            "http://h/v/x/v360.mp4#bytes=974-1073",
            "http://h/v/x/v360.mp4#bytes=1074-1123"
        ]
    );
    assert_eq!(starts(&playlist), [0.0, 2.0]);
    let map = playlist.segments[0].map.as_deref();
    assert_eq!(map, Some("http://h/v/x/v360.mp4#bytes=0-869"));
}

#[test]
fn counts_on_when_a_live_manifest_comes_again() {
    let mpd = Mpd::parse(SHAKA_LIVE, URL).unwrap();
    let offer = mpd.offer().unwrap();
    let choice = chosen(&offer, &offer.multivariant.variants[0].uri);
    let begin = date_time("2026-11-23T06:41:28Z").unwrap();
    let first = segments(listing(&mpd, choice, begin + 12_500.0, &[]));
    assert!(!first.ended && !first.relative);
    let expected: Vec<f64> = [4.0, 6.0, 8.0, 10.0].map(|s| begin / 1000.0 + s).to_vec();
    // What ended six seconds ago has left the window.
    assert_eq!(starts(&first), expected[1..]);
    let mut timeline = Timeline::default();
    let msn = first.media_sequence;
    assert_eq!(timeline.update(first), Update::Advanced);

    let later = SHAKA_LIVE
        .replace("startNumber=\"3\"", "startNumber=\"4\"")
        .replace("t=\"51200\"", "t=\"76800\"");
    let later = Mpd::parse(&later, URL).unwrap();
    let known = [&timeline];
    let moment = Moment {
        now_ms: begin + 14_500.0,
        indexes: &[],
        known: &known,
    };
    let second = segments(later.listing(choice, moment));
    assert_eq!(second.media_sequence, msn + 1);
    assert!(urls(&second)[2].ends_with("/v180/00007.m4s"));
}

/// A live manifest as Weir writes it, of segments that grow.
const GROWING: &str = r#"<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z" publishTime="2026-11-23T06:41:28.000Z" minimumUpdatePeriod="PT2S" timeShiftBufferDepth="PT60S" suggestedPresentationDelay="PT6S">
<ServiceDescription id="0"><Latency referenceId="0" target="2100" min="1000" max="6000"/></ServiceDescription>
<Period id="1-40" start="PT1000S"><AdaptationSet id="1" contentType="video" mimeType="video/mp4">
<Representation id="source" bandwidth="3000000" codecs="avc1.64001f" height="720"><SegmentTemplate timescale="90000" presentationTimeOffset="900000" startNumber="40" initialization="1/source/init-1.mp4" media="1/source/dash-$Number$.m4s" duration="180000" availabilityTimeOffset="1.650" availabilityTimeComplete="false"/></Representation>
</AdaptationSet></Period><UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/api/v1/time"/></MPD>"#;

#[test]
fn lists_segments_that_grow() {
    let mpd = Mpd::parse(GROWING, URL).unwrap();
    assert_eq!(
        mpd.clock,
        Some(Clock::Fetched("http://h/api/v1/time".to_owned()))
    );
    assert!(mpd.needs_clock());
    let offer = mpd.offer().unwrap();
    let at = |now_s: f64| match listing(&mpd, &offer.choices[0], now_s * 1000.0, &[]) {
        Listing::Segments {
            playlist,
            more_at_ms,
        } => (*playlist, more_at_ms.unwrap() / 1000.0),
        Listing::WantsIndex(url) => panic!("{url}"),
    };
    let (playlist, more_at) = at(1010.4);
    // The sixth can be fetched once its first chunk is there.
    assert_eq!(playlist.segments.len(), 6);
    assert!((more_at - 1012.35).abs() < 1e-6, "{more_at}");
    let growing: Vec<bool> = playlist
        .segments
        .iter()
        .map(|segment| segment.growing)
        .collect();
    assert_eq!(growing, [false, false, false, false, false, true]);
    let last = playlist.segments.last().unwrap();
    assert_eq!(
        last.uri.as_deref(),
        Some("http://h/v/x/1/source/dash-45.m4s")
    );
    assert_eq!(
        (last.date_time_ms, last.media_s),
        (Some(1_010_000.0), Some(20.0))
    );
    assert!((playlist.part_target.unwrap() - 0.35).abs() < 1e-9);
    assert_eq!(playlist.control.part_hold_back, Some(2.1));
    assert_eq!(at(1010.2).0.segments.len(), 5);
    // A minute is kept.
    assert_eq!(at(1100.5).0.segments.len(), 31);

    let mut timeline = Timeline::default();
    timeline.update(at(1010.4).0);
    timeline.known_until_ms = timeline.grows().then_some(1_010_400.0);
    assert_eq!(
        (timeline.end_ms(), timeline.listed_end_ms()),
        (Some(1_010_400.0), Some(1_012_000.0))
    );
}

/// All that is inherited, and two Periods that number and name alike.
const NESTED: &str = r#"<MPD type="static"><BaseURL>http://cdn/a/</BaseURL>
<Period id="p" duration="PT5S"><BaseURL>b/</BaseURL><SegmentTemplate timescale="1000" duration="2000" startNumber="7"/>
<AdaptationSet mimeType="video/mp4" codecs="avc1.1" height="720"><SegmentTemplate media="$RepresentationID$/$Bandwidth$-$Number%04d$-$$.m4s?a&amp;b" initialization="$RepresentationID$/i.mp4"/>
<Representation id="r1" bandwidth="2000"><BaseURL>c/</BaseURL></Representation>
<Representation id="r0" bandwidth="1000"><SegmentTemplate startNumber="1"/></Representation></AdaptationSet>
<AdaptationSet mimeType="video/mp4" codecs="avc1.2"><EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode" value="1"/><Representation id="t" bandwidth="5"/></AdaptationSet>
<AdaptationSet mimeType="text/vtt" lang="en"><Representation id="s" bandwidth="1"><BaseURL>s.vtt</BaseURL></Representation></AdaptationSet></Period>
<Period id="q" duration="PT0H0M4.0S"><AdaptationSet mimeType="video/mp4" codecs="avc1.1"><SegmentTemplate timescale="10" presentationTimeOffset="100" media="$Time$.m4s" initialization="i.mp4"><SegmentTimeline><S t="100" d="10"/><S t="130" d="10" r="-1"/></SegmentTimeline></SegmentTemplate>
<Representation id="x" bandwidth="1900"/></AdaptationSet></Period></MPD>"#;

#[test]
fn inherits_and_joins_periods() {
    let mpd = Mpd::parse(NESTED, URL).unwrap();
    let offer = mpd.offer().unwrap();
    let ids: Vec<&str> = offer
        .choices
        .iter()
        .map(|choice| choice.id.as_str())
        .collect();
    assert_eq!(ids, ["r1", "r0"]);
    assert_eq!(offer.multivariant.variants[0].height, Some(720));
    let playlist = segments(listing(&mpd, &offer.choices[0], 0.0, &[]));
    assert_eq!(
        urls(&playlist)[..3],
        [
            "http://cdn/a/b/c/r1/2000-0007-$.m4s?a&b",
            "http://cdn/a/b/c/r1/2000-0008-$.m4s?a&b",
            "http://cdn/a/b/c/r1/2000-0009-$.m4s?a&b",
        ]
    );
    assert_eq!(starts(&playlist), [0.0, 2.0, 4.0, 5.0, 6.0, 8.0]);
    let gaps: Vec<bool> = playlist
        .segments
        .iter()
        .map(|segment| segment.gap)
        .collect();
    assert_eq!(gaps, [false, false, false, false, true, false]);
    assert_eq!(urls(&playlist)[5], "http://cdn/a/130.m4s");
    assert_eq!(playlist.segments[2].duration, 1.0);
    let maps: Vec<_> = playlist
        .segments
        .iter()
        .map(|segment| segment.map.as_deref().unwrap())
        .collect();
    assert_eq!(
        (maps[2], maps[3]),
        ("http://cdn/a/b/c/r1/i.mp4", "http://cdn/a/i.mp4")
    );
    let other = segments(listing(&mpd, &offer.choices[1], 0.0, &[]));
    assert_eq!(urls(&other)[0], "http://cdn/a/b/r0/1000-0001-$.m4s?a&b");
}

#[test]
fn a_broadcast_becomes_a_recording_in_its_place() {
    let live = Mpd::parse(GROWING, URL).unwrap();
    let recorded = GROWING
        .replace("type=\"dynamic\"", "type=\"static\"")
        .replace("start=\"PT1000S\"", "start=\"PT0S\" duration=\"PT12S\"");
    let recorded = Mpd::parse(&recorded, URL)
        .unwrap()
        .placed_like(&live)
        .unwrap();
    let offer = recorded.offer().unwrap();
    let playlist = segments(listing(&recorded, &offer.choices[0], 0.0, &[]));
    assert_eq!(starts(&playlist)[0], 1000.0);
    assert!(playlist.ended);
    let other = Mpd::parse(NESTED, URL).unwrap();
    assert!(other.placed_like(&live).is_none());
}

#[test]
fn refuses_what_it_cannot_play() {
    let check =
        |text: &str, expected| assert_eq!(Mpd::parse(text, URL).unwrap_err(), expected, "{text}");
    check(
        SHAKA_ENCRYPTED,
        InvalidPlaylist::Unsupported("encrypted media (ContentProtection)"),
    );
    let webm = FFMPEG_REGULAR.replace("/mp4", "/webm");
    check(
        &webm,
        InvalidPlaylist::Unsupported("media that is not fragmented MP4"),
    );
    check("<html/>", InvalidPlaylist::Malformed("MPD"));
    check(
        "<MPD/>",
        InvalidPlaylist::Malformed("MPD without Representations"),
    );
    check(
        "<MPD type=\"dynamic\"/>",
        InvalidPlaylist::Malformed("availabilityStartTime"),
    );
}

/// A manifest whose segments are listed by runs of start, duration and repetitions.
fn listed_by(runs: &[(Option<u64>, u64, i64)]) -> String {
    let run = |(at, duration, repeat): &(Option<u64>, u64, i64)| {
        let at = at.map_or_else(String::new, |at| format!(" t=\"{at}\""));
        format!("<S{at} d=\"{duration}\" r=\"{repeat}\"/>")
    };
    format!(
        "<MPD type=\"static\"><Period duration=\"PT100S\"><AdaptationSet mimeType=\"video/mp4\" codecs=\"avc1\">\
         <SegmentTemplate timescale=\"10\" media=\"$Time$\"><SegmentTimeline>{}</SegmentTimeline></SegmentTemplate>\
         <Representation id=\"r\" bandwidth=\"1\"/></AdaptationSet></Period></MPD>",
        runs.iter().map(run).collect::<String>()
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_timeline_is_too_strange(
        runs in prop::collection::vec((prop::option::of(0_u64..2000), 1_u64..500, -1_i64..40), 0..8),
        huge in prop::option::of((0..u64::MAX / 4, 1..u64::MAX / 4)),
    ) {
        let mut runs = runs;
        runs.extend(huge.map(|(at, duration)| (Some(at), duration, i64::MAX / 4)));
        let mpd = Mpd::parse(&listed_by(&runs), URL).unwrap();
        let offer = mpd.offer().unwrap();
        let playlist = segments(listing(&mpd, &offer.choices[0], 0.0, &[]));
        for segment in &playlist.segments {
            prop_assert!(segment.duration >= 0.0);
            prop_assert!(segment.date_time_ms.unwrap() <= 100_000.0);
        }
    }

    #[test]
    fn no_manifest_is_too_strange(
        which in 0_usize..7,
        cut in any::<prop::sample::Index>(),
        number in "-?[0-9]{0,20}",
        now_ms in 0.0..1e14,
    ) {
        let all = [FFMPEG_LIST, FFMPEG_REGULAR, FFMPEG_TIMELINE, SHAKA_INDEXED, SHAKA_LIVE, GROWING, NESTED];
        let text = all[which];
        // One of the numbers becomes another.
        let digits: Vec<usize> = text.bytes().enumerate().filter(|(_, b)| b.is_ascii_digit()).map(|(at, _)| at).collect();
        let at = *cut.get(&digits);
        let rest = text[at..].trim_start_matches(|c: char| c.is_ascii_digit());
        let changed = [&text[..at], &number, rest].concat();
        if let Ok(mpd) = Mpd::parse(&changed, URL)
            && let Ok(offer) = mpd.offer()
        {
            for choice in &offer.choices {
                let _ = listing(&mpd, choice, now_ms, &[]);
            }
        }
        let _ = Mpd::parse(&text[..at], URL);
    }
}
