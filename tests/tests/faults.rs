//! Things that end without being asked to: the encoder, the transcoder, the server.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use weir_model::{VideoId, WallTime};
use weir_tests::{
    Encoder, Weir, built, eventually,
    playlist::{self, MediaPlaylist, Segment},
    probe::{self, MediaFile},
    process,
    wait::PATIENCE,
};

const PART_MS: f64 = 350.0;
const RENDITIONS: [&str; 3] = ["source", "480p", "audio"];

async fn segments(weir: &Weir, id: VideoId, rendition: &str) -> Vec<Segment> {
    MediaPlaylist::live(weir.viewer(), id, rendition)
        .await
        .segments()
}

fn gaps(segments: &[Segment]) -> Vec<u64> {
    segments
        .iter()
        .filter(|segment| segment.gap)
        .map(|segment| segment.msn)
        .collect()
}

fn discontinuities(segments: &[Segment]) -> Vec<u64> {
    segments
        .iter()
        .filter(|segment| segment.discontinuity)
        .map(|segment| segment.msn)
        .collect()
}

/// Waits until every rendition has `count` segments with media from `msn` on.
async fn wait_for_media_after(weir: &Weir, id: VideoId, msn: u64, count: usize) {
    for rendition in RENDITIONS {
        let what = format!("{count} segments of {rendition} from {msn} on");
        eventually(&what, PATIENCE, async || {
            let segments = segments(weir, id, rendition).await;
            let with_media = |segment: &&Segment| segment.msn >= msn && !segment.gap;
            (segments.iter().filter(with_media).count() >= count).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_encoder_that_comes_back_goes_on_after_one_discontinuity() {
    let options = weir_tests::WeirOptions {
        args: ["--slate", "none"].map(str::to_owned).to_vec(),
        ..weir_tests::WeirOptions::default()
    };
    let weir = Weir::start_with(options).await;
    let created = weir.create_video("reconnect").await;
    let (id, key) = (created.video.id, &created.stream_key);
    let film = built::film();
    let mut encoder = Encoder::ffmpeg_looped(&film, weir.rtmp_url(), key);
    weir.wait_until_live(id, &RENDITIONS, 2).await;
    encoder.kill();

    // While it is away a GAP comes every 2 s, on time.
    let away = eventually("two gaps", PATIENCE, async || {
        let segments = segments(&weir, id, "source").await;
        (gaps(&segments).len() >= 2).then_some(segments)
    })
    .await;
    let last = away.last().unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let end = last.program_date_time_ms.unwrap() as f64 / 1000.0 + last.duration;
    let late = now.as_secs_f64() - end;
    assert!(
        (-0.5..15.0).contains(&late),
        "the last gap ended {late:.1} s ago"
    );

    let _encoder = Encoder::ffmpeg_looped(&film, weir.rtmp_url(), key);
    wait_for_media_after(&weir, id, last.msn + 1, 2).await;

    let mut seen = BTreeMap::new();
    for rendition in RENDITIONS {
        let segments = segments(&weir, id, rendition).await;
        assert_eq!(discontinuities(&segments).len(), 1, "{rendition}");
        // Time goes on over the hole, and never back.
        for pair in segments.windows(2) {
            let [a, b] = pair else {
                unreachable!("windows of two")
            };
            let (from, to) = (
                a.program_date_time_ms.unwrap(),
                b.program_date_time_ms.unwrap(),
            );
            let expected = from as f64 + a.duration * 1000.0;
            let error = (to as f64 - expected).abs();
            // A hole begins and ends with whole pictures and whole audio frames.
            let allowed = if a.gap || b.gap { PART_MS } else { 50.0 };
            assert!(error < allowed, "{rendition} {}: {error:.0} ms off", b.msn);
        }
        seen.insert(rendition, (gaps(&segments), discontinuities(&segments)));
    }
    assert_eq!(
        seen["480p"].1, seen["source"].1,
        "one discontinuity for all"
    );
    assert_eq!(seen["audio"], seen["source"]);
    // A rendition may miss the segment that was being made when the encoder went.
    assert!(
        seen["source"]
            .0
            .iter()
            .all(|msn| seen["480p"].0.contains(msn))
    );
    let segments = segments(&weir, id, "source").await;
    let epochs: BTreeSet<_> = segments
        .iter()
        .map(|segment| epoch_of(&segment.path))
        .collect();
    assert_eq!(epochs.len(), 1, "still the same life");
}

/// The epoch in a media path, `/v/{video}/{epoch}/…`.
fn epoch_of(path: &str) -> Option<u32> {
    path.split('/').nth(3)?.parse().ok()
}

#[tokio::test]
async fn a_killed_transcoder_leaves_a_short_gap_on_the_same_timeline() {
    let weir = Weir::start().await;
    let created = weir.create_video("transcoder").await;
    let id = created.video.id;
    let film = built::film();
    let _encoder = Encoder::ffmpeg_looped(&film, weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &RENDITIONS, 2).await;

    let children = weir.transcoders();
    let [child] = children[..] else {
        panic!("one transcoder, not {children:?}")
    };
    process::kill(child);
    let newest = segments(&weir, id, "source").await.last().unwrap().msn;
    // Far enough for the hole to be behind.
    wait_for_media_after(&weir, id, newest + 4, 1).await;

    let low = segments(&weir, id, "480p").await;
    let hole: f64 = low
        .iter()
        .filter(|segment| segment.gap && segment.msn >= newest)
        .map(|segment| segment.duration)
        .sum();
    // Of one segment, or of two where the next transcoder is long in coming.
    assert!(hole > 0.0 && hole < 3.0, "a hole of {hole:.2} s");
    assert_eq!(discontinuities(&low), [0; 0]);
    let source = segments(&weir, id, "source").await;
    assert_eq!(gaps(&source), [0; 0], "nothing else is missing");
    assert_eq!(gaps(&segments(&weir, id, "audio").await), [0; 0]);
    assert_ne!(weir.transcoders(), [child], "another took its place");

    // What comes after the hole lies where the source does.
    for after in low
        .iter()
        .filter(|segment| segment.msn > newest + 3 && !segment.gap)
    {
        let Some(same) = source.iter().find(|segment| segment.msn == after.msn) else {
            continue;
        };
        let mut first_pts = Vec::new();
        for segment in [same, after] {
            let body = weir.viewer().body(&segment.path).await;
            let media = [(segment.clone(), body)];
            let file = MediaFile::new("a.mp4", &playlist::join(weir.viewer(), &media).await);
            first_pts.push(probe::packets(file.path(), "v:0")[0].pts);
        }
        let error = (first_pts[0] - first_pts[1]).abs();
        assert!(error < 0.0015, "segment {} is {error:.4} s off", after.msn);
    }
}

#[tokio::test]
async fn a_killed_server_begins_a_new_epoch_and_keeps_what_it_published() {
    let mut weir = Weir::start().await;
    let created = weir.create_video("server").await;
    let (id, key) = (created.video.id, &created.stream_key);
    let film = built::film();
    let mut encoder = Encoder::ffmpeg_looped(&film, weir.rtmp_url(), key);
    weir.wait_until_live(id, &RENDITIONS, 3).await;
    let epoch = weir
        .video(id)
        .await
        .epoch
        .expect("a live video has an epoch");
    let mut published: BTreeMap<String, Bytes> = BTreeMap::new();
    let mut newest = 0;
    for rendition in RENDITIONS {
        let listed = segments(&weir, id, rendition).await;
        for segment in listed.into_iter().filter(|segment| !segment.gap) {
            newest = newest.max(segment.msn);
            for path in [segment.init, segment.path] {
                let body = weir.viewer().body(&path).await;
                published.insert(path, body);
            }
        }
    }

    weir.kill();
    encoder.kill();
    weir.restart().await;
    let _encoder = Encoder::ffmpeg_looped(&film, weir.rtmp_url(), key);
    wait_for_media_after(&weir, id, newest + 1, 2).await;

    let now = weir.video(id).await;
    assert!(now.epoch > Some(epoch), "{:?} after {epoch:?}", now.epoch);
    assert!(now.created_at > WallTime(0));
    for rendition in RENDITIONS {
        let segments = segments(&weir, id, rendition).await;
        let (old, new): (Vec<_>, Vec<_>) = segments
            .iter()
            .partition(|segment| epoch_of(&segment.path) == Some(epoch.0));
        let newest_old = old.iter().map(|segment| segment.msn).max();
        let oldest_new = new.iter().map(|segment| segment.msn).min();
        assert!(oldest_new > newest_old, "msn goes on in {rendition}");
        assert!(oldest_new > Some(newest) || newest_old.is_none_or(|old| old >= newest));
        let msns: Vec<u64> = segments.iter().map(|segment| segment.msn).collect();
        assert!(msns.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }
    for (path, body) in published {
        let again = weir.viewer().get(&path).await.expect_ok();
        assert_eq!(again.body, body, "{path} has other bytes now");
    }
}

#[tokio::test]
async fn an_encoder_that_stays_away_ends_the_broadcast() {
    let options = weir_tests::WeirOptions {
        reconnect_window: Duration::from_secs(3),
        ..weir_tests::WeirOptions::default()
    };
    let weir = Weir::start_with(options).await;
    let created = weir.create_video("away").await;
    let id = created.video.id;
    let film = built::film();
    let mut encoder = Encoder::ffmpeg_looped(&film, weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &RENDITIONS, 2).await;
    encoder.kill();
    for rendition in RENDITIONS {
        eventually("the live playlist ends", PATIENCE, async || {
            MediaPlaylist::live(weir.viewer(), id, rendition)
                .await
                .ended()
                .then_some(())
        })
        .await;
    }
}
