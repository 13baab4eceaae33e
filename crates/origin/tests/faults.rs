//! Disks and stores that fail: live goes on, and what was lost is a gap, not a lie.

mod support;

use std::{fs, sync::Arc};

use support::{
    PATIENCE, TestOrigin,
    encoder::{Encoder, GOP, picture_numbers},
    listed,
};
use weir_ingest::rtmp::Refusal;
use weir_media::live::{LiveConfig, PositionAnswer};
use weir_model::{Epoch, Lane, Msn, PlaylistPosition};
use weir_origin::{
    archive::Shelf,
    broadcast::{Broadcast, Surroundings, intake},
    clock::Clock,
    journal::Journal,
    metrics::Metrics,
    rtmp::Publishers,
    spool::Spool,
};

#[tokio::test]
async fn object_storage_that_is_away_holds_nothing_up_and_gets_all_of_it_later() {
    let weir = TestOrigin::start().await;
    let in_the_way = weir.data.path().join("objects/videos");
    fs::write(&in_the_way, "a file where a folder should be").unwrap();
    let (video, _) = weir.create_video().await;
    let mut encoder = Encoder::begin(weir.publish(video).await).await;
    encoder.send(12 * GOP).await;
    let path = format!("/v/{video}/source/index.m3u8");
    let live = weir
        .get_until(&path, |answer| listed(&path, answer.text()).len() >= 11)
        .await;
    for address in listed(&path, live.text()) {
        assert_eq!(weir.get(&address).await.status, 200, "{address}");
    }
    // The span is closed, and made of what is in the spool.
    let frames = format!("/api/v1/videos/{video}/frames?offset=0");
    let found = weir.get_until(&frames, |answer| answer.status == 307).await;
    assert_eq!(weir.get(found.header("location")).await.status, 200);
    weir.end(video).await;
    weir.get_until(&path, |answer| answer.text().ends_with("#EXT-X-ENDLIST\n"))
        .await;

    fs::remove_file(in_the_way).unwrap();
    weir.wait_until_recorded(video).await;
    let recording = format!("/v/{video}/source/recording.m3u8");
    let playlist = weir.get(&recording).await;
    let mut pictures = Vec::new();
    for address in listed(&recording, playlist.text()) {
        pictures.extend(picture_numbers(&weir.get(&address).await.body));
    }
    assert_eq!(pictures, (0..12 * GOP).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_spool_that_fails_makes_gaps_in_the_recording_and_none_in_live() {
    let weir = TestOrigin::start().await;
    let (video, _) = weir.create_video().await;
    let in_the_way = weir.data.path().join("spool").join(video.as_str());
    fs::write(&in_the_way, "a file where a folder should be").unwrap();
    let mut encoder = Encoder::begin(weir.publish(video).await).await;
    encoder.send(4 * GOP + 1).await;
    let path = format!("/v/{video}/source/index.m3u8");
    let live = weir
        .get_until(&path, |answer| listed(&path, answer.text()).len() >= 4)
        .await;
    assert!(!live.text().contains("#EXT-X-GAP"), "{}", live.text());
    for address in listed(&path, live.text()) {
        assert_eq!(weir.get(&address).await.status, 200, "{address}");
    }
    let not_durable = "weir_origin_segments_not_durable_total";
    let operator = weir.origin.operator_address();
    let metrics = weir
        .send(operator, http::Method::GET, "/metrics", None, &[])
        .await;
    let line = metrics
        .text()
        .lines()
        .find(|line| line.starts_with(not_durable))
        .unwrap();
    assert_ne!(line, format!("{not_durable} 0"));
}

#[tokio::test]
async fn a_video_whose_journal_cannot_be_read_is_refused() {
    let weir = TestOrigin::start().await;
    let (video, _) = weir.create_video().await;
    fs::create_dir(weir.data.path().join(format!("journal/{video}.jsonl"))).unwrap();
    // Without it, names could be given twice.
    let refused = weir.origin.registry().publish(video, Lane::Primary).await;
    assert_eq!(refused.err(), Some(Refusal::Unavailable));
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_does_not_stop_live() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("journal");
    let surroundings = Surroundings {
        clock: Clock::anchored(),
        journal: Arc::new(Journal::open(&folder).unwrap()),
        spool: Arc::new(Spool::open(&data.path().join("spool")).unwrap()),
        transcoder: None,
        slate: None,
        live: LiveConfig::default(),
        metrics: Metrics::default(),
    };
    fs::remove_dir(folder).unwrap();
    let video = "oabcdefghijk".parse().unwrap();
    let shelf = Arc::new(Shelf::empty(video));
    let broadcast = Broadcast::start(surroundings.clone(), video, Epoch(1), None, shelf);
    let mut encoder = Encoder::begin(intake::open(broadcast.clone(), Lane::Primary)).await;
    encoder.send(4 * GOP + 1).await;
    let mut changes = broadcast.changes();
    let source = "source".parse().unwrap();
    let fourth = PlaylistPosition {
        msn: Msn(3),
        part: None,
    };
    let listed = async {
        while !matches!(
            broadcast.reaches(source, fourth),
            PositionAnswer::Reached(_) | PositionAnswer::Passed
        ) {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, listed)
        .await
        .expect("four segments");
    assert!(surroundings.metrics.reservations_not_durable.get() >= 4);
    broadcast.close();
}
