//! Codecs beyond H.264 and AAC, pushed by FFmpeg 9 over Enhanced RTMP: every frame comes out of the
//! PoP once, in order, with its timestamp, as source and, decoded, in a rung below.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::{path::PathBuf, process::Command, time::Duration};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use weir_model::VideoId;
use weir_tests::{
    Encoder, Weir, WeirOptions, browser, built, eventually,
    playlist::{self, Segment},
    probe::{self, Frame, MediaFile},
    wait::PATIENCE,
};

/// How long each film is, in seconds.
const LENGTH: u32 = 8;
const FRAME_RATE: usize = 24;
/// A film is pushed in real time, and read while it is.
const PUSHED: Duration = Duration::from_secs(120);
/// A browser plays some seconds.
const WATCHED: Duration = Duration::from_secs(240);

/// Encoders and decoders of two tests at once would be too slow for real time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// What FFmpeg is to encode the film with: a key frame every two seconds, closed GOPs.
struct Film {
    video: &'static [&'static str],
    audio: &'static [&'static str],
}

const AAC: &[&str] = &["-c:a", "aac", "-b:a", "128k"];
const OPUS: &[&str] = &["-c:a", "libopus", "-b:a", "96k"];

impl Film {
    /// Encodes the film, 1280x720.
    fn encode(&self) -> EncodedFilm {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.mp4");
        let mut command = Command::new(built::ffmpeg_9());
        command
            .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-i"])
            .arg(built::film())
            .args(["-t", &LENGTH.to_string(), "-s", "1280x720"])
            .args(["-r", &FRAME_RATE.to_string(), "-g", "48"])
            .args(["-map", "0:v:0", "-map", "0:a:0", "-pix_fmt", "yuv420p"])
            .args(self.video)
            .args(self.audio)
            .arg(&path);
        let output = command.output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {complaints}");
        EncodedFilm {
            path,
            _folder: folder,
        }
    }
}

struct EncodedFilm {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

/// FFmpeg 9 pushes what `input` says in real time, once.
fn push(input: &[&str], weir: &Weir, key: &str) -> Encoder {
    let mut command = Command::new(built::ffmpeg_9());
    command
        .args(["-hide_banner", "-nostdin", "-loglevel", "warning", "-re"])
        .args(input)
        .args(["-f", "flv"])
        .arg(format!("{}/{key}", weir.rtmp_url()));
    Encoder::start(&mut command)
}

/// The media of a rendition without its GAPs, as one file.
async fn media(weir: &Weir, segments: &[(Segment, Bytes)]) -> MediaFile {
    let there: Vec<_> = segments
        .iter()
        .filter(|(segment, _)| !segment.gap)
        .cloned()
        .collect();
    MediaFile::new("media.mp4", &playlist::join(weir.viewer(), &there).await)
}

/// Times since the first one.
fn times(frames: &[Frame]) -> Vec<f64> {
    let start = frames.first().map_or(0.0, |frame| frame.pts);
    frames.iter().map(|frame| frame.pts - start).collect()
}

fn hashes(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| &*frame.hash).collect()
}

/// Pushes the film and reads what viewers get until it ends.
async fn serves(film: Film, codecs: &str) {
    let _turn = ONE_AT_A_TIME.lock().await;
    let film = film.encode();
    let weir = Weir::start().await;
    let created = weir.create_video(codecs).await;
    let id = created.video.id;
    let path = film.path.to_str().unwrap();
    let mut encoder = push(&["-i", path, "-c", "copy"], &weir, &created.stream_key);
    weir.wait_until_live(id, &["source", "audio", "480p"], 1)
        .await;
    lists(&weir, id, codecs).await;
    let reads = ["source", "audio", "480p"]
        .map(|rendition| playlist::read_to_end(weir.viewer(), id, rendition, PUSHED));
    let ends = async {
        let status = encoder.finish(PUSHED).await;
        assert!(status.success(), "{status}: {}", encoder.log());
        weir.wait_until_away(id).await;
        weir.end_video(id).await;
    };
    let [source, audio, rung] = reads;
    let (source, audio, rung, ()) = tokio::join!(source, audio, rung, ends);

    let gaps = source.iter().filter(|(segment, _)| segment.gap).count();
    assert_eq!(gaps, 0, "the source has no gap");
    let served = probe::decode(media(&weir, &source).await.path());
    let pushed_frames = probe::decode(&film.path);
    assert_eq!(pushed_frames.len(), LENGTH as usize * FRAME_RATE);
    assert_eq!(hashes(&served), hashes(&pushed_frames));
    // RTMP counts in milliseconds.
    for (served, pushed) in times(&served).into_iter().zip(times(&pushed_frames)) {
        assert!((served - pushed).abs() < 0.0015, "{served} for {pushed}");
    }

    let sound = |file: &std::path::Path| probe::packets(file, "a:0");
    let (pushed, served) = (sound(&film.path), sound(media(&weir, &audio).await.path()));
    let first = pushed
        .iter()
        .position(|packet| packet.hash == served[0].hash)
        .unwrap();
    let expected = &pushed[first..];
    // Sound of before the first picture, and a frame that reaches past the end.
    assert!(
        first <= 2 && expected.len() - served.len() <= 2,
        "{first} of {} packets are missing at the start, and {} come",
        pushed.len(),
        served.len()
    );
    for (served, expected) in served.iter().zip(expected) {
        assert_eq!(served.hash, expected.hash);
        let time = served.pts - expected.pts;
        assert!(
            (time - (0.0)).abs() < 0.1,
            "{} for {}",
            served.pts,
            expected.pts
        );
    }
    rung_follows(&weir, &source, &rung).await;
    let span = first_span(&weir, id).await;
    let kinds = probe::streams(span.path()).into_iter();
    let kinds: Vec<String> = kinds.map(|stream| stream.codec_type).collect();
    assert_eq!(kinds, ["video", "audio"]);
    let frames = probe::decode(span.path());
    assert_eq!(hashes(&frames), hashes(&pushed_frames));
}

/// The stored object that holds the whole film, pictures and sound.
async fn first_span(weir: &Weir, id: VideoId) -> MediaFile {
    let path = format!("/api/v1/videos/{id}/frames?device=desktop&offset=0.5&rendition=source");
    let answer = eventually("the span is archived", PATIENCE, async || {
        let answer = weir.viewer().get(&path).await;
        (answer.status == 307).then_some(answer)
    })
    .await;
    let location = playlist::resolve(&path, answer.header("location").unwrap());
    MediaFile::new("span.mp4", &weir.viewer().body(&location).await)
}

/// What the multivariant playlist says of the source.
async fn lists(weir: &Weir, id: VideoId, codecs: &str) {
    let what = format!("a multivariant playlist with {codecs}");
    eventually(&what, PATIENCE, async || {
        // It is not there before every rendition has a segment.
        let path = format!("/v/{id}/index.m3u8");
        if weir.viewer().get(&path).await.status != 200 {
            return None;
        }
        let playlist = playlist::multivariant(weir.viewer(), id).await;
        // Sound that is no AAC comes as AAC too.
        let source = playlist.variants.iter().find(|variant| {
            variant.uri.contains("source") && variant.codecs.as_deref() == Some(codecs)
        })?;
        let sound = playlist.alternatives.iter().any(|media| {
            media.group_id == source.audio.clone().unwrap_or_default()
                && media.channels.as_deref() == Some("2")
        });
        let resolution = source.resolution.map(|size| (size.width, size.height));
        (sound && resolution == Some((1280, 720))).then_some(())
    })
    .await;
}

/// Every segment of the rung that is there has as many frames as the source's, at their times.
async fn rung_follows(weir: &Weir, source: &[(Segment, Bytes)], rung: &[(Segment, Bytes)]) {
    let mut compared = 0;
    for made in rung.iter().filter(|(segment, _)| !segment.gap) {
        let of_source = source
            .iter()
            .find(|(segment, _)| segment.msn == made.0.msn)
            .unwrap();
        let expected = probe::decode(media(weir, std::slice::from_ref(of_source)).await.path());
        let frames = probe::decode(media(weir, std::slice::from_ref(made)).await.path());
        assert_eq!(times(&frames).len(), times(&expected).len());
        for (frame, expected) in times(&frames).into_iter().zip(times(&expected)) {
            assert!((frame - expected).abs() < 0.0015, "{frame} for {expected}");
        }
        compared += 1;
    }
    assert!(compared >= 1, "no segment of the rung is there");
}

const AV1: &[&str] = &["-c:v", "libsvtav1", "-preset", "12"];
const VP9: &[&str] = &[
    "-c:v",
    "libvpx-vp9",
    "-deadline",
    "realtime",
    "-cpu-used",
    "8",
];

#[tokio::test]
async fn hevc_and_aac() {
    let film = Film {
        video: &[
            "-c:v",
            "libx265",
            "-preset",
            "ultrafast",
            "-tag:v",
            "hvc1",
            "-x265-params",
            "open-gop=0:scenecut=0:bframes=3:log-level=error",
        ],
        audio: AAC,
    };
    serves(film, "hvc1.1.6.L93.90,mp4a.40.2").await;
}

#[tokio::test]
async fn av1_and_opus() {
    let film = Film {
        video: AV1,
        audio: OPUS,
    };
    serves(film, "av01.0.05M.08,Opus").await;
}

#[tokio::test]
async fn vp9_and_opus() {
    let film = Film {
        video: VP9,
        audio: OPUS,
    };
    serves(film, "vp09.00.31.08,Opus").await;
}

#[tokio::test]
async fn h264_and_opus() {
    let film = Film {
        video: &[
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-bf",
            "2",
            "-sc_threshold",
            "0",
        ],
        audio: OPUS,
    };
    serves(film, "avc1.4d401f,Opus").await;
}

#[tokio::test]
async fn what_is_not_taken_is_refused_by_name() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let weir = Weir::start().await;
    for (codec, name) in [
        ("flac", "FLAC"),
        ("ac3", "AC-3"),
        ("eac3", "E-AC-3"),
        ("libmp3lame", "MP3"),
    ] {
        let created = weir.create_video(name).await;
        let lavfi = ["-f", "lavfi", "-i"];
        let video = [
            "testsrc2=s=320x180:r=24",
            "-f",
            "lavfi",
            "-i",
            "sine=r=48000",
        ];
        let coding = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", codec];
        let input = [&lavfi[..], &video, &coding].concat();
        let mut encoder = push(&input, &weir, &created.stream_key);
        let status = encoder.finish(PATIENCE).await;
        assert!(!status.success());
        let reason = format!("the audio is {name}; set the encoder to AAC or Opus");
        assert!(encoder.log().contains(&reason), "{}", encoder.log());
        assert!(weir.log().contains(&reason), "{}", weir.log());
    }
}

/// FFmpeg pushes several tracks by itself. Up to eight of a kind are taken.
#[tokio::test]
async fn several_tracks_are_taken_but_not_any_number() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let weir = Weir::start().await;
    let created = weir.create_video("tracks").await;
    let small = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=24"];
    let smaller = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=24"];
    let sound = ["-f", "lavfi", "-i", "sine=r=48000"];
    let coding = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "48",
        "-c:a",
        "aac",
        "-map",
        "0",
        "-map",
        "1",
    ];
    let nine = ["-map", "2"].repeat(9);
    let input = [&small[..], &smaller, &sound, &coding, &nine].concat();
    let _encoder = push(&input, &weir, &created.stream_key);
    let id = created.video.id;
    let renditions = ["source", "source-2", "audio", "audio-2", "audio-8"];
    weir.wait_until_live(id, &renditions, 2).await;
    let playlist = playlist::multivariant(weir.viewer(), id).await;
    let sizes = playlist.variants.iter().filter(|v| !v.is_i_frame);
    let sizes: Vec<_> = sizes
        .filter_map(|v| v.resolution.map(|size| (size.width, size.height)))
        .collect();
    assert_eq!(sizes, [(320, 180), (160, 90)]);
    let names: Vec<_> = playlist.alternatives.iter().map(|a| &*a.name).collect();
    assert_eq!((names.len(), names[0], names[7]), (8, "Audio", "Audio 8"));
    let reason = "audio track 8 is not taken: tracks 0 to 7 are";
    assert_eq!(weir.log().matches(reason).count(), 1, "{}", weir.log());
}

/// Chromium decodes AV1, VP9 and Opus. Without rungs, so that it is these that play.
#[tokio::test]
async fn av1_vp9_and_opus_play_in_chromium() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown {
        played_seconds: f64,
        stalls: u32,
        frames: Vec<serde_json::Value>,
        errors: Vec<String>,
    }
    const SECONDS: u32 = 5;
    let _turn = ONE_AT_A_TIME.lock().await;
    let weir = Weir::start_with(WeirOptions {
        args: vec!["--ladder".to_owned(), "none".to_owned()],
        ..WeirOptions::default()
    })
    .await;
    for video in [AV1, VP9] {
        let film = Film { video, audio: OPUS }.encode();
        let created = weir.create_video(video[1]).await;
        let path = film.path.to_str().unwrap();
        let input = ["-stream_loop", "-1", "-i", path, "-c", "copy"];
        let _encoder = push(&input, &weir, &created.stream_key);
        weir.wait_until_live(created.video.id, &["source", "audio"], 3)
            .await;
        let page = weir.viewer().url(&created.video.watch_url);
        let input = json!({ "page": page, "seconds": SECONDS });
        let shown: Shown = browser::run("weir", &input, WATCHED);
        assert_eq!(shown.errors, [""; 0]);
        let played = shown.played_seconds;
        assert!(
            played > 0.8 * f64::from(SECONDS),
            "{}: {played} s",
            video[1]
        );
        assert!(
            shown.stalls <= SECONDS / 2,
            "{}: {} stalls",
            video[1],
            shown.stalls
        );
        assert!(!shown.frames.is_empty(), "{}: nothing was drawn", video[1]);
    }
}

/// Two groups of sound, in AAC and in Opus, keep no player from playing.
#[tokio::test]
async fn opus_beside_its_aac_plays_with_every_player() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown {
        played_seconds: f64,
        #[serde(default)]
        errors: Vec<String>,
        #[serde(default)]
        fatal: Vec<String>,
    }
    const SECONDS: u32 = 5;
    let _turn = ONE_AT_A_TIME.lock().await;
    let video = &["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0"];
    let film = Film { video, audio: OPUS }.encode();
    let weir = Weir::start().await;
    let created = weir.create_video("two groups").await;
    let id = created.video.id;
    let path = film.path.to_str().unwrap();
    let input = ["-stream_loop", "-1", "-i", path, "-c", "copy"];
    let _encoder = push(&input, &weir, &created.stream_key);
    weir.wait_until_live(id, &["source", "audio", "audio-aac", "480p"], 3)
        .await;
    let page = weir.viewer().url(&created.video.watch_url);
    let playlist = weir.viewer().url(&format!("/v/{id}/index.m3u8"));
    let manifest = weir.viewer().url(&format!("/v/{id}/manifest.mpd"));
    let seconds = SECONDS;
    for (script, input) in [
        ("weir", json!({ "page": page, "seconds": seconds })),
        (
            "play",
            json!({ "player": "hlsjs", "source": playlist, "seconds": seconds }),
        ),
        (
            "play",
            json!({ "player": "shaka", "source": playlist, "seconds": seconds }),
        ),
        (
            "play",
            json!({ "player": "dashjs", "source": manifest, "seconds": seconds }),
        ),
    ] {
        let shown: Shown = browser::run(script, &input, WATCHED);
        assert_eq!(shown.errors, [""; 0], "{input}");
        assert_eq!(shown.fatal, [""; 0], "{input}");
        let played = shown.played_seconds;
        assert!(played > 0.7 * f64::from(SECONDS), "{input}: {played} s");
    }
}
