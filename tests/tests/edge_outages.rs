//! An origin that is away for half a minute: viewers go on, and nobody is hammered.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use hyper::StatusCode;
use weir_tests::{
    Encoder, Follower, PointOfPresence, PopOptions, Weir, WeirOptions, built, eventually,
    wire::{Weather, Wire},
};

/// How long anything may take that is not the outage itself.
const LONG: Duration = Duration::from_secs(90);
const OUTAGE: Duration = Duration::from_secs(30);
/// What a busy machine may take on top of anything.
const SLACK: Duration = Duration::from_secs(20);

#[tokio::test]
async fn viewers_outlast_an_origin_that_is_away_for_half_a_minute() {
    let args = ["--ladder", "none"].map(str::to_owned);
    let origin = Weir::start_with(WeirOptions {
        args: args.into(),
        apart: true,
        ..WeirOptions::default()
    })
    .await;
    let created = origin.create_video("outage").await;
    let id = created.video.id;
    let _encoder = Encoder::ffmpeg_looped(&built::film(), origin.rtmp_url(), &created.stream_key);
    let wire = Wire::to(origin.origin_url().unwrap()).await;
    let pop = PointOfPresence::start(PopOptions::of_origin(wire.url())).await;
    let viewers = ["source", "audio"].map(|rendition| Follower::start(pop.viewer(), id, rendition));
    for viewer in &viewers {
        viewer.further(2, LONG).await;
    }
    let multivariant = format!("/v/{id}/index.m3u8");
    let listed = pop.viewer().body(&multivariant).await;
    let seen = viewers[0].seen();
    let known = seen.segments.values().rfind(|segment| !segment.gap);
    let known = known.unwrap().path.clone();
    let segment = pop.viewer().body(&known).await;
    let asked = async || pop.metric("weir_pop_origin_requests_total", &[]).await;
    let is_up = async || {
        pop.metric("weir_pop_peer_up", &[("peer", wire.url())])
            .await
            == 1.0
    };

    wire.set(Weather::Cut);
    let cut = Instant::now();
    eventually("the origin counts as gone", LONG, async || {
        (!is_up().await).then_some(())
    })
    .await;
    let asked_when_gone = asked().await;
    // All the while the edge gives what it has, and the list of renditions though it is old.
    while cut.elapsed() < OUTAGE {
        assert_eq!(pop.viewer().body(&known).await, segment);
        assert_eq!(pop.viewer().body(&multivariant).await, listed);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for viewer in &viewers {
        let refusals = viewer.seen().refusals;
        assert!(
            refusals.contains(&Some(StatusCode::SERVICE_UNAVAILABLE)),
            "positions that cannot be had: {refusals:?}"
        );
    }
    let (hammered, seconds) = (asked().await - asked_when_gone, cut.elapsed().as_secs_f64());
    assert!(
        hammered < 5.0 + 0.5 * seconds,
        "an origin that is known to be gone was asked {hammered} times in {seconds:.0} s"
    );

    wire.set(Weather::Fair);
    let outage = cut.elapsed();
    for viewer in &viewers {
        viewer.further(3, LONG).await;
        let seen = viewer.seen();
        seen.assert_it_went_on();
        let stalled = seen.longest_wait();
        println!("origin away for {outage:.1?}, viewer without a new segment for {stalled:.1?}");
        assert!(stalled < outage + Duration::from_secs(1) + SLACK);
    }
}
