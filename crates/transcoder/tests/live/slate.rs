//! What is shown while an encoder is away.

use std::{
    fs,
    io::{Read, Write},
    process::{Command, Stdio},
};

use bytes::Bytes;
use weir_media::{
    codec::{AacConfig, OpusConfig},
    framing::{Decoder, Frame, SlateJob, encode},
    unit::{Timestamp, TrackConfig},
};
use weir_transcoder::slate::Slate;

use crate::support::{Received, Source, rendition};

const HEVC: &[&str] = &[
    "-c:v",
    "libx265",
    "-tag:v",
    "hvc1",
    "-x265-params",
    "log-level=none",
];
const AV1: &[&str] = &["-c:v", "libsvtav1", "-preset", "10", "-g", "60"];
const VP9: &[&str] = &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-g", "60"];

fn aac(asc: &'static [u8]) -> TrackConfig {
    TrackConfig::Aac(AacConfig::parse(Bytes::from_static(asc)).unwrap())
}

fn make(job: SlateJob, source: &Source, audio: Option<TrackConfig>) -> Vec<Frame> {
    let mut slate = Slate::new(job);
    slate.configure(source.config.clone());
    if let Some(audio) = audio {
        slate.configure(audio);
    }
    source.units.iter().for_each(|unit| slate.push(unit));
    slate.make().unwrap()
}

/// When a loop begins again.
fn length(name: &str, frames: &[Frame]) -> Timestamp {
    let again = frames.iter().find_map(|frame| match frame {
        Frame::Again { rendition, at } if rendition.as_str() == name => Some(*at),
        _ => None,
    });
    again.unwrap()
}

/// How alike the slate is to what a graph of filters makes of ffmpeg's test picture, in the part
/// of it that is above the notice.
fn ssim(slate: &Received, size: &str, filters: &str) -> f64 {
    let test_picture = format!("testsrc2=size={size}:rate=30:duration=2");
    let graph = format!(
        "[1:v]trim=start_frame=59,setpts=0,format=yuv420p,{filters},crop=iw:ih/4:0:0[expected];
         [0:v]trim=end_frame=1,crop=iw:ih/4:0:0[made];
         [made][expected]ssim"
    );
    let arguments = ["-f", "lavfi", "-i", &test_picture, "-lavfi", &graph];
    let output = slate.ffmpeg(&[&arguments[..], &["-f", "null", "-"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, all) = said.rsplit_once("All:").expect(&said);
    let all = all.split_whitespace().next().unwrap();
    all.parse().unwrap()
}

/// The luma of the first picture.
fn luma(slate: &Received) -> Vec<u8> {
    let arguments = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"];
    // From studio range to full.
    slate.ffmpeg(&arguments).stdout
}

#[test]
fn every_codec_gets_its_last_picture_darkened_in_a_loop() {
    let check = |arguments: &[&str]| {
        let source = Source::make("640x360", arguments);
        let made = make(SlateJob::default(), &source, Some(aac(&[0x11, 0x90])));
        let slate = Received::of("source", &made);
        let codec = |config: &TrackConfig| config.rfc6381()[..4].to_owned();
        assert_eq!(codec(&slate.configs[0]), codec(&source.config));
        assert_eq!(slate.configs.len(), 1, "{arguments:?}");
        assert_eq!(slate.sizes(), [(640, 360)], "{arguments:?}");

        // 64 pictures last as long as 100 units of audio.
        let times: Vec<_> = (0..64).map(|number| Timestamp(number * 3000)).collect();
        assert_eq!(slate.shown(), times, "{arguments:?}");
        assert!(slate.units.iter().all(|unit| unit.dts == unit.pts));
        assert_eq!(slate.keyframes(), [Timestamp(0)], "{arguments:?}");
        assert_eq!(slate.decode().len(), 64, "{arguments:?}");
        assert_eq!(length("source", &made), Timestamp(192_000));
        assert_eq!(length("audio", &made), Timestamp(192_000));
        assert_eq!(Received::of("audio", &made).units.len(), 100);
        assert!(slate.kbps_from(Timestamp(0)) < 300, "{arguments:?}");

        let darker = "lutyuv=y=16+(val-16)*0.35:u=128+(val-128)*0.35:v=128+(val-128)*0.35";
        let alike = ssim(&slate, "640x360", darker);
        assert!(alike > 0.93, "{arguments:?}: {alike}");
        let lit = luma(&slate).iter().filter(|luma| **luma > 220).count();
        assert!(lit > 1000, "{arguments:?}: {lit} pixels of notice");
    };
    check(&["-g", "60", "-bf", "2"]);
    check(HEVC);
    check(AV1);
    check(VP9);
}

#[test]
fn what_cannot_be_decoded_gives_a_plain_dark_slate() {
    for arguments in [&["-g", "60"][..], HEVC, AV1, VP9] {
        let mut source = Source::make("640x360", arguments);
        for unit in &mut source.units {
            unit.data = Bytes::from_static(&[0, 0, 0, 2, 0x41, 0xff]);
        }
        let slate = Received::of("source", &make(SlateJob::default(), &source, None));
        assert_eq!(slate.sizes(), [(640, 360)], "{arguments:?}");
        let luma = luma(&slate);
        assert!(luma[..640 * 100].iter().all(|luma| *luma < 40));
        assert!(luma.iter().any(|luma| *luma > 220), "the notice");
    }
}

#[test]
fn shape_colour_and_a_rate_of_thirty_at_most_are_kept() {
    let check = |rate: u32, size: &str, arguments: &[&str], expected: &str, pictures: usize| {
        let source = Source::make_at(rate, 1, size, arguments);
        let slate = Received::of("source", &make(SlateJob::default(), &source, None));
        let entries = "stream=width,height,sample_aspect_ratio,color_range,color_space,\
                       color_transfer,color_primaries";
        let told = slate.probe(entries);
        assert_eq!(told.last().unwrap(), expected, "{size} at {rate}");
        assert_eq!(slate.units.len(), pictures, "{size} at {rate}");
    };
    let pal = [
        "-aspect",
        "16:9",
        "-colorspace",
        "bt470bg",
        "-color_trc",
        "gamma28",
        "-color_primaries",
        "bt470bg",
    ];
    let told = "720,576,64:45,tv,bt470bg,bt470bg,bt470bg";
    check(25, "720x576", &pal, told, 50);
    // Eight bits of full range become studio range, as in every rendition.
    let full = [
        "-pix_fmt",
        "yuvj420p",
        "-colorspace",
        "bt709",
        "-color_trc",
        "bt709",
        "-color_primaries",
        "bt709",
    ];
    check(60, "320x180", &full, "320,180,1:1,tv,bt709,bt709,bt709", 60);
    let hlg = [
        "-pix_fmt",
        "yuv420p10le",
        "-color_range",
        "tv",
        "-colorspace",
        "bt2020nc",
        "-color_trc",
        "arib-std-b67",
        "-color_primaries",
        "bt2020",
    ];
    let told = "320,180,1:1,tv,bt2020nc,arib-std-b67,bt2020";
    check(50, "320x180", &[HEVC, &hlg].concat(), told, 50);
}

#[test]
fn an_operators_picture_is_shown_whole() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::make("640x360", &["-g", "60"]);
    for name in ["slate.png", "slate.jpg"] {
        let file = folder.path().join(name);
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=400x400"])
            .args(["-frames:v", "1", "-q:v", "2"])
            .arg(&file)
            .status()
            .unwrap();
        assert!(made.success());
        let picture = Some(file.display().to_string());
        let slate = Received::of("source", &make(SlateJob { picture }, &source, None));
        // 360x360 in the middle.
        let filters = "scale=360:360,pad=640:360:140:0,setsar=1";
        let test_picture = "testsrc2=size=400x400:rate=30:duration=2";
        let graph = format!(
            "[1:v]trim=end_frame=1,{filters},format=yuv420p[e];[0:v]trim=end_frame=1[m];[m][e]ssim"
        );
        let arguments = [
            "-f",
            "lavfi",
            "-i",
            test_picture,
            "-lavfi",
            &graph,
            "-f",
            "null",
            "-",
        ];
        let output = slate.ffmpeg(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let all = said.rsplit_once("All:").expect(&said).1;
        let all: f64 = all.split_whitespace().next().unwrap().parse().unwrap();
        assert!(all > 0.93, "{name}: {all}");
    }
    // One that is not there, or no picture, is not what keeps the slate from coming.
    let text = folder.path().join("slate.txt");
    fs::write(&text, "no picture").unwrap();
    for file in [folder.path().join("missing.png"), text] {
        let picture = Some(file.display().to_string());
        let slate = Received::of("source", &make(SlateJob { picture }, &source, None));
        assert!(luma(&slate).iter().any(|luma| *luma > 220), "the notice");
    }
}

#[test]
fn silence_is_in_the_sources_own_coding() {
    let source = Source::make("320x180", &["-g", "60"]);
    let opus = |head: &'static [u8]| {
        TrackConfig::Opus(OpusConfig::parse(Bytes::from_static(head)).unwrap())
    };
    let cases = [
        ("mono, 44.1 kHz", aac(&[0x12, 0x08])),
        ("stereo, 48 kHz", aac(&[0x11, 0x90])),
        ("5.1, 48 kHz", aac(&[0x11, 0xb0])),
        ("7.1, 48 kHz", aac(&[0x11, 0xb8])),
        // HE-AAC: a core of 24 kHz.
        ("HE-AAC", aac(&[0x2b, 0x11, 0x88, 0x00])),
        ("Opus", opus(b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0")),
        (
            "Opus 5.1",
            opus(b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05"),
        ),
    ];
    for (name, config) in cases {
        let made = make(SlateJob::default(), &source, Some(config.clone()));
        let audio = Received::of("audio", &made);
        assert_eq!(audio.configs, [config], "{name}");
        let length = length("audio", &made).as_secs_f64();
        assert!((2.0..=3.0).contains(&length), "{name}: {length} s");
        let output = audio.ffmpeg(&["-af", "volumedetect", "-f", "null", "-"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("max_volume: -91.0 dB"), "{name}: {said}");
    }
    // Two channels mapped from four streams: nobody's encoder does that.
    let odd = opus(b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\x01\x02\0\0\x01");
    let made = make(SlateJob::default(), &source, Some(odd));
    assert!(Received::of("audio", &made).units.is_empty());
    assert!(!Received::of("source", &made).units.is_empty());
}

#[test]
fn the_binary_makes_one_and_ends() {
    let source = Source::make("320x180", &["-g", "60"]);
    let rendition = rendition("source");
    let config = Frame::Config {
        rendition,
        config: source.config.clone(),
    };
    let units = source.units.iter().map(|unit| Frame::Unit {
        rendition,
        cut: false,
        unit: unit.clone(),
    });
    let mut sent = vec![Frame::Slate(SlateJob::default()), config];
    sent.extend(units);
    sent.push(Frame::End);
    let run = |sent: &[Frame]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_weir-transcode"))
            .arg("slate")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for frame in sent {
            // It may be gone before all is written.
            let _ = stdin.write_all(&encode(frame).unwrap());
        }
        let mut made = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut made).unwrap();
        // It ends although its input is open.
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        let mut decoder = Decoder::default();
        decoder.feed(&made);
        let frames: Vec<_> = std::iter::from_fn(|| decoder.next_frame().unwrap()).collect();
        (frames, output)
    };
    let (frames, output) = run(&sent);
    assert!(output.status.success());
    assert_eq!(frames.last(), Some(&Frame::End));
    assert_eq!(
        frames,
        [make(SlateJob::default(), &source, None), vec![Frame::End]].concat()
    );

    let (frames, output) = run(&[Frame::Slate(SlateJob::default()), Frame::End]);
    assert!(frames.is_empty() && !output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no video"), "{said}");
    assert!(!run(&sent[1..]).1.status.success(), "no job");
}
