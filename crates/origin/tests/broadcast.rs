//! One video from an encoder's units to playlists, segments, spans and a recording.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of #[test] functions"
)]

mod support;

use std::time::Duration;

use http::Method;
use serde_json::json;
use support::{
    TestOrigin,
    encoder::{Encoder, GOP, picture_numbers},
    listed,
};
use weir_media::fmp4::read::fragments;
use weir_model::VideoId;

/// Waits until the source's playlist lists `segments` segments.
async fn wait_for_segments(weir: &TestOrigin, video: VideoId, segments: usize) -> String {
    let path = format!("/v/{video}/source/index.m3u8");
    let answer = weir.get_until(&path, |answer| {
        answer.status == 200 && listed(&path, answer.text()).len() >= segments
    });
    answer.await.text().to_owned()
}

#[tokio::test]
async fn live_playlists_lead_to_every_picture() {
    let weir = TestOrigin::start().await;
    let (video, _) = weir.create_video().await;
    let mut encoder = Encoder::begin(weir.publish(video).await).await;
    encoder.send(5 * GOP + 1).await;
    let playlist = wait_for_segments(&weir, video, 5).await;

    let multivariant = weir.get(&format!("/v/{video}/index.m3u8")).await;
    assert_eq!(
        multivariant.header("content-type"),
        "application/vnd.apple.mpegurl"
    );
    assert_eq!(multivariant.header("cache-control"), "public, max-age=1");
    assert!(
        multivariant.text().contains("source/index.m3u8"),
        "{}",
        multivariant.text()
    );
    assert!(
        multivariant.text().contains("audio/index.m3u8"),
        "{}",
        multivariant.text()
    );

    let mut pictures = Vec::new();
    for address in listed(&format!("/v/{video}/source/index.m3u8"), &playlist) {
        let segment = weir.get(&address).await;
        assert_eq!(segment.status, 200, "{address}");
        assert_eq!(segment.header("content-type"), "video/mp4");
        assert_eq!(
            segment.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(
            segment.header("content-length"),
            segment.body.len().to_string()
        );
        pictures.extend(picture_numbers(&segment.body));
    }
    assert_eq!(pictures, (0..5 * GOP).collect::<Vec<_>>());

    let audio_path = format!("/v/{video}/audio/index.m3u8");
    let audio = weir.get(&audio_path).await;
    let first = listed(&audio_path, audio.text()).remove(0);
    assert_eq!(weir.get(&first).await.header("content-type"), "audio/mp4");

    let read = weir.get(&format!("/api/v1/videos/{video}")).await.json();
    assert_eq!(read["state"], "live");
    assert_eq!(read["epoch"], 1);
}

#[tokio::test]
async fn parts_add_up_to_their_segment() {
    let weir = TestOrigin::start().await;
    let (video, _) = weir.create_video().await;
    let mut encoder = Encoder::begin(weir.publish(video).await).await;
    encoder.send(2 * GOP + 1).await;
    let playlist = wait_for_segments(&weir, video, 2).await;
    let path = format!("/v/{video}/source/index.m3u8");
    for address in listed(&path, &playlist) {
        let stem = address.strip_suffix(".m4s").unwrap();
        let mut joined = Vec::new();
        for part in 0.. {
            let part = weir.get(&format!("{stem}.{part}.m4s")).await;
            if part.status != 200 {
                part.assert_problem(404, "media_not_found");
                break;
            }
            joined.extend_from_slice(&part.body);
        }
        assert_eq!(joined, weir.get(&address).await.body, "{address}");
    }
}

#[tokio::test]
async fn a_position_is_waited_for_and_one_too_far_ahead_is_refused() {
    let weir = TestOrigin::start().await;
    let (video, _) = weir.create_video().await;
    let mut encoder = Encoder::begin(weir.publish(video).await).await;
    encoder.send(2 * GOP + 1).await;
    wait_for_segments(&weir, video, 2).await;
    let path = format!("/v/{video}/source/index.m3u8");

    weir.get(&format!("{path}?_HLS_msn=99"))
        .await
        .assert_problem(400, "position_too_far_ahead");
    weir.get(&format!("{path}?_HLS_part=1"))
        .await
        .assert_problem(400, "invalid_query");
    weir.get(&format!("{path}?_HLS_msn=x"))
        .await
        .assert_problem(400, "invalid_query");

    let position = format!("{path}?_HLS_msn=3");
    let (answer, ()) = tokio::join!(weir.get(&position), async {
        // The request is on its way or waiting; either way it comes before the segment.
        encoder.send(2 * GOP).await;
    });
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("/source/3.m4s"), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "public, max-age=24");
}

#[tokio::test]
async fn an_ended_broadcast_becomes_a_recording_that_survives() {
    const PICTURES: u32 = 16 * GOP;
    let weir = TestOrigin::start().await;
    let (video, key) = weir.create_video().await;
    let mut encoder = Encoder::begin(weir.publish(video).await).await;
    encoder.send(PICTURES).await;
    wait_for_segments(&weir, video, 15).await;
    weir.end(video).await;
    weir.wait_until_recorded(video).await;

    let live = weir.get(&format!("/v/{video}/source/index.m3u8")).await;
    assert!(live.text().ends_with("#EXT-X-ENDLIST\n"), "{}", live.text());
    assert_eq!(
        weir.get(&format!("/api/v1/videos/{video}")).await.json()["state"],
        "recorded"
    );
    check_recording(&weir, video, PICTURES).await;
    let spool = weir.data.path().join("spool").join(video.as_str());
    assert!(
        !spool.exists(),
        "what is in object storage leaves the spool"
    );

    let image = weir.crash_image();
    let again = TestOrigin::start_on(image, Duration::from_secs(30)).await;
    check_recording(&again, video, PICTURES).await;
    again
        .get(&format!("/v/{video}/source/index.m3u8"))
        .await
        .assert_problem(404, "media_not_found");
    let refused = again.origin.registry();
    let authorised = weir_origin::rtmp::Publishers::authorize(refused, &key.into()).await;
    assert_eq!(authorised, Err(weir_ingest::rtmp::Refusal::VideoEnded));
}

/// The recording's playlist and its spans both hold every picture once, in order, and the spans
/// hold the very samples of the segments.
async fn check_recording(weir: &TestOrigin, video: VideoId, pictures: u32) {
    let all: Vec<u32> = (0..pictures).collect();
    let path = format!("/v/{video}/source/recording.m3u8");
    let playlist = weir.get(&path).await;
    assert_eq!(playlist.status, 200, "{}", playlist.text());
    assert_eq!(playlist.header("cache-control"), "public, max-age=3600");
    let mut from_segments = Vec::new();
    for address in listed(&path, playlist.text()) {
        let segment = weir.get(&address).await;
        assert_eq!(segment.status, 200, "{address}");
        from_segments.extend(picture_numbers(&segment.body));
    }
    assert_eq!(from_segments, all);

    let mut from_spans = Vec::new();
    let mut offset = "0".to_owned();
    let mut end = 0.0;
    loop {
        let path = format!("/api/v1/videos/{video}/frames?device=desktop&offset={offset}");
        let found = weir.get(&path).await;
        assert_eq!(found.status, 307, "{path}: {}", found.text());
        let seconds = |name| found.header(name).parse::<f64>().unwrap();
        assert!(
            (seconds("weir-span-start") - end).abs() < 0.002,
            "{path}: {end}"
        );
        end = seconds("weir-span-start") + seconds("weir-span-duration");
        let span = weir.get(found.header("location")).await;
        assert_eq!(span.status, 200, "{}", found.header("location"));
        assert_eq!(
            span.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        from_spans.extend(picture_numbers(&span.body));

        let chunks = fragments(&span.body).unwrap();
        let first = chunks.iter().filter(|chunk| chunk.track_id == 1);
        let first = first
            .map(|chunk| chunk.base_media_decode_time)
            .min()
            .unwrap();
        assert!(first < 90_000 / 20, "the span begins at {first} ticks");
        assert!(
            chunks.iter().any(|chunk| chunk.track_id == 2),
            "no sound in {path}"
        );
        let again = weir.get(found.header("location")).await;
        assert_eq!(again.body, span.body, "the same name, the same bytes");

        offset = found.header("weir-next-offset").to_owned();
        if offset.is_empty() {
            break;
        }
    }
    assert_eq!(from_spans, all);
    assert!(
        (end - f64::from(pictures) / 24.0).abs() < 0.05,
        "the walk ended at {end} s"
    );
}

#[tokio::test]
async fn spans_close_while_the_video_is_on_air() {
    let weir = TestOrigin::start().await;
    let (video, _) = weir.create_video().await;
    let mut encoder = Encoder::begin(weir.publish(video).await).await;
    encoder.send(12 * GOP + 1).await;
    wait_for_segments(&weir, video, 12).await;
    let path = format!("/api/v1/videos/{video}/frames?offset=12&device=phone");
    let found = weir.get_until(&path, |answer| answer.status == 307).await;
    assert_eq!(found.header("weir-span-start"), "10.000");
    assert_eq!(found.header("weir-span-duration"), "10.000");
    assert_eq!(found.header("weir-next-offset"), "20.000");
    let span = weir.get(found.header("location")).await;
    assert_eq!(
        picture_numbers(&span.body),
        (5 * GOP..10 * GOP).collect::<Vec<_>>()
    );
    let later = weir
        .get(&format!("/api/v1/videos/{video}/frames?offset=23"))
        .await;
    later.assert_problem(404, "media_not_found");
}

#[tokio::test]
async fn a_crash_begins_a_new_epoch_and_no_name_gets_other_bytes() {
    let weir = TestOrigin::start().await;
    let (video, _) = weir.create_video().await;
    let mut encoder = Encoder::begin(weir.publish(video).await).await;
    encoder.send(8 * GOP + 20).await;
    let before = wait_for_segments(&weir, video, 8).await;
    let path = format!("/v/{video}/source/index.m3u8");
    let segments = listed(&path, &before);
    // Durable, so that a crash keeps it.
    let spool = weir.data.path().join(format!("spool/{video}/1/source"));
    let last = segments
        .last()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    weir.get_until("/healthz", |_| spool.join(&last).exists())
        .await;
    let frames = format!("/api/v1/videos/{video}/frames?offset=0");
    weir.get_until(&frames, |answer| answer.status == 307).await;
    let image = wait_for_journal(&weir, video, &last).await;

    let again = TestOrigin::start_on(image, Duration::from_secs(30)).await;
    let read = again.get(&format!("/api/v1/videos/{video}")).await.json();
    assert_eq!(read["epoch"], 2);
    assert_eq!(read["state"], "away");
    for address in &segments {
        let (old, new) = (weir.get(address).await, again.get(address).await);
        assert_eq!(new.status, 200, "{address}");
        assert_eq!(old.body, new.body, "{address}");
    }

    let mut encoder = Encoder::begin(again.publish(video).await).await;
    encoder.send(4 * GOP + 1).await;
    let after = again
        .get_until(&path, |answer| {
            let text = answer.text();
            text.contains("/2/source/") && text.contains("#EXT-X-DISCONTINUITY\n")
        })
        .await;
    let sequence = |playlist: &str| -> u64 {
        let tag = playlist
            .lines()
            .find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
        tag.unwrap().parse().unwrap()
    };
    assert!(sequence(after.text()) >= sequence(&before));
    again.end(video).await;
    again.wait_until_recorded(video).await;
    let recording = format!("/v/{video}/source/recording.m3u8");
    let playlist = again.get(&recording).await;
    let mut epochs = Vec::new();
    for address in listed(&recording, playlist.text()) {
        let gap = playlist.text().contains(&format!(
            "#EXT-X-GAP\n#EXTINF:2.00000,\n..{}",
            address.strip_prefix(&format!("/v/{video}")).unwrap()
        ));
        let status = again.get(&address).await.status;
        assert!(status == 200 || gap || status == 404, "{address}: {status}");
        epochs.push(address.split('/').nth(3).unwrap().to_owned());
    }
    epochs.dedup();
    assert_eq!(epochs, ["1", "2"], "{}", playlist.text());
}

/// A crash image whose journal knows the segment `file` of every rendition.
async fn wait_for_journal(weir: &TestOrigin, video: VideoId, file: &str) -> tempfile::TempDir {
    let msn: u64 = file.strip_suffix(".m4s").unwrap().parse().unwrap();
    let journal = weir.data.path().join(format!("journal/{video}.jsonl"));
    weir.get_until("/healthz", |_| {
        let text = std::fs::read_to_string(&journal).unwrap();
        let of_msn =
            |line: &&str| line.contains("segment") && line.contains(&format!("\"msn\":{msn},"));
        text.lines().filter(of_msn).count() >= 2
    })
    .await;
    weir.crash_image()
}

#[tokio::test]
async fn an_encoder_that_left_may_come_back_and_one_that_stays_away_ends_the_video() {
    let data = tempfile::tempdir().unwrap();
    let weir = TestOrigin::start_on(data, Duration::from_secs(3)).await;
    let (video, _) = weir.create_video().await;
    let mut encoder = Encoder::begin(weir.publish(video).await).await;
    encoder.send(3 * GOP).await;
    wait_for_segments(&weir, video, 2).await;
    drop(encoder);
    let api = format!("/api/v1/videos/{video}");
    weir.get_until(&api, |answer| answer.json()["state"] == "away")
        .await;
    let mut encoder = Encoder::begin(weir.publish(video).await).await;
    encoder.send(3 * GOP).await;
    weir.get_until(&api, |answer| answer.json()["state"] == "live")
        .await;
    drop(encoder);
    weir.get_until(&api, |answer| answer.json()["state"] == "recorded")
        .await;
    weir.wait_until_recorded(video).await;
}

#[tokio::test]
async fn an_encoder_that_sends_nothing_begins_nothing() {
    let weir = TestOrigin::start().await;
    let (video, _) = weir.create_video().await;
    let api = format!("/api/v1/videos/{video}");
    let encoder = Encoder::begin(weir.publish(video).await).await;
    assert_eq!(weir.get(&api).await.json()["state"], "waiting");
    drop(encoder);
    // Another life of the origin goes on waiting for media.
    let again = TestOrigin::start_on(weir.crash_image(), Duration::ZERO).await;
    assert_eq!(again.get(&api).await.json()["state"], "waiting");
    let mut encoder = Encoder::begin(again.publish(video).await).await;
    encoder.send(3 * GOP).await;
    wait_for_segments(&again, video, 2).await;
    assert_eq!(again.get(&api).await.json()["state"], "live");
}

#[tokio::test]
async fn comments_events_and_statistics_answer_on_the_viewer_plane() {
    let weir = TestOrigin::start().await;
    let (video, _) = weir.create_video().await;
    let viewer = weir.origin.viewer_address();
    let body = json!({ "author": "Ada", "text": "hello" })
        .to_string()
        .into_bytes();
    let path = format!("/api/v1/videos/{video}/comments");
    let posted = weir
        .send(
            viewer,
            Method::POST,
            &path,
            Some(("application/json", body)),
            &[],
        )
        .await;
    assert_eq!(posted.status, 201, "{}", posted.text());
    assert_eq!(weir.get(&path).await.json()["total"], 1);
    let stats = weir
        .get(&format!(
            "/api/v1/stats?video={video}&event=view&function=count"
        ))
        .await;
    assert!(
        stats.status == 200 || stats.status == 400,
        "{}",
        stats.text()
    );
}
