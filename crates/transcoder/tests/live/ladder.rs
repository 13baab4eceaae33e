//! What a ladder promises of every rung, on sources that ffmpeg coded.

use crate::support::{Received, Running, Source, job};
use bytes::Bytes;
use weir_media::{
    codec::FrameRate,
    framing::Frame,
    unit::{Timestamp, TrackConfig},
};

const CLOSED_GOP_OF_20_WITH_B_FRAMES: &[&str] = &["-g", "20", "-sc_threshold", "0", "-bf", "2"];
const ONE_GOP: &[&str] = &["-g", "1000", "-sc_threshold", "0", "-bf", "0"];

/// Runs a source through; `cut` tells which units begin a segment beside the IDR pictures.
fn run(rungs: &[(&str, u32)], source: &Source, cut: impl Fn(Timestamp) -> bool) -> Vec<Frame> {
    let running = Running::start(job(rungs));
    running.ladder.configure(source.config.clone());
    for unit in &source.units {
        running.ladder.push(unit.clone(), cut(unit.pts));
    }
    running.finish()
}

#[test]
fn every_picture_comes_back_once_in_every_rung_with_its_time() {
    let source = Source::make("1280x720", CLOSED_GOP_OF_20_WITH_B_FRAMES);
    assert!(
        source.units.iter().any(|unit| unit.pts != unit.dts),
        "the source has B-frames"
    );
    assert_eq!((source.units.len(), source.keyframes().len()), (60, 3));
    let out = run(&[("480p", 480), ("240p", 240)], &source, |_| false);
    for (name, size) in [("480p", (854, 480)), ("240p", (426, 240))] {
        let rung = Received::of(name, &out);
        assert_eq!(rung.shown(), source.shown(), "{name}");
        assert_eq!(rung.keyframes(), source.keyframes(), "{name}");
        assert_eq!(rung.sizes(), [size], "{name}");
        let expected: Vec<_> = source.shown().iter().map(|pts| pts.0.to_string()).collect();
        assert_eq!(rung.decode(), expected, "{name}");
        assert!(
            rung.units.iter().all(|unit| unit.dts == unit.pts),
            "{name} has no B-frames"
        );
    }
}

#[test]
fn a_picture_leaves_as_soon_as_it_is_decoded() {
    let source = Source::make("640x360", ONE_GOP);
    let running = Running::start(job(&[("240p", 240)]));
    running.ladder.configure(source.config.clone());
    for (index, unit) in source.units.iter().enumerate() {
        running.ladder.push(unit.clone(), false);
        if index == 0 {
            assert!(matches!(running.next(), Frame::Config { .. }));
        }
        let Frame::Unit { unit: made, .. } = running.next() else {
            panic!("the picture of {:?}", unit.pts)
        };
        assert_eq!(made.pts, unit.pts);
    }
}

#[test]
fn a_segment_cut_without_an_idr_of_the_source_gets_one() {
    let source = Source::make("640x360", ONE_GOP);
    let cut = source.units[33].pts;
    let rung = Received::of("240p", &run(&[("240p", 240)], &source, |pts| pts == cut));
    assert_eq!(rung.keyframes(), [source.units[0].pts, cut]);
    assert_eq!(rung.shown(), source.shown());
}

#[test]
fn a_rung_is_never_larger_than_its_source() {
    let source = Source::make("640x360", ONE_GOP);
    let rung = Received::of("1080p", &run(&[("1080p", 1080)], &source, |_| false));
    assert_eq!(rung.sizes(), [(640, 360)]);
    assert_eq!(rung.decode().len(), 60);
}

#[test]
fn any_sampling_of_the_source_becomes_8_bit_420() {
    for pixels in ["yuv422p10le", "yuvj420p", "yuv444p"] {
        let source = Source::make("640x360", &["-pix_fmt", pixels, "-g", "30"]);
        let rung = Received::of("360p", &run(&[("360p", 360)], &source, |_| false));
        assert_eq!(rung.shown(), source.shown(), "{pixels}");
        let TrackConfig::Avc(avc) = &rung.configs[0] else {
            panic!("a rung is AVC")
        };
        // High profile, which is 8 bits of 4:2:0.
        assert!(
            avc.rfc6381().starts_with("avc1.6400"),
            "{pixels}: {}",
            avc.rfc6381()
        );
        assert_eq!(
            avc.frame_rate.map(FrameRate::as_f64),
            Some(30.0),
            "{pixels}"
        );
        assert_eq!(rung.decode().len(), 60, "{pixels}");
    }
}

#[test]
fn bitrate_is_bounded_whatever_the_source_says_of_its_rate() {
    // 30 pictures a second announced as 15; the noise leaves nothing to predict.
    let arguments = ["-vf", "noise=alls=20:allf=t", "-g", "60", "-bf", "0"];
    let lie = ["-bsf:v", "h264_metadata=tick_rate=30"];
    let source = Source::make_long(5, "640x360", &[&arguments[..], &lie].concat());
    let TrackConfig::Avc(avc) = &source.config else {
        panic!("the source is AVC")
    };
    assert_eq!(avc.frame_rate.unwrap().as_f64(), 15.0);
    let rung = Received::of("360p", &run(&[("360p", 360)], &source, |_| false));
    // The first GOP shows how fast pictures really come.
    let kbps = rung.kbps_from(source.keyframes()[1]);
    assert!((450..=700).contains(&kbps), "{kbps} kbit/s for 600");
}

#[test]
fn damaged_units_are_skipped() {
    let mut source = Source::make("640x360", CLOSED_GOP_OF_20_WITH_B_FRAMES);
    let keyframes = source.keyframes();
    source.units[7].data = Bytes::from_static(&[0, 0, 0, 9, 0x41]);
    source.units[12].data = Bytes::from_static(&[0, 0, 0, 2, 0x41, 0xff]);
    source.units[13].data = Bytes::new();
    let rung = Received::of("240p", &run(&[("240p", 240)], &source, |_| false));
    assert_eq!(rung.keyframes(), keyframes);
    assert!(rung.units.len() >= 50, "{} of 60 left", rung.units.len());
    assert!(rung.units.windows(2).all(|pair| pair[0].pts < pair[1].pts));
}

#[test]
fn a_source_that_cannot_be_decoded_is_told_each_second() {
    let mut source = Source::make_long(4, "320x180", CLOSED_GOP_OF_20_WITH_B_FRAMES);
    for unit in &mut source.units[..90] {
        unit.data = Bytes::from_static(&[0, 0, 0, 2, 0x41, 0xff]);
    }
    let made = run(&[("240p", 240)], &source, |_| false);
    let first = source.units[0].dts;
    let told = Frame::Undecodable { since: first };
    let times = made.iter().filter(|frame| **frame == told).count();
    assert_eq!(times, 3, "of 3 s");
    let rung = Received::of("240p", &made);
    assert_eq!(rung.keyframes(), source.keyframes()[5..], "then it goes on");
    assert!(rung.units.len() <= 30);
}

#[test]
fn an_idr_picture_that_is_lost_is_made_up_for() {
    let mut source = Source::make("640x360", &["-g", "20", "-sc_threshold", "0", "-bf", "0"]);
    source.units[20].data = Bytes::from_static(&[0, 0, 0, 9, 0x41]);
    let rung = Received::of("240p", &run(&[("240p", 240)], &source, |_| false));
    let pts = |index: usize| source.units[index].pts;
    let next = rung
        .shown()
        .into_iter()
        .find(|shown| *shown >= pts(20))
        .unwrap();
    assert!(next > pts(20) && next < pts(40));
    assert_eq!(rung.keyframes(), [pts(0), next, pts(40)]);
}

#[test]
fn a_source_that_changes_its_size_goes_on_in_a_new_configuration() {
    let before = Source::make("1280x720", CLOSED_GOP_OF_20_WITH_B_FRAMES);
    let mut after = Source::make("640x480", CLOSED_GOP_OF_20_WITH_B_FRAMES);
    for unit in &mut after.units {
        unit.dts.0 += 180_000;
        unit.pts.0 += 180_000;
    }
    let running = Running::start(job(&[("360p", 360)]));
    for source in [&before, &after] {
        running.ladder.configure(source.config.clone());
        for unit in &source.units {
            running.ladder.push(unit.clone(), false);
        }
    }
    let rung = Received::of("360p", &running.finish());
    assert_eq!(rung.shown(), [before.shown(), after.shown()].concat());
    assert_eq!(rung.sizes(), [(640, 360), (480, 360)]);
    assert_eq!(
        rung.keyframes(),
        [before.keyframes(), after.keyframes()].concat()
    );
}

#[test]
fn units_before_the_first_idr_are_passed_over() {
    let mut source = Source::make("640x360", &["-g", "20", "-sc_threshold", "0", "-bf", "0"]);
    source.units.drain(..5);
    let rung = Received::of("240p", &run(&[("240p", 240)], &source, |_| false));
    assert_eq!(rung.shown(), source.shown()[15..]);
}
