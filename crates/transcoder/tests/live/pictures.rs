//! Sizes, rates and colours of what a ladder makes.

use weir_media::{
    framing::{LadderJob, LadderRung},
    unit::{Timestamp, TrackConfig},
};

use crate::support::{Received, Running, Source, job, rung};

/// The standard ladder's rungs that are lower than `height`.
fn standard_below(height: u32) -> LadderJob {
    let renditions = LadderRung::standard()
        .into_iter()
        .filter(|rung| rung.height < height)
        .map(|rung| LadderRung {
            preset: Some("ultrafast".to_owned()),
            ..rung
        });
    LadderJob {
        renditions: renditions.collect(),
        sound: Vec::new(),
        live: false,
    }
}

#[test]
fn the_largest_sources_get_every_rung_in_its_size() {
    const SIZES: [(&str, (u32, u32)); 7] = [
        ("2160p", (3840, 2160)),
        ("1440p", (2560, 1440)),
        ("1080p", (1920, 1080)),
        ("720p", (1280, 720)),
        ("480p", (854, 480)),
        ("360p", (640, 360)),
        ("240p", (426, 240)),
    ];
    let check = |size: &str, height: u32| {
        // Three pictures, one a second.
        let source = Source::make_at(1, 3, size, &["-preset", "ultrafast", "-g", "2", "-bf", "0"]);
        let made = Running::all(standard_below(height), &source);
        let expected = SIZES.iter().filter(|(_, (_, lines))| *lines < height);
        for (name, size) in expected {
            let rung = Received::of(name, &made);
            assert_eq!(rung.sizes(), [*size], "{name} of {height}");
            assert_eq!(rung.shown(), source.shown(), "{name} of {height}");
            assert_eq!(rung.keyframes(), source.keyframes(), "{name} of {height}");
            assert_eq!(rung.decode().len(), 3, "{name} of {height}");
        }
    };
    check("7680x4320", 4320);
    check("3840x2160", 2160);
}

#[test]
fn odd_and_upright_sizes_keep_their_shape() {
    let check = |size: &str, expected: (u32, u32)| {
        let source = Source::make(size, &["-pix_fmt", "yuv444p", "-g", "30"]);
        let rung = Received::of("240p", &Running::all(job(&[("240p", 240)]), &source));
        assert_eq!(rung.sizes(), [expected], "{size}");
        assert_eq!(rung.decode().len(), 60, "{size}");
    };
    check("639x359", (428, 240));
    check("406x720", (240, 426));
    check("360x640", (240, 426));
}

/// Two seconds at `rate`: what the rungs of 720 and 480 lines get.
fn at_rate(rate: u32) -> (Source, Received, Received) {
    let source = Source::make_at(
        rate,
        2,
        "1920x1080",
        &["-g", "30", "-bf", "2", "-preset", "ultrafast"],
    );
    let made = Running::all(job(&[("720p", 720), ("480p", 480)]), &source);
    let (high, low) = (Received::of("720p", &made), Received::of("480p", &made));
    (source, high, low)
}

#[test]
fn fast_sources_keep_their_rate_from_720_lines_up() {
    for rate in [50, 60] {
        let (source, high, low) = at_rate(rate);
        assert_eq!(high.shown(), source.shown());
        let every_second: Vec<Timestamp> = source.shown().into_iter().step_by(2).collect();
        assert_eq!(low.shown(), every_second, "at {rate}");
        assert_eq!(low.keyframes(), source.keyframes(), "at {rate}");
        let told = low.configs[0].picture().unwrap().frame_rate.unwrap();
        assert_eq!(told.as_f64(), f64::from(rate) / 2.0);
    }
    let (source, high, low) = at_rate(30);
    assert_eq!(high.shown(), source.shown());
    assert_eq!(low.shown(), source.shown());
}

#[test]
fn a_source_that_tells_no_rate_is_coded_as_one_that_does() {
    let mut source = Source::make("640x360", &["-g", "30", "-bf", "2"]);
    let told = Received::of("360p", &Running::all(job(&[("360p", 360)]), &source));
    let TrackConfig::Avc(avc) = &mut source.config else {
        panic!("the source is AVC")
    };
    assert!(avc.frame_rate.take().is_some());
    let untold = Received::of("360p", &Running::all(job(&[("360p", 360)]), &source));
    assert_eq!(untold.units, told.units, "from the first picture on");
    assert_eq!(untold.configs, told.configs);
}

#[test]
fn colour_is_what_it_was() {
    let check = |arguments: &[&str], expected: &str| {
        let source = Source::make("640x360", &[&["-g", "30"], arguments].concat());
        let rung = Received::of("240p", &Running::all(job(&[("240p", 240)]), &source));
        let told = rung.probe("stream=color_range,color_space,color_transfer,color_primaries");
        assert_eq!(
            told.last().map(String::as_str),
            Some(expected),
            "{arguments:?}"
        );
    };
    let bt2020 = [
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
    check(&bt2020, "tv,bt2020nc,arib-std-b67,bt2020");
    let bt601 = [
        "-colorspace",
        "smpte170m",
        "-color_trc",
        "smpte170m",
        "-color_primaries",
        "smpte170m",
    ];
    check(&bt601, "tv,smpte170m,smpte170m,smpte170m");
    let full = [
        "-pix_fmt",
        "yuv420p10le",
        "-color_range",
        "pc",
        "-colorspace",
        "bt709",
        "-color_trc",
        "bt709",
        "-color_primaries",
        "bt709",
    ];
    check(&full, "pc,bt709,bt709,bt709");
    // Eight bits of full range become studio range, and say so.
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
    check(&full, "tv,bt709,bt709,bt709");
}

#[test]
fn pixels_become_square() {
    // PAL, wide.
    let source = Source::make("720x576", &["-g", "30", "-aspect", "16:9"]);
    let rung = Received::of(
        "288p",
        &Running::all(
            LadderJob {
                renditions: vec![rung("288p", 288)],
                sound: Vec::new(),
                live: false,
            },
            &source,
        ),
    );
    assert_eq!(rung.sizes(), [(512, 288)]);
    let aspect = rung.configs[0].picture().unwrap().pixel_aspect;
    assert!(aspect.is_none_or(|aspect| aspect.horizontal == aspect.vertical));
}
