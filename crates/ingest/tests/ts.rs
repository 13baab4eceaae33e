//! A transport stream that ffmpeg made, next to the file that it was made of.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use std::{path::Path, process::Command, time::Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};
use weir_ingest::{
    repair::Repairs,
    ts::{Damage, Demuxer, Event},
};
use weir_media::unit::{Media, TrackKind, Unit};

fn run(program: &str, args: &[&str], folder: &Path) -> Vec<u8> {
    let output = Command::new(program)
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {complaints}");
    output.stdout
}

/// What ffprobe lists of a stream's packets.
fn packets(file: &str, stream: &str, folder: &Path) -> Vec<Value> {
    let args = [
        "-v",
        "error",
        "-of",
        "json",
        "-select_streams",
        stream,
        "-show_packets",
    ];
    let args = [&args[..], &["-show_data_hash", "sha256", file]].concat();
    let listed: Value = serde_json::from_slice(&run("ffprobe", &args, folder)).unwrap();
    listed["packets"].as_array().unwrap().clone()
}

fn demultiplex(stream: &[u8], cut: usize) -> (Vec<Event>, Damage, Repairs) {
    let now = Instant::now();
    let mut demuxer = Demuxer::default();
    for piece in stream.chunks(cut) {
        demuxer.handle_input(now, piece);
    }
    demuxer.finish(now);
    let events = std::iter::from_fn(|| demuxer.poll_event()).collect();
    (events, demuxer.damage(), demuxer.repairs())
}

fn units(events: &[Event], kind: TrackKind) -> Vec<&Unit> {
    let unit = |event| match event {
        &Event::Media(Media::Unit(ref unit)) if unit.kind == kind => Some(unit),
        _ => None,
    };
    events.iter().filter_map(unit).collect()
}

/// Each unit has the bytes of the source's packet and the times of the transport stream's. ffprobe
/// rounds the times of frames that share a PES packet in its own way.
fn check(units: &[&Unit], source: &[Value], stream: &[Value]) {
    assert_eq!(units.len(), source.len());
    assert_eq!(units.len(), stream.len());
    for (i, unit) in units.iter().enumerate() {
        let hash = format!("SHA256:{}", hex(&Sha256::digest(&unit.data)));
        assert_eq!(source[i]["data_hash"], hash.as_str(), "packet {i}");
        let rounding = i64::from(unit.kind == TrackKind::Audio);
        for (field, time) in [("dts", unit.dts), ("pts", unit.pts)] {
            let listed = stream[i][field].as_i64().unwrap();
            assert!(
                (listed - time.0).abs() <= rounding,
                "packet {i}: {listed}, {time:?}"
            );
        }
        let is_key = stream[i]["flags"].as_str().unwrap().starts_with('K');
        assert_eq!(unit.keyframe, is_key, "packet {i}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_access_unit_of_a_real_stream_comes_out() {
    let h264 = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "3"];
    check_film(&h264, "avc1.64001e");
    let hevc = ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1"];
    let quiet = [
        "-x265-params",
        "log-level=none:info=0:open-gop=0:pools=none:frame-threads=1",
    ];
    check_film(&[&hevc[..], &quiet].concat(), "hvc1.1.6.L63.90");
}

fn check_film(video: &[&str], codec: &str) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let picture = "testsrc2=size=640x360:rate=30000/1001:duration=6";
    let sound = "sine=frequency=440:sample_rate=44100:duration=6";
    let inputs = [
        "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound,
    ];
    let audio = [
        "-g",
        "60",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        "-ac",
        "2",
        "-shortest",
        "film.mp4",
    ];
    run("ffmpeg", &[&inputs[..], video, &audio].concat(), folder);
    let copy = [
        "-v", "error", "-i", "film.mp4", "-c", "copy", "-f", "mpegts", "film.ts",
    ];
    run("ffmpeg", &copy, folder);

    let stream = std::fs::read(folder.join("film.ts")).unwrap();
    let (events, damage, repairs) = demultiplex(&stream, 1316);
    for (kind, which) in [(TrackKind::Video, "v:0"), (TrackKind::Audio, "a:0")] {
        let source = packets("film.mp4", which, folder);
        check(
            &units(&events, kind),
            &source,
            &packets("film.ts", which, folder),
        );
    }
    assert_eq!((damage, repairs), Default::default());
    let configs = events.iter().filter_map(|event| match event {
        Event::Media(Media::Config(config)) => Some(config),
        _ => None,
    });
    for config in configs {
        let expected = match config.kind() {
            TrackKind::Video => codec,
            TrackKind::Audio => "mp4a.40.2",
        };
        assert_eq!(config.rfc6381(), expected);
        let size = config
            .picture()
            .map(|picture| (picture.width, picture.height));
        assert!(size.is_none_or(|size| size == (640, 360)), "{size:?}");
    }
    assert_eq!(demultiplex(&stream, 997), (events, damage, repairs));
}

#[test]
fn what_is_not_taken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let inputs = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=duration=1"];
    let sound = ["-f", "lavfi", "-i", "sine=duration=1"];
    let codecs = [
        "-c:v",
        "mpeg2video",
        "-c:a",
        "mp2",
        "-f",
        "mpegts",
        "film.ts",
    ];
    run("ffmpeg", &[&inputs[..], &sound, &codecs].concat(), folder);
    let stream = std::fs::read(folder.join("film.ts")).unwrap();
    let (events, damage, _) = demultiplex(&stream, 1316);
    let refused: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Refused { what, .. } => Some(what.as_str()),
            Event::Media(_) => None,
        })
        .collect();
    assert_eq!(refused, ["MPEG-2 video", "MPEG audio (MP2 or MP3)"]);
    assert_eq!(damage, Damage::default());
}
