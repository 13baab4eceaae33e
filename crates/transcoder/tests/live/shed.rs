//! A ladder that is too much for any machine: what is shed, what goes on, what returns.

use std::{
    thread,
    time::{Duration, Instant},
};

use weir_media::{
    framing::{Frame, LadderJob, LadderRung, RungState},
    unit::{TIMESCALE, Timestamp},
};

use crate::support::{Received, Running, Source, rung};

/// Pushes a source in real time, a segment at each keyframe.
fn push_in_real_time(running: &Running, source: &Source) {
    running.ladder.configure(source.config.clone());
    let began = Instant::now();
    for unit in &source.units {
        let due = Duration::from_secs_f64(unit.dts.as_secs_f64());
        thread::sleep(due.saturating_sub(began.elapsed()));
        running.ladder.push(unit.clone(), unit.keyframe);
    }
}

fn changes(made: &[Frame], name: &str) -> Vec<(RungState, Timestamp)> {
    let change = |frame: &Frame| match frame {
        Frame::Rung {
            rendition,
            state,
            at,
        } if rendition.as_str() == name => Some((*state, *at)),
        _ => None,
    };
    made.iter().filter_map(change).collect()
}

/// 6 s of 30 pictures a second, then as long as it takes of two, in GOPs of 2 s.
fn busy_then_calm() -> Source {
    let mut source = Source::make_long(
        24,
        "1280x720",
        &[
            "-g",
            "60",
            "-keyint_min",
            "60",
            "-sc_threshold",
            "0",
            "-bf",
            "0",
            "-preset",
            "ultrafast",
        ],
    );
    let busy_until = 6 * i64::from(TIMESCALE);
    let mut number = 0;
    source.units.retain(|unit| {
        number = if unit.keyframe { 0 } else { number + 1 };
        // Without B-frames every prefix of a GOP can be decoded.
        unit.dts.0 < busy_until || number < 4
    });
    for unit in &mut source.units {
        let gop = unit.dts.0 / (2 * i64::from(TIMESCALE));
        let within = unit.dts.0 % (2 * i64::from(TIMESCALE));
        if unit.dts.0 >= busy_until {
            let spread = Timestamp(gop * 2 * i64::from(TIMESCALE) + within * 15);
            (unit.dts, unit.pts) = (spread, spread);
        }
    }
    source
}

#[test]
fn the_top_rung_goes_and_returns_while_the_lowest_never_misses_a_picture() {
    let source = busy_then_calm();
    let heavy = LadderRung {
        // Some pictures a second at best.
        preset: Some("placebo".to_owned()),
        ..rung("700p", 700)
    };
    let light = LadderRung {
        preset: Some("ultrafast".to_owned()),
        ..rung("120p", 120)
    };
    let running = Running::start(LadderJob {
        renditions: vec![heavy, light],
        sound: Vec::new(),
        live: true,
    });
    push_in_real_time(&running, &source);
    let made = running.finish();

    assert_eq!(Received::of("120p", &made).shown(), source.shown());
    assert_eq!(changes(&made, "120p"), []);
    let changes = changes(&made, "700p");
    let [(RungState::Shed, shed), (RungState::Made, back)] = changes[..] else {
        panic!("{changes:?}")
    };
    assert!(shed < Timestamp::from_ms(6000), "{shed:?}");
    assert!(
        source.keyframes().contains(&back),
        "with a segment: {back:?}"
    );
    let heavy = Received::of("700p", &made);
    assert_eq!(heavy.configs.len(), 1, "coded as before");
    assert!(heavy.keyframes().contains(&back));
    let after = |all: Vec<Timestamp>| {
        all.into_iter()
            .filter(|pts| *pts >= back)
            .collect::<Vec<_>>()
    };
    assert_eq!(after(heavy.shown()), after(source.shown()));
}

#[test]
fn a_ladder_that_is_not_live_sheds_nothing() {
    let source = Source::make_long(3, "640x360", &["-g", "30", "-bf", "0"]);
    let slow = LadderRung {
        preset: Some("veryslow".to_owned()),
        ..rung("300p", 300)
    };
    let job = LadderJob {
        renditions: vec![slow],
        sound: Vec::new(),
        live: false,
    };
    let made = Running::all(job, &source);
    assert_eq!(changes(&made, "300p"), []);
    assert_eq!(Received::of("300p", &made).shown(), source.shown());
}
