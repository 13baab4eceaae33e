//! Other encoders than x264, and machines that lack them.

use weir_media::{
    framing::{EncoderChoice, Frame, LadderJob, LadderRung, VideoCodec},
    unit::TrackConfig,
};
use weir_transcoder::choose;

use crate::support::{Received, Running, Source, rung};

const CLOSED_GOP_OF_20: &[&str] = &["-g", "20", "-sc_threshold", "0", "-bf", "2"];

fn job(rung: LadderRung) -> LadderJob {
    LadderJob {
        renditions: vec![rung],
        sound: Vec::new(),
        live: false,
    }
}

fn coded(codec: VideoCodec) -> LadderRung {
    LadderRung {
        codec,
        encoder: EncoderChoice::Auto,
        ..rung("240p", 240)
    }
}

#[test]
fn every_codec_keeps_times_and_idr_pictures() {
    let source = Source::make("640x360", CLOSED_GOP_OF_20);
    for codec in [VideoCodec::H264, VideoCodec::Hevc, VideoCodec::Av1] {
        let rung = Received::of("240p", &Running::all(job(coded(codec)), &source));
        let config = &rung.configs[0];
        let is = matches!(
            (codec, config),
            (VideoCodec::H264, TrackConfig::Avc(_))
                | (VideoCodec::Hevc, TrackConfig::Hevc(_))
                | (VideoCodec::Av1, TrackConfig::Av1(_))
        );
        assert!(is, "{codec:?} came as {}", config.rfc6381());
        assert_eq!(rung.configs.len(), 1, "{codec:?}");
        assert_eq!(rung.sizes(), [(426, 240)], "{codec:?}");
        assert_eq!(rung.shown(), source.shown(), "{codec:?}");
        assert_eq!(rung.keyframes(), source.keyframes(), "{codec:?}");
        let expected: Vec<_> = source.shown().iter().map(|pts| pts.0.to_string()).collect();
        assert_eq!(rung.decode(), expected, "{codec:?}");
    }
}

#[test]
fn a_picture_leaves_at_once_in_h264_and_hevc() {
    let source = Source::make("640x360", &["-g", "1000", "-bf", "0"]);
    for codec in [VideoCodec::H264, VideoCodec::Hevc] {
        let running = Running::start(job(coded(codec)));
        running.ladder.configure(source.config.clone());
        for unit in &source.units[..20] {
            running.ladder.push(unit.clone(), false);
            let mut frame = running.next();
            if matches!(frame, Frame::Config { .. }) {
                frame = running.next();
            }
            let Frame::Unit { unit: made, .. } = frame else {
                panic!("{codec:?}: {frame:?}")
            };
            assert_eq!(made.pts, unit.pts, "{codec:?}");
        }
    }
}

#[test]
fn sources_in_every_codec_are_decoded() {
    let check = |arguments: &[&str]| {
        let source = Source::make("640x360", arguments);
        let made = Received::of("240p", &Running::all(job(rung("240p", 240)), &source));
        assert_eq!(made.sizes(), [(426, 240)], "{arguments:?}");
        assert_eq!(made.shown(), source.shown(), "{arguments:?}");
        assert_eq!(made.keyframes(), source.keyframes(), "{arguments:?}");
        assert_eq!(made.decode().len(), 60, "{arguments:?}");
    };
    let hevc = [
        "-c:v",
        "libx265",
        "-tag:v",
        "hvc1",
        "-g",
        "30",
        "-x265-params",
        "log-level=none:open-gop=0",
    ];
    check(&hevc);
    check(&["-c:v", "libsvtav1", "-preset", "10", "-g", "30"]);
    let vp9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-g", "30"];
    check(&[&vp9[..], &["-lag-in-frames", "0"]].concat());
}

#[test]
fn what_this_machine_lacks_is_refused_by_name() {
    let check = |rung: LadderRung| choose::check(&job(rung));
    let plain = check(rung("240p", 240)).unwrap();
    assert_eq!(plain[0].1, "libx264");
    let misspelt = LadderRung {
        preset: Some("veryvast".to_owned()),
        ..rung("240p", 240)
    };
    let error = check(misspelt).unwrap_err().to_string();
    assert!(
        error.contains("240p") && error.contains("libx264"),
        "{error}"
    );
    for (encoder, lacks) in [
        (EncoderChoice::H264Nvenc, "NVIDIA"),
        (EncoderChoice::H264Vaapi, "VA-API"),
    ] {
        let asked = LadderRung {
            encoder,
            ..rung("240p", 240)
        };
        // A machine that has it is right to take it.
        if let Err(error) = check(asked) {
            let error = error.to_string();
            assert!(
                error.contains(encoder.name()) && error.contains(lacks),
                "{error}"
            );
        }
    }
    let (_, auto) = check(coded(VideoCodec::H264)).unwrap()[0];
    assert!(auto.contains("264"), "{auto}");
}
