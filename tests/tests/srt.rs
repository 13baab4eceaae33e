//! Encoders that push over SRT: those that belong in, and those that don't.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::{
    net::UdpSocket,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use weir_model::VideoId;
use weir_tests::{
    Encoder, Weir, WeirOptions, built, eventually,
    playlist::{self, MediaPlaylist, Segment},
    probe::{self, Frame, MediaFile},
    wait::PATIENCE,
};

/// The film is 24 s long.
const FILM_PUSHED: Duration = Duration::from_secs(120);
const SECRET: &str = "correct horse battery";

/// The film from its beginning, once or again and again.
#[derive(Clone, Copy, PartialEq)]
enum Times {
    Once,
    Looped,
}

/// A server that offers the source alone and no slate, with further arguments. A datagram that a busy
/// machine drops has time to come again.
async fn start(args: &[String]) -> Weir {
    let usual = ["--ladder", "none", "--slate", "none", "--srt-latency", "1s"].map(str::to_owned);
    Weir::start_with(WeirOptions {
        args: [&usual[..], args].concat(),
        ..WeirOptions::default()
    })
    .await
}

/// ffmpeg pushes the coded packets of the film in real time. `query` is what stands behind the
/// `?` of the URL.
fn ffmpeg(weir: &Weir, times: Times, query: &str) -> Encoder {
    push(weir, &built::film(), times, query)
}

fn push(weir: &Weir, film: &Path, times: Times, query: &str) -> Encoder {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-loglevel", "warning", "-re"]);
    if times == Times::Looped {
        command.args(["-stream_loop", "-1"]);
    }
    command.arg("-i").arg(film);
    command.args(["-map", "0:v:0", "-map", "0:a:0", "-c", "copy"]);
    command.args(["-f", "mpegts", &format!("{}?{query}", weir.srt_url())]);
    Encoder::start(&mut command)
}

/// GStreamer pushes the coded packets of the film in real time, once.
fn gstreamer(weir: &Weir, film: &Path, key: &str) -> Encoder {
    let mut command = Command::new("gst-launch-1.0");
    command
        .args(["filesrc", &format!("location={}", film.display())])
        .args(["!", "qtdemux", "name=demux", "mpegtsmux", "name=mux", "!"])
        .args(["srtsink", &format!("uri={}", weir.srt_url())])
        .args([&format!("streamid=publish:{key}"), "sync=true"])
        .args(["demux.video_0", "!", "queue", "!", "h264parse"])
        .args(["config-interval=-1", "!", "mux."])
        .args(["demux.audio_0", "!", "queue", "!", "aacparse", "!", "mux."]);
    Encoder::start(&mut command)
}

/// As the access control guidelines have it.
fn stream_id(key: &str) -> String {
    format!("streamid=#!::r=live/{key},m=publish")
}

async fn segments(weir: &Weir, id: VideoId, rendition: &str) -> Vec<Segment> {
    let playlist = MediaPlaylist::live(weir.viewer(), id, rendition).await;
    playlist.segments()
}

async fn last_msn(weir: &Weir, id: VideoId) -> u64 {
    let segments = segments(weir, id, "source").await;
    let last = segments.iter().rev().find(|segment| !segment.gap);
    last.map_or(0, |segment| segment.msn)
}

async fn goes_on_after(weir: &Weir, id: VideoId, msn: u64) {
    let what = format!("media after segment {msn}");
    eventually(&what, PATIENCE, async || {
        (last_msn(weir, id).await > msn).then_some(())
    })
    .await;
}

/// The frames of the first `count` segments with media are the film's, from its frame `first` on.
async fn serves_the_film(weir: &Weir, id: VideoId, first: usize, count: usize) {
    serves(weir, id, &built::film(), first, count).await;
}

async fn serves(weir: &Weir, id: VideoId, film: &Path, first: usize, count: usize) {
    let what = format!("{count} segments with media");
    let has_media = |segments: &[Segment]| segments.iter().filter(|it| !it.gap).count() >= count;
    let segments = eventually(&what, PATIENCE, async || {
        weir.wait_until_live(id, &["source", "audio"], count).await;
        Some(segments(weir, id, "source").await).filter(|segments| has_media(segments))
    })
    .await;
    let mut media = Vec::new();
    for segment in segments.into_iter().skip_while(|it| it.gap).take(count) {
        let body = weir.viewer().body(&segment.path).await;
        media.push((segment, body));
    }
    let file = MediaFile::new("source.mp4", &playlist::join(weir.viewer(), &media).await);
    let (served, film) = (probe::decode(file.path()), probe::decode(film));
    let pushed = &film[first..first + served.len()];
    let hashes = |frames: &[Frame]| -> Vec<String> {
        frames.iter().map(|frame| frame.hash.clone()).collect()
    };
    assert_eq!(hashes(&served), hashes(pushed));
    let shown = |frames: &[Frame]| -> Vec<f64> {
        frames
            .iter()
            .map(|frame| frame.pts - frames[0].pts)
            .collect()
    };
    for (served, pushed) in shown(&served).into_iter().zip(shown(pushed)) {
        assert!((served - pushed).abs() < 0.002, "{served} s for {pushed} s");
    }
}

async fn refused(mut encoder: Encoder) {
    let status = encoder.finish(PATIENCE).await;
    assert!(!status.success(), "{}", encoder.log());
}

async fn logged(weir: &Weir, reason: &str) {
    let what = format!("a log line says {reason:?}");
    eventually(&what, PATIENCE, async || {
        weir.log().contains(reason).then_some(())
    })
    .await;
}

#[tokio::test]
async fn ffmpeg_pushes() {
    let weir = start(&[]).await;
    let created = weir.create_video("ffmpeg").await;
    let mut encoder = ffmpeg(&weir, Times::Once, &stream_id(&created.stream_key));
    serves_the_film(&weir, created.video.id, 0, 3).await;
    let status = encoder.finish(FILM_PUSHED).await;
    assert!(status.success(), "{status}: {}", encoder.log());
    logged(&weir, "SRT connection ended").await;
    let log = weir.log();
    let ended = log
        .lines()
        .find(|line| line.contains("SRT connection ended"))
        .unwrap();
    assert!(ended.contains("holes: 0"), "{ended}");
    assert!(!log.contains(&created.stream_key), "the key was logged");
}

#[tokio::test]
async fn gstreamer_pushes() {
    let weir = start(&[]).await;
    let created = weir.create_video("gstreamer").await;
    let _encoder = gstreamer(&weir, &built::film(), &created.stream_key);
    // srtsink takes the first picture for a header and leaves it out. The next IDR comes after 2 s,
    // which is 48 frames.
    serves_the_film(&weir, created.video.id, 48, 3).await;
}

#[tokio::test]
async fn hevc_comes_through() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("hevc.mp4");
    let mut encode = Command::new("ffmpeg");
    encode
        .args(["-v", "error", "-t", "12", "-i"])
        .arg(built::film());
    encode.args([
        "-vf",
        "scale=320:180",
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
    ]);
    let params = "log-level=none:keyint=48:min-keyint=48:scenecut=0:open-gop=0";
    encode.args(["-x265-params", params, "-tag:v", "hvc1", "-c:a", "copy"]);
    assert!(encode.arg(&film).status().unwrap().success());

    let weir = start(&[]).await;
    let created = weir.create_video("hevc").await;
    let query = stream_id(&created.stream_key);
    let _encoder = push(&weir, &film, Times::Once, &query);
    serves(&weir, created.video.id, &film, 0, 3).await;
    let multivariant = playlist::multivariant(weir.viewer(), created.video.id).await;
    let codecs = multivariant.variants[0].codecs.clone().unwrap();
    assert!(codecs.starts_with("hvc1."), "{codecs}");
}

#[tokio::test]
async fn who_does_not_belong_in_is_told_so_and_harms_nobody() {
    let weir = start(&[]).await;
    let created = weir.create_video("door").await;
    let (id, key) = (created.video.id, &created.stream_key);
    // As OBS sends it.
    let _encoder = ffmpeg(&weir, Times::Looped, &format!("streamid={key}"));
    weir.wait_until_live(id, &["source"], 2).await;
    let msn = last_msn(&weir, id).await;

    let guess = "a-guess-at-a-key";
    for (query, reason) in [
        (stream_id(guess), "the stream key is not valid"),
        (String::new(), "there is no stream id"),
        (
            format!("streamid=#!::r=live/{key}"),
            "does not say m=publish",
        ),
        (
            stream_id(key),
            "another encoder is publishing with this stream key",
        ),
    ] {
        refused(ffmpeg(&weir, Times::Once, &query)).await;
        logged(&weir, reason).await;
    }
    // Here nobody encrypts.
    let query = format!("{}&passphrase={SECRET}", stream_id(key));
    refused(ffmpeg(&weir, Times::Once, &query)).await;
    noise(&weir);

    goes_on_after(&weir, id, msn + 2).await;
    let segments = segments(&weir, id, "source").await;
    assert!(
        segments
            .iter()
            .all(|segment| !segment.gap && !segment.discontinuity)
    );
    let log = weir.log();
    assert!(
        !log.contains(guess) && !log.contains(key.as_str()),
        "a key was logged"
    );
}

/// Datagrams that no caller sends.
fn noise(weir: &Weir) {
    let address = weir.srt_url().trim_start_matches("srt://").to_owned();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for len in [0, 1, 15, 16, 17, 64, 188, 1316, 1472, 9000] {
        for byte in [0x00, 0x47, 0x80, 0xff] {
            socket.send_to(&vec![byte; len], &address).unwrap();
        }
    }
}

#[tokio::test]
async fn keys_of_any_length_fit_the_passphrase_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passphrase");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let secret = ["--srt-passphrase-file", &file.display().to_string()].map(str::to_owned);
    let weir = start(&secret).await;
    let created = weir.create_video("secret").await;
    let (id, key) = (created.video.id, &created.stream_key);
    let query = |secret: &str, key_len: u8| {
        format!("{}&passphrase={secret}&pbkeylen={key_len}", stream_id(key))
    };
    refused(ffmpeg(&weir, Times::Once, &stream_id(key))).await;
    refused(ffmpeg(
        &weir,
        Times::Once,
        &query("wrong horse battery", 16),
    ))
    .await;
    // The first stays while others come with other lengths.
    let _first = ffmpeg(&weir, Times::Looped, &query(SECRET, 16));
    weir.wait_until_live(id, &["source"], 2).await;
    let msn = last_msn(&weir, id).await;
    refused(ffmpeg(
        &weir,
        Times::Once,
        &query("wrong horse battery", 32),
    ))
    .await;
    for key_len in [24, 32] {
        let other = weir.create_video("other").await;
        let query = query(SECRET, key_len).replace(key.as_str(), &other.stream_key);
        let _encoder = ffmpeg(&weir, Times::Looped, &query);
        serves_the_film(&weir, other.video.id, 0, 2).await;
    }
    goes_on_after(&weir, id, msn + 2).await;
    let segments = segments(&weir, id, "source").await;
    assert!(
        segments
            .iter()
            .all(|segment| !segment.gap && !segment.discontinuity)
    );
    assert!(!weir.log().contains(SECRET), "the passphrase was logged");
}

#[tokio::test]
async fn an_encoder_that_comes_back_goes_on_after_one_discontinuity() {
    let weir = start(&[]).await;
    let created = weir.create_video("reconnect").await;
    let (id, query) = (created.video.id, stream_id(&created.stream_key));
    let mut first = ffmpeg(&weir, Times::Looped, &query);
    weir.wait_until_live(id, &["source", "audio"], 2).await;
    first.kill();
    let msn = last_msn(&weir, id).await;
    // It may come while what the first has sent still lies here; streamers call again.
    let mut second = ffmpeg(&weir, Times::Looped, &query);
    let began = Instant::now();
    while last_msn(&weir, id).await <= msn + 3 {
        assert!(began.elapsed() < PATIENCE, "{}", second.log());
        if second.exited() {
            second = ffmpeg(&weir, Times::Looped, &query);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for rendition in ["source", "audio"] {
        let segments = segments(&weir, id, rendition).await;
        let discontinuities = segments.iter().filter(|segment| segment.discontinuity);
        assert_eq!(discontinuities.count(), 1, "{rendition}");
    }
}
