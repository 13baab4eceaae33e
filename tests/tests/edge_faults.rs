//! Points of presence whose origins, shields and own processes fail: viewers go on, and nobody is
//! hammered.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use weir_model::VideoId;
use weir_tests::{
    Encoder, Follower, PointOfPresence, PopOptions, Weir, WeirOptions, built, eventually,
    process::Process,
    wire::{Weather, Wire},
};

/// Several of these tests run at once, each with an encoder of its own.
const LONG: Duration = Duration::from_secs(90);
const SECRET: &str = "a secret of at least 32 characters";
/// What a busy machine may take on top of anything.
const SLACK: Duration = Duration::from_secs(20);

/// An origin with one live video.
struct Live {
    origin: Weir,
    id: VideoId,
    key: String,
    _encoder: Encoder,
}

impl Live {
    /// Without a ladder: what is looked at here has nothing to do with transcoding.
    async fn start(args: &[&str]) -> Self {
        let origin = origin(args).await;
        let created = origin.create_video("edge").await;
        let (id, key) = (created.video.id, created.stream_key);
        let encoder = Encoder::ffmpeg_looped(&built::film(), origin.rtmp_url(), &key);
        Self {
            origin,
            id,
            key,
            _encoder: encoder,
        }
    }

    fn url(&self) -> &str {
        self.origin.origin_url().unwrap()
    }

    /// A viewer at `pop` who has begun.
    async fn follow(&self, pop: &PointOfPresence) -> Follower {
        let follower = Follower::start(pop.viewer(), self.id, "source");
        follower.further(2, LONG).await;
        follower
    }
}

async fn origin(args: &[&str]) -> Weir {
    let mut all = vec!["--ladder".to_owned(), "none".to_owned()];
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    Weir::start_with(WeirOptions {
        args: all,
        apart: true,
        ..WeirOptions::default()
    })
    .await
}

/// A file with secrets, and the arguments that name it.
fn secret_file(folder: &TempDir, name: &str, secrets: &str) -> [String; 2] {
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, secrets).unwrap();
    ["--edge-secret-file".to_owned(), path.display().to_string()]
}

async fn peer_up(pop: &PointOfPresence, peer: &str) -> bool {
    pop.metric("weir_pop_peer_up", &[("peer", peer)]).await == 1.0
}

async fn asked(pop: &PointOfPresence) -> f64 {
    pop.metric("weir_pop_origin_requests_total", &[]).await
}

#[tokio::test]
async fn viewers_outlast_an_origin_that_is_away_longer_than_a_position_waits() {
    let live = Live::start(&[]).await;
    let wire = Wire::to(live.url()).await;
    let pop = PointOfPresence::start(PopOptions::of_origin(wire.url())).await;
    let viewer = live.follow(&pop).await;
    let multivariant = format!("/v/{}/index.m3u8", live.id);
    pop.viewer().get(&multivariant).await.expect_ok();
    let known = viewer.seen().segments.last_key_value().unwrap().1.clone();
    let before = pop.viewer().body(&known.path).await;

    wire.set(Weather::Cut);
    let cut = Instant::now();
    eventually("the origin counts as gone", LONG, async || {
        (!peer_up(&pop, wire.url()).await).then_some(())
    })
    .await;
    let (gone, asked_when_gone) = (Instant::now(), asked(&pop).await);
    // What the edge has it gives, and the list of renditions even when it is old.
    assert_eq!(pop.viewer().body(&known.path).await, before);
    pop.viewer().get(&multivariant).await.expect_ok();
    // A position that cannot be had is 503, and nothing that is at no position waits for long.
    eventually("a position given up", LONG, async || {
        viewer
            .seen()
            .refusals
            .contains(&Some(hyper::StatusCode::SERVICE_UNAVAILABLE))
            .then_some(())
    })
    .await;
    let init = format!("/v/{}/1/source/init-9.mp4", live.id);
    let refused = pop.viewer().get(&init).await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("retry-after")),
        (502, Some("1"))
    );
    let hammered = asked(&pop).await - asked_when_gone;
    let seconds = gone.elapsed().as_secs_f64();
    assert!(
        hammered < 5.0 + 0.5 * seconds,
        "an origin that is known to be gone was asked {hammered} times in {seconds:.0} s"
    );

    wire.set(Weather::Fair);
    let outage = cut.elapsed();
    viewer.further(3, LONG).await;
    let seen = viewer.seen();
    seen.assert_it_went_on();
    let stalled = seen.longest_wait();
    println!("origin away for {outage:.1?}, viewer without a new segment for {stalled:.1?}");
    assert!(stalled < outage + Duration::from_secs(1) + SLACK);
}

#[tokio::test]
async fn a_slow_origin_is_waited_for_and_not_asked_twice() {
    let live = Live::start(&[]).await;
    let wire = Wire::to(live.url()).await;
    let pop = PointOfPresence::start(PopOptions::of_origin(wire.url())).await;
    let viewer = live.follow(&pop).await;
    wire.set(Weather::Slow(Duration::from_secs(2)));
    viewer.further(5, LONG).await;
    let seen = viewer.seen();
    seen.assert_it_went_on();
    assert!(peer_up(&pop, wire.url()).await, "slow is not gone");
    let (asked, hedges) = (
        asked(&pop).await,
        pop.metric("weir_pop_upstream_hedges_total", &[]).await,
    );
    println!("origin 2 s slow: {asked} requests, {hedges} of them hedges");
    assert!(hedges <= 20.0 + 0.2 * asked);
    assert_eq!(seen.refusals, []);
}

#[tokio::test]
async fn a_flapping_origin_is_neither_lost_nor_hammered() {
    let live = Live::start(&[]).await;
    let wire = Wire::to(live.url()).await;
    let pop = PointOfPresence::start(PopOptions::of_origin(wire.url())).await;
    let viewer = live.follow(&pop).await;
    let (began, asked_before) = (Instant::now(), asked(&pop).await);
    for _ in 0..10 {
        wire.set(Weather::Cut);
        tokio::time::sleep(Duration::from_millis(400)).await;
        wire.set(Weather::Fair);
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    let flapped = began.elapsed();
    viewer.further(3, LONG).await;
    viewer.seen().assert_it_went_on();
    let asked = asked(&pop).await - asked_before;
    let retries = pop.metric("weir_pop_upstream_retries_total", &[]).await;
    println!("origin flapping for {flapped:.1?}: {asked} requests, {retries} retries");
    let seconds = began.elapsed().as_secs_f64();
    assert!(retries <= 20.0 + 10.0 * seconds + 0.2 * asked);
    // One viewer causes one request at a time: a few each second, however often they fail.
    assert!(asked < 10.0 * seconds, "{asked} requests in {seconds:.0} s");
}

#[tokio::test]
async fn with_its_shield_down_a_pop_asks_the_origin_itself() {
    let folder = tempfile::tempdir().unwrap();
    let secret = secret_file(&folder, "secret", SECRET);
    let live = Live::start(&secret.each_ref().map(String::as_str)).await;
    let behind = |name: &str, shields| PopOptions {
        name: Some(name.to_owned()),
        origins: vec![live.url().to_owned()],
        shields,
        args: secret.to_vec(),
    };
    let mut shield = PointOfPresence::start(behind("eu", Vec::new())).await;
    let shield_url = shield.url().to_owned();
    let pop = PointOfPresence::start(behind("paris", vec![shield_url.clone()])).await;
    let viewer = live.follow(&pop).await;
    let direct = async || {
        pop.metric("weir_pop_peer_answers_total", &[("role", "origin")])
            .await
    };
    let shielded = async || {
        pop.metric("weir_pop_peer_answers_total", &[("role", "shield")])
            .await
    };
    // A shield that a busy machine makes wait is not waited for.
    let before = direct().await;
    assert!(shielded().await > before, "{before} past the shield");

    shield.kill();
    viewer.further(4, LONG).await;
    assert!(direct().await > before);
    assert!(!peer_up(&pop, &shield_url).await);

    shield.restart().await;
    eventually("the shield to be back", LONG, async || {
        peer_up(&pop, &shield_url).await.then_some(())
    })
    .await;
    let before = shielded().await;
    viewer.further(3, LONG).await;
    assert!(shielded().await > before);
    let seen = viewer.seen();
    seen.assert_it_went_on();
    println!(
        "shield killed: viewer without a new segment for {:.1?}",
        seen.longest_wait()
    );
    assert_eq!(seen.refusals, [], "viewers noticed nothing");
}

#[tokio::test]
async fn two_origins_stand_behind_one_pop() {
    let (first, second) = (Live::start(&[]).await, Live::start(&[]).await);
    let pop = PointOfPresence::start(PopOptions {
        origins: [&first, &second].map(|live| live.url().to_owned()).to_vec(),
        ..PopOptions::default()
    })
    .await;
    for live in [&first, &second] {
        let viewer = live.follow(&pop).await;
        viewer.further(1, LONG).await;
        let (_, segment) = viewer.seen().segments.pop_last().unwrap();
        let of_origin = live.origin.viewer().body(&segment.path).await;
        assert_eq!(pop.viewer().body(&segment.path).await, of_origin);
    }
    // A video that has never been on air is found, too, and one that is nowhere is not.
    let waiting = second.origin.create_video("waiting").await.video.id;
    pop.viewer()
        .get(&format!("/api/v1/videos/{waiting}"))
        .await
        .expect_ok();
    let nowhere = pop.viewer().get("/v/oaaaaaaaaaaa/index.m3u8").await;
    assert_eq!(nowhere.status, 404);

    // One of them going away is nothing to the viewers of the other.
    let viewer = second.follow(&pop).await;
    let id = first.id;
    drop(first);
    viewer.further(3, LONG).await;
    let seen = viewer.seen();
    seen.assert_it_went_on();
    assert_eq!(seen.refusals, []);
    let gone = pop
        .viewer()
        .get(&format!("/v/{id}/source/index.m3u8"))
        .await;
    assert!(
        [502, 503].contains(&gone.status.as_u16()),
        "{}",
        gone.status
    );
}

#[tokio::test]
async fn viewers_go_on_after_an_origin_was_killed_and_started_again() {
    let mut live = Live::start(&[]).await;
    let pop = PointOfPresence::start(PopOptions::of_origin(live.url())).await;
    let viewer = live.follow(&pop).await;
    let before = viewer.seen().newest();

    live.origin.kill();
    let killed = Instant::now();
    live.origin.restart().await;
    let outage = killed.elapsed();
    let _encoder = Encoder::ffmpeg_looped(&built::film(), live.origin.rtmp_url(), &live.key);
    eventually("media of the new epoch", LONG, async || {
        let seen = viewer.seen();
        let mut new = seen.segments.range(before + 1..);
        new.any(|(_, segment)| !segment.gap && segment.path.contains("/2/"))
            .then_some(())
    })
    .await;
    viewer.further(2, LONG).await;
    let seen = viewer.seen();
    seen.assert_it_went_on();
    // Each segment is of 2 s at least, so that many of silence are no stall.
    let stalled = seen.longest_wait();
    println!("origin restarted in {outage:.1?}, viewer without a new segment for {stalled:.1?}");
    assert!(stalled < outage + Duration::from_secs(1) + SLACK);
    let (_, segment) = seen
        .segments
        .iter()
        .rfind(|(_, segment)| !segment.gap)
        .unwrap();
    pop.viewer().body(&segment.path).await;
}

#[tokio::test]
async fn a_pop_that_was_killed_serves_from_its_disk_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("cache").display().to_string();
    let live = Live::start(&[]).await;
    let wire = Wire::to(live.url()).await;
    let options = PopOptions {
        args: vec!["--disk-cache".to_owned(), disk],
        ..PopOptions::of_origin(wire.url())
    };
    let mut pop = PointOfPresence::start(options).await;
    let viewer = live.follow(&pop).await;
    let mut known = Vec::new();
    let segments = viewer.seen().segments.into_values();
    for segment in segments.filter(|segment| !segment.gap) {
        let body = pop.viewer().body(&segment.path).await;
        known.push((segment.path, body));
    }
    // What was read a moment ago is on its way to the disk.
    eventually("a segment each on the disk", LONG, async || {
        let written = pop.metric("weir_pop_disk_written_total", &[]).await;
        (written >= known.len() as f64).then_some(())
    })
    .await;

    wire.set(Weather::Cut);
    pop.kill();
    pop.restart().await;
    let mut from_disk = 0;
    for (path, body) in &known {
        let answer = pop.viewer().get(path).await;
        if answer.status == 200 {
            assert!(answer.body == *body, "{path} is torn");
            from_disk += 1;
        }
    }
    println!("{from_disk} of {} segments were on the disk", known.len());
    assert!(from_disk > 0, "nothing outlived the process");

    wire.set(Weather::Fair);
    viewer.further(3, LONG).await;
    viewer.seen().assert_it_went_on();
}

#[tokio::test]
async fn an_origin_with_a_secret_answers_its_pops_alone() {
    let folder = tempfile::tempdir().unwrap();
    let secret = secret_file(&folder, "secret", SECRET);
    let origin = origin(&secret.each_ref().map(String::as_str)).await;
    let url = origin.origin_url().unwrap();
    let stranger = weir_tests::Http::new(url);
    for path in ["/api/v1/videos", "/healthz", "/edge/leases", "/"] {
        let refused = stranger.get(path).await;
        assert_eq!(refused.problem().code.as_str(), "unauthorized", "{path}");
    }
    let with = |args: Vec<String>| PopOptions {
        args,
        ..PopOptions::of_origin(url)
    };
    let pop = PointOfPresence::start(with(secret.to_vec())).await;
    pop.viewer().get("/api/v1/videos").await.expect_ok();

    let other = secret_file(&folder, "other", "another secret of 32 characters or more");
    let wrong = PointOfPresence::start(with(other.to_vec())).await;
    let refused = wrong.viewer().get("/api/v1/videos").await;
    assert_eq!(refused.problem().code.as_str(), "origin_unreachable");
    assert!(wrong.log().contains("edge secret"));

    // Rotation: the origin takes both at once, without a restart.
    let both = format!("another secret of 32 characters or more\n{SECRET}\n");
    std::fs::write(folder.path().join("secret"), both).unwrap();
    eventually("the other secret to be taken", LONG, async || {
        (wrong.viewer().get("/api/v1/videos").await.status == 200).then_some(())
    })
    .await;
    eventually("the first one to be taken still", LONG, async || {
        (pop.viewer().get("/api/v1/videos").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_origin_does_not_open_itself_to_the_world() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(built::weir());
    command
        .args([
            "origin",
            "--listen",
            "0.0.0.0:0",
            "--ladder",
            "none",
            "--data",
        ])
        .arg(folder.path().join("data"));
    for listener in ["--rtmp", "--srt", "--webrtc", "--operator"] {
        command.args([listener, "127.0.0.1:0"]);
    }
    let mut origin = Process::start("weir origin", &mut command, &folder.path().join("log"));
    let began = Instant::now();
    let status = loop {
        assert!(began.elapsed() < LONG, "the origin did not give up");
        match origin.exited() {
            Some(status) => break status,
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    assert!(!status.success());
    let log = origin.log();
    assert!(log.contains("--edge-secret-file"), "{log}");
}
