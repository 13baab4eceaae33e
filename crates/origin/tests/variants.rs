//! Forms of lists and answers: for devices and ceilings, in encodings, rendered once for all who
//! ask; and how far a live rendition has come.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of #[test] functions"
)]

mod support;

use std::io::Read;

use futures_util::future::join_all;
use support::{
    Answer, TestOrigin,
    encoder::{Encoder, GOP},
};
use weir_model::VideoId;
use weir_origin::origin::Config;

/// A broadcast of 720 and of 144 lines, one picture into its fifth segment.
async fn two_sizes(weir: &TestOrigin) -> (VideoId, Encoder) {
    let (video, _) = weir.create_video().await;
    let mut encoder = Encoder::begin_in_two_sizes(weir.publish(video).await).await;
    encoder.send(4 * GOP + 1).await;
    for rendition in ["source", "source-2", "audio"] {
        let path = format!("/v/{video}/{rendition}/index.m3u8");
        weir.get_until(&path, |answer| {
            answer.status == 200 && answer.text().contains("/3.m4s")
        })
        .await;
    }
    (video, encoder)
}

fn decoded(answer: &Answer) -> String {
    let mut text = String::new();
    match answer.header("content-encoding") {
        "gzip" => {
            let mut decoder = flate2::read::GzDecoder::new(&*answer.body);
            decoder.read_to_string(&mut text).unwrap();
        }
        "br" => {
            let mut decoder = brotli::Decompressor::new(&*answer.body, 4096);
            decoder.read_to_string(&mut text).unwrap();
        }
        _ => answer.text().clone_into(&mut text),
    }
    text
}

#[tokio::test]
async fn a_position_is_rendered_once_and_compressed_once_for_all_who_ask() {
    const POPS: usize = 300;
    let weir = TestOrigin::start().await;
    let (video, mut encoder) = two_sizes(&weir).await;
    let kinds = [("playlist", ""), ("delta", "&_HLS_skip=YES")];
    let encodings = ["identity", "gzip", "br"];
    let mut before = Vec::new();
    for (kind, _) in kinds {
        for encoding in encodings {
            before.push(weir.renders(kind, encoding).await);
        }
    }

    // All of them wait for the next segment, in every form.
    let path = |skip: &str| format!("/v/{video}/source/index.m3u8?_HLS_msn=4{skip}");
    let asked = (0..POPS).map(|n| {
        let (path, encoding) = (path(kinds[n % 2].1), encodings[n / 2 % 3]);
        let weir = &weir;
        async move { weir.get_as(&path, encoding).await }
    });
    let (answers, ()) = tokio::join!(join_all(asked), encoder.send(GOP));
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let expected = ["", "gzip", "br"][n / 2 % 3];
        assert_eq!(answer.header("content-encoding"), expected);
        assert_eq!(answer.header("vary"), "accept-encoding");
        assert_eq!(answer.header("cache-control"), "public, max-age=24");
        let same = &answers[n % 2];
        assert_eq!(decoded(answer), same.text(), "{n}");
        assert!(same.text().contains("/source/4.m4s"));
    }
    // What comes later is the first rendering still.
    encoder.send(GOP / 2).await;
    let late = weir.get_as(&path(""), "br").await;
    assert_eq!(late.header("etag"), answers[4].header("etag"));

    let mut before = before.into_iter();
    for (kind, _) in kinds {
        for encoding in encodings {
            let rendered = weir.renders(kind, encoding).await - before.next().unwrap();
            assert_eq!(rendered, 1, "{kind} {encoding}");
        }
    }
}

#[tokio::test]
async fn an_entity_tag_is_of_one_encoding() {
    let weir = TestOrigin::start().await;
    let (video, _encoder) = two_sizes(&weir).await;
    let path = format!("/v/{video}/source/index.m3u8");
    let mut tags = Vec::new();
    for encoding in ["identity", "gzip", "br"] {
        let first = weir.get_as(&path, encoding).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.len() > 30 && !tags.contains(&tag), "{tag}");
        let again = [("accept-encoding", encoding), ("if-none-match", &tag)];
        let viewer = weir.origin.viewer_address();
        let again = weir
            .send(viewer, http::Method::GET, &path, None, &again)
            .await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), tag);
        tags.push(tag);
    }
}

#[tokio::test]
async fn lists_hold_what_a_device_and_a_ceiling_allow() {
    let weir = TestOrigin::start().await;
    let (video, mut encoder) = two_sizes(&weir).await;
    encoder.send(8 * GOP).await;
    let manifest = format!("/v/{video}/manifest.mpd");
    weir.get_until(&manifest, |answer| answer.status == 200)
        .await;
    for list in ["index.m3u8", "dvr.m3u8", "manifest.mpd"] {
        // (query, whether 720 lines are in it, whether 144 are)
        for (query, tall, small) in [
            ("", true, true),
            ("?device=phone", true, true),
            ("?max=720", true, true),
            ("?max=719", false, true),
            ("?device=tv&max=144", false, true),
            // The smallest stays.
            ("?device=phone&max=1", false, true),
        ] {
            let answer = weir.get(&format!("/v/{video}/{list}{query}")).await;
            assert_eq!(answer.status, 200, "{list}{query}");
            let text = answer.text();
            let has = |name: &str| {
                text.contains(&format!("\n{name}/")) || text.contains(&format!("id=\"{name}\""))
            };
            assert_eq!(has("source"), tall, "{list}{query}: {text}");
            assert_eq!(has("source-2"), small, "{list}{query}: {text}");
            assert!(text.contains("audio"), "{list}{query}: {text}");
        }
        let refused = weir.get(&format!("/v/{video}/{list}?max=tall")).await;
        refused.assert_problem(400, "invalid_query");
    }

    for playlist in ["index.m3u8", "dvr.m3u8", "iframes.m3u8"] {
        let source = format!("/v/{video}/source/{playlist}");
        weir.get(&format!("{source}?max=480"))
            .await
            .assert_problem(403, "above_ceiling");
        assert_eq!(weir.get(&format!("{source}?max=720")).await.status, 200);
        let small = format!("/v/{video}/source-2/{playlist}?max=1");
        assert_eq!(weir.get(&small).await.status, 200);
    }
    let sound = format!("/v/{video}/audio/index.m3u8?max=1");
    assert_eq!(weir.get(&sound).await.status, 200);
}

#[tokio::test]
async fn equal_ceilings_share_one_rendering() {
    let weir = TestOrigin::start().await;
    let (video, _encoder) = two_sizes(&weir).await;
    let before = weir.renders("multivariant", "identity").await;
    let queries = [
        "?max=1080",
        "?device=phone",
        "?device=tv&max=1080",
        "?device=phone&max=2160",
    ];
    let asked = (0..200).map(|n| {
        let path = format!("/v/{video}/index.m3u8{}", queries[n % queries.len()]);
        let weir = &weir;
        async move { weir.get(&path).await }
    });
    let answers = join_all(asked).await;
    assert!(answers.iter().all(|a| a.body == answers[0].body));
    assert_eq!(weir.renders("multivariant", "identity").await - before, 1);
}

#[tokio::test]
async fn answers_tell_points_of_presence_how_far_a_rendition_has_come() {
    const EDGE: &str = "weir-live-edge";
    let weir = TestOrigin::start().await;
    let (video, mut encoder) = two_sizes(&weir).await;
    let playlist = format!("/v/{video}/source/index.m3u8");
    let edge = weir.get(&playlist).await.header(EDGE).to_owned();
    assert_eq!(edge, "4.0");
    for media in ["1/source/3.m4s", "1/source/3.0.m4s", "1/source/dash-3.m4s"] {
        let answer = weir.get(&format!("/v/{video}/{media}")).await;
        assert_eq!((answer.status.as_u16(), answer.header(EDGE)), (200, "4.0"));
    }
    // Refusals tell it too: whoever is refused was wrong about it.
    let far = weir.get(&format!("{playlist}?_HLS_msn=6")).await;
    far.assert_problem(400, "position_too_far_ahead");
    assert_eq!(far.header(EDGE), "4.0");
    // Media beyond what is hinted is not waited for.
    for media in [
        "1/source/4.1.m4s",
        "1/source/5.0.m4s",
        "1/source/4.m4s",
        "1/source/900.m4s",
    ] {
        let began = tokio::time::Instant::now();
        let answer = weir.get(&format!("/v/{video}/{media}")).await;
        answer.assert_problem(404, "media_not_found");
        assert_eq!(answer.header(EDGE), "4.0");
        assert!(
            began.elapsed() < support::PATIENCE / 8,
            "{media} was waited for"
        );
    }
    for other in ["index.m3u8", "manifest.mpd", "1/source/init-0.mp4"] {
        assert_eq!(
            weir.get(&format!("/v/{video}/{other}")).await.header(EDGE),
            ""
        );
    }

    // A part of 350 ms at most needs 9 pictures of 24 a second.
    encoder.send(18).await;
    let further = weir.get_until(&playlist, |answer| answer.header(EDGE) != edge);
    let further: weir_model::LiveEdge = further.await.header(EDGE).parse().unwrap();
    assert!(further > edge.parse().unwrap());

    weir.end(video).await;
    weir.get_until(&playlist, |answer| answer.text().contains("ENDLIST"))
        .await;
    assert_eq!(weir.get(&playlist).await.header(EDGE), "");
}

#[tokio::test]
async fn answers_of_the_api_are_compressed_once() {
    let weir = TestOrigin::start().await;
    for _ in 0..20 {
        weir.create_video().await;
    }
    let path = "/api/v1/videos?limit=100";
    let asked = (0..100).map(|n| weir.get_as(path, ["gzip", "br", "identity"][n % 3]));
    let answers = join_all(asked).await;
    for answer in &answers {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("cache-control"), "public, max-age=1");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(decoded(answer), answers[2].text());
    }
    for encoding in ["gzip", "br", "identity"] {
        assert_eq!(weir.renders("json", encoding).await, 1, "{encoding}");
    }
    // Whoever asks after a change gets what is new.
    let (video, _) = weir.create_video().await;
    let answer = weir.get_as(path, "br").await;
    assert!(decoded(&answer).contains(video.as_str()));
    weir.get_as("/api/v1/videos?limit=1000", "br")
        .await
        .assert_problem(400, "invalid_query");
}

#[tokio::test]
async fn lists_name_the_steering_server_if_they_are_to() {
    const HLS: &str = "#EXT-X-CONTENT-STEERING:SERVER-URI=\"steering.json\",PATHWAY-ID=\".\"\n";
    const DASH: &str = " <BaseURL serviceLocation=\".\">./</BaseURL>\n \
        <ContentSteering defaultServiceLocation=\".\">steering.json</ContentSteering>\n";
    for steering in [false, true] {
        let data = tempfile::tempdir().unwrap();
        let config = Config {
            steering,
            ..Config::new(data.path().to_owned())
        };
        let weir = TestOrigin::start_with(data, config).await;
        let (video, mut encoder) = two_sizes(&weir).await;
        encoder.send(8 * GOP).await;
        for (list, tag) in [
            ("index.m3u8", HLS),
            ("dvr.m3u8", HLS),
            ("manifest.mpd", DASH),
        ] {
            let path = format!("/v/{video}/{list}");
            let answer = weir.get_until(&path, |answer| answer.status == 200).await;
            assert_eq!(answer.text().contains(tag), steering, "{}", answer.text());
        }
        weir.end(video).await;
        weir.wait_until_recorded(video).await;
        for (list, tag) in [("index.m3u8", HLS), ("manifest.mpd", DASH)] {
            let answer = weir.get(&format!("/v/{video}/{list}")).await;
            assert_eq!(answer.text().contains(tag), steering, "{}", answer.text());
        }
    }
}
