//! WebRTC: FFmpeg 9 publishes over WHIP, a client of the test's own plays over WHEP, and what is
//! not right is refused.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

mod client;

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hyper::Method;
use str0m::net::Protocol;
use weir_model::{Code, VideoId};
use weir_tests::{
    Answer, Encoder, Weir, WeirOptions, built, eventually,
    playlist::{self, Segment},
    probe::{self, MediaFile},
    wait::PATIENCE,
};

use client::Client;

const FRAME_RATE: f64 = 30.0;
/// What is pushed in real time is read within.
const PUSHED: Duration = Duration::from_secs(120);
/// What a browser might offer, but for the codec.
const UNUSABLE: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 \
    C2:13:D2:A3:6E:82:22:A7:47:8D:09:22:CE:8F:CA:56:E5:AA:3C:5C:2F:B6:D9:FB:6A:2A:78:88:76:78:62:45\
    \r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n";

/// A server that offers the source alone, with further arguments.
async fn start(args: &[&str]) -> Weir {
    let args = [&["--ladder", "none"], args].concat();
    Weir::start_with(WeirOptions {
        args: args.into_iter().map(str::to_owned).collect(),
        ..WeirOptions::default()
    })
    .await
}

/// FFmpeg 9 publishes a test picture and a tone for so many seconds.
fn publish(weir: &Weir, key: &str, seconds: u32) -> Encoder {
    let mut command = Command::new(built::ffmpeg_9());
    command.args(["-hide_banner", "-nostdin", "-loglevel", "warning", "-re"]);
    command.args(["-f", "lavfi", "-i", "testsrc2=s=640x360:r=30"]);
    command.args(["-f", "lavfi", "-i", "sine=r=48000"]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast"]);
    command.args(["-tune", "zerolatency", "-bf", "0", "-g", "30"]);
    command.args(["-pix_fmt", "yuv420p", "-c:a", "libopus", "-ac", "2"]);
    command.args(["-t", &seconds.to_string(), "-f", "whip"]);
    command.args(["-authorization", key]);
    command.arg(weir.viewer().url("/api/v1/whip"));
    Encoder::start(&mut command)
}

async fn offer(weir: &Weir, path: &str, key: Option<&str>, body: &str) -> Answer {
    let bearer = format!("Bearer {}", key.unwrap_or_default());
    let mut headers = vec![("content-type", "application/sdp")];
    headers.extend(key.map(|_| ("authorization", bearer.as_str())));
    let body = Bytes::copy_from_slice(body.as_bytes());
    weir.viewer().send(Method::POST, path, &headers, body).await
}

async fn media(weir: &Weir, segments: &[(Segment, Bytes)]) -> MediaFile {
    let there: Vec<_> = segments
        .iter()
        .filter(|(segment, _)| !segment.gap)
        .cloned()
        .collect();
    MediaFile::new("media.mp4", &playlist::join(weir.viewer(), &there).await)
}

async fn counted(weir: &Weir, gauge: &str, expected: f64) {
    let name = format!("weir_origin_webrtc_{gauge}");
    eventually(&format!("{name} is {expected}"), PATIENCE, async || {
        (weir.metric(&name, &[]).await == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_an_encoder_publishes_is_served_frame_by_frame() {
    const SECONDS: u32 = 12;
    let weir = start(&[]).await;
    let created = weir.create_video("whip").await;
    assert_eq!(created.whip_url, "/api/v1/whip");
    let id = created.video.id;
    let mut encoder = publish(&weir, &created.stream_key, SECONDS);
    weir.wait_until_live(id, &["source", "audio"], 1).await;
    counted(&weir, "publishing", 1.0).await;
    let reads =
        ["source", "audio"].map(|name| playlist::read_to_end(weir.viewer(), id, name, PUSHED));
    let ends = async {
        let status = encoder.finish(PUSHED).await;
        assert!(status.success(), "{status}: {}", encoder.log());
        counted(&weir, "publishing", 0.0).await;
        weir.end_video(id).await;
    };
    let [source, audio] = reads;
    let (source, audio, ()) = tokio::join!(source, audio, ends);

    let video = media(&weir, &source).await;
    let frames = probe::decode(video.path());
    let expected = f64::from(SECONDS) * FRAME_RATE;
    assert!(
        frames.len() as f64 > expected - 15.0 && frames.len() as f64 <= expected,
        "{} of {expected} frames",
        frames.len()
    );
    for pair in frames.windows(2) {
        let step = pair[1].pts - pair[0].pts;
        assert!((step - 1.0 / FRAME_RATE).abs() < 0.002, "a step of {step}");
        assert_ne!(pair[0].hash, pair[1].hash, "a frame came twice");
    }
    let sound = probe::packets(media(&weir, &audio).await.path(), "a:0");
    for pair in sound.windows(2) {
        let step = pair[1].pts - pair[0].pts;
        assert!((0.0..0.1).contains(&step), "a step of {step} in the sound");
    }
    let apart = sound[0].pts - probe::packets(video.path(), "v:0")[0].pts;
    assert!(apart.abs() < 0.2, "sound begins {apart} s after pictures");
}

#[tokio::test]
async fn who_may_not_publish_is_told_why() {
    let weir = start(&["--turn", "turn:turn.example.org"]).await;
    let created = weir.create_video("refused").await;
    let key = created.stream_key.as_str();
    let refused = |answer: Answer, code: Code| {
        let problem = answer.problem();
        assert_eq!(
            (answer.status.as_u16(), problem.code),
            (code.status(), code)
        );
        problem.detail.into_owned()
    };
    let whip = "/api/v1/whip";
    refused(offer(&weir, whip, None, UNUSABLE).await, Code::Unauthorized);
    refused(
        offer(&weir, whip, Some("wrong"), UNUSABLE).await,
        Code::Unauthorized,
    );
    refused(
        offer(&weir, whip, Some(key), "hello").await,
        Code::InvalidBody,
    );
    refused(
        offer(&weir, whip, Some(key), "v=0\r\ns=-\r\n").await,
        Code::InvalidBody,
    );
    let why = refused(
        offer(&weir, whip, Some(key), UNUSABLE).await,
        Code::NotAcceptable,
    );
    assert!(why.contains("VP8") && why.contains("H.264"), "{why}");
    let long = format!("v=0\r\n{}", "a=x\r\n".repeat(4000));
    refused(offer(&weir, whip, Some(key), &long).await, Code::TooLarge);
    let whep = format!("/v/{}/whep", created.video.id);
    refused(offer(&weir, &whep, None, UNUSABLE).await, Code::Conflict);
    let nothing = "/v/oaaaaaaaaaaa/whep";
    refused(
        offer(&weir, nothing, None, UNUSABLE).await,
        Code::VideoNotFound,
    );

    // Credentials are for publishers; leave is for everybody.
    for (authorization, link) in [
        ("Bearer wrong", None),
        (&format!("Bearer {key}"), Some("turn:")),
    ] {
        let headers = [("authorization", authorization)];
        let answer = weir
            .viewer()
            .send(Method::OPTIONS, whip, &headers, Bytes::new())
            .await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
        let links = answer
            .header("link")
            .map(|value| value.contains("turn:turn.example.org"));
        assert_eq!(links, link.map(|_| true));
    }

    let _encoder = publish(&weir, key, 60);
    counted(&weir, "publishing", 1.0).await;
    weir.wait_until_live(created.video.id, &["source"], 1).await;
    let mut second = publish(&weir, key, 60);
    assert!(!second.finish(PATIENCE).await.success());
    assert!(second.log().contains("409"), "{}", second.log());
    assert_eq!(weir.metric("weir_origin_webrtc_publishing", &[]).await, 1.0);
    assert!(!weir.log().contains(key), "the stream key was logged");
}

/// Plays until there are so many pictures, which all have to come, and decodes them.
async fn plays(weir: &Weir, id: VideoId, protocol: Protocol, pictures: usize) -> Client {
    let mut client = Client::play(weir.viewer(), id, protocol).await;
    let (mut stream, mut shown, mut heard) = (Vec::new(), 0, 0);
    while shown < pictures {
        let frame = client.next().await.expect("the session goes on");
        if !frame.picture {
            heard += 1;
            continue;
        }
        let types = frame.nal_types();
        if shown == 0 {
            assert!(
                types.starts_with(&[7, 8]),
                "parameter sets come first: {types:?}"
            );
            assert!(types.contains(&5), "an IDR picture comes first: {types:?}");
        } else {
            assert!(frame.data.contiguous, "a picture is missing");
        }
        stream.extend_from_slice(&frame.data.data);
        shown += 1;
    }
    assert!(
        heard > pictures / 2,
        "{heard} packets of sound to {pictures} pictures"
    );
    let file = MediaFile::new("played.h264", &stream);
    assert_eq!(probe::decode(file.path()).len(), pictures);
    client
}

#[tokio::test]
async fn viewers_play_over_udp_and_over_tcp() {
    let weir = start(&[]).await;
    let created = weir.create_video("whep").await;
    let id = created.video.id;
    let mut encoder = publish(&weir, &created.stream_key, 120);
    weir.wait_until_live(id, &["source", "audio"], 1).await;
    let (first, second) = tokio::join!(
        plays(&weir, id, Protocol::Udp, 60),
        plays(&weir, id, Protocol::Tcp, 60),
    );
    counted(&weir, "playing", 2.0).await;
    assert!(weir.metric("weir_origin_webrtc_plis_total", &[]).await > 0.0);
    let [of_first, of_second] = [&first, &second].map(|client| client.location.clone());
    let etag = first.etag.clone();
    let frames = Arc::<AtomicUsize>::default();
    let (first, second) = (first.go_on(Arc::default()), second.go_on(frames.clone()));

    let patch = async |etag: &str, fragment: &'static str| {
        let headers = [
            ("content-type", "application/trickle-ice-sdpfrag"),
            ("if-match", etag),
        ];
        let body = Bytes::from_static(fragment.as_bytes());
        let answer = weir.viewer().send(Method::PATCH, &of_first, &headers, body);
        answer.await.status.as_u16()
    };
    let candidate = "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
    assert_eq!(patch(&etag, candidate).await, 204);
    assert_eq!(patch("\"other\"", candidate).await, 412);
    assert_eq!(
        patch("*", "a=ice-ufrag:anew\r\na=ice-pwd:anew\r\n").await,
        422
    );

    let end = async |path: &str| {
        let answer = weir
            .viewer()
            .send(Method::DELETE, path, &[], Bytes::new())
            .await;
        answer.status.as_u16()
    };
    assert_eq!(end(&of_first).await, 200);
    first.await.unwrap();
    counted(&weir, "playing", 1.0).await;
    assert_eq!(end(&of_first).await, 404);
    let before = frames.load(Ordering::Relaxed);
    eventually("the other one goes on", PATIENCE, async || {
        (frames.load(Ordering::Relaxed) > before + 30).then_some(())
    })
    .await;
    assert_eq!(end(&of_second).await, 200);
    second.await.unwrap();
    counted(&weir, "playing", 0.0).await;

    encoder.kill();
    weir.end_video(id).await;
}

#[tokio::test]
async fn a_source_with_b_frames_is_not_played_as_it_is() {
    let weir = start(&[]).await;
    let created = weir.create_video("reordered").await;
    let id = created.video.id;
    let film = built::film();
    let _encoder = Encoder::ffmpeg_looped(&film, weir.rtmp_url(), &created.stream_key);
    weir.wait_until_live(id, &["source"], 1).await;
    let playable = probe::packets(&film, "v:0")
        .iter()
        .all(|packet| packet.pts == packet.dts);
    assert!(!playable, "the film has B-frames");
    let usable = UNUSABLE.replace("VP8/90000", "H264/90000\r\na=fmtp:96 packetization-mode=1");
    let path = format!("/v/{id}/whep");
    let answer = offer(&weir, &path, None, &usable).await;
    let problem = answer.problem();
    assert_eq!(problem.code, Code::Conflict);
    assert!(problem.detail.contains("bframes=0"), "{}", problem.detail);
}
