use super::*;

fn shown(frames: &[(f64, f64, u32)]) -> Vec<Shown> {
    let many = |(from, to, height): &(f64, f64, u32)| {
        let (from, height) = (*from, *height);
        let count = ((to - from) * 24.0).round() as u32;
        (0..count).map(move |n| Shown {
            media_s: from + f64::from(n) / 24.0,
            height,
        })
    };
    frames.iter().flat_map(many).collect()
}

fn fetched(path: &str, bytes: u64, size: u64) -> Transfer {
    Transfer {
        path: path.to_owned(),
        asked_ms: 0.0,
        until_ms: 0.0,
        bytes,
        size: Some(size),
    }
}

fn percent(frames: &[(f64, f64, u32)], playhead_s: f64, log: &[Transfer]) -> f64 {
    100.0 * wasted(&shown(frames), playhead_s, log)
}

#[test]
fn what_is_shown_is_not_wasted() {
    let log = [
        fetched("/film/360p/1.m4s", 400, 400),
        fetched("/film/720p/2.m4s", 1000, 1000),
        fetched("/film/sound/1.m4s", 50, 50),
    ];
    let frames = [(0.0, 4.0, 360), (4.0, 6.0, 720)];
    assert!(percent(&frames, 6.0, &log).abs() < 1e-9);
}

#[test]
fn what_another_rung_took_the_place_of_is_wasted() {
    let log = [
        fetched("/film/360p/1.m4s", 400, 400),
        fetched("/film/720p/1.m4s", 600, 600),
    ];
    assert!((percent(&[(0.0, 4.0, 720)], 5.0, &log) - 40.0).abs() < 1e-9);
    // Half of the segment had been seen.
    let frames = [(0.0, 2.0, 360), (2.0, 4.0, 720)];
    assert!((percent(&frames, 5.0, &log) - 50.0).abs() < 1e-9);
}

#[test]
fn what_was_given_up_is_wasted_but_for_what_was_shown() {
    let log = [
        fetched("/film/720p/1.m4s", 300, 1000),
        fetched("/film/360p/1.m4s", 700, 700),
    ];
    assert!((percent(&[(0.0, 4.0, 360)], 5.0, &log) - 30.0).abs() < 1e-9);
    let frames = [(0.0, 1.0, 720), (1.0, 4.0, 360)];
    let expected = 100.0 - 25.0 - 0.75 * 70.0;
    assert!((percent(&frames, 5.0, &log) - expected).abs() < 1e-9);
}

#[test]
fn what_lies_ahead_is_not_wasted_unless_it_was_fetched_again() {
    let log = [
        fetched("/film/360p/2.m4s", 400, 400),
        fetched("/film/720p/2.m4s", 600, 600),
    ];
    assert!((percent(&[(0.0, 3.0, 360)], 3.0, &log) - 40.0).abs() < 1e-9);
}

#[test]
fn what_was_skipped_and_sound_that_came_twice_are_wasted() {
    let log = [
        fetched("/film/360p/1.m4s", 400, 400),
        fetched("/film/sound/2.m4s", 300, 300),
        fetched("/film/sound/2.m4s", 300, 300),
        fetched("/film/360p/init.mp4", 9000, 9000),
    ];
    assert!((percent(&[(8.0, 9.0, 360)], 9.0, &log) - 70.0).abs() < 1e-9);
}

#[test]
fn a_stall_is_a_playhead_that_stands_still() {
    let mut ticks = Vec::new();
    let mut position = 0.0;
    for tick in 0..100 {
        // Before the first frame nothing counts; from 2000 to 2500 ms it stands still.
        let now = f64::from(tick) * 50.0;
        let moves = now > 1000.0 && !(2000.0..2500.0).contains(&now);
        position += if moves { 0.05 } else { 0.0 };
        ticks.extend([now, position, 0.0]);
    }
    assert!((stalled_ms(&ticks, 1000.0) - 500.0).abs() < 60.0);
    // The end is none.
    ticks.extend([6000.0, position, 1.0, 7000.0, position, 1.0]);
    assert!((stalled_ms(&ticks, 1000.0) - 500.0).abs() < 60.0);
}

#[test]
fn a_stall_at_the_end_counts() {
    let ticks: Vec<f64> = (0..40)
        .flat_map(|n| [f64::from(n) * 50.0, 1.5, 0.0])
        .collect();
    assert_eq!(stalled_ms(&ticks, 0.0), 39.0 * 50.0);
}

#[test]
fn a_picture_that_stays_is_frozen() {
    let frames = [(0.0, 0.0), (42.0, 0.04), (900.0, 0.9), (942.0, 0.94)];
    let frames = frames.map(|(at_ms, media_s)| [at_ms, media_s, 360.0]);
    assert_eq!(frozen_ms(&frames.concat()), 858.0);
}

#[test]
fn latency_is_from_the_last_departure() {
    let sent =
        [(7, 1000.0), (8, 1040.0), (7, 25_000.0)].map(|(index, at_ms)| Sent { index, at_ms });
    let marks = [(7, 2500.0), (8, 2530.0), (9, 2600.0)].map(|(index, at_ms)| Mark { index, at_ms });
    assert_eq!(latencies(&marks, &sent), [1490.0, 1500.0]);
}
