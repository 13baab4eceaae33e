//! A network that goes away, and servers that refuse.

use crate::sim::Sim;
use crate::sim::origin::{DAY_MS, Origin};
use weir_player_wasm::{Failure, Phase};

fn recording() -> Sim {
    let start = DAY_MS + 3_600_000;
    let mut origin = Origin::live(start);
    origin.ends_at = Some(100);
    origin.recorded = true;
    Sim::new(origin, start + 7_200_000)
}

#[test]
fn a_live_stream_goes_on_after_a_minute_without_network() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    sim.network.gone = true;
    sim.fetched.clear();
    sim.run(60_000);
    assert_eq!(sim.player.phase(), Phase::Trouble(Failure::Network));
    assert!(sim.fetched.len() < 120, "{} requests", sim.fetched.len());
    sim.network.gone = false;
    sim.player.online(sim.now);
    sim.run(3000);
    assert_eq!(sim.player.phase(), Phase::Ready);
    assert!(!sim.player.meter().is_stalled());
    assert_eq!(sim.player.meter().stalls(), 1);
    assert!(sim.latency_ms() < 6000.0, "{}", sim.latency_ms());
}

#[test]
fn a_recording_goes_on_where_it_was_after_minutes_without_network() {
    let mut sim = recording();
    sim.run(20_000);
    sim.network.gone = true;
    // What is buffered outlasts a minute.
    sim.run(60_000);
    assert_eq!(sim.player.meter().stalls(), 0);
    sim.run(90_000);
    let before = sim.element.current_time_s;
    assert!((80.0..140.0).contains(&before), "{before}");
    sim.network.gone = false;
    // Nobody tells that the network is back.
    sim.run(15_000);
    let after = sim.element.current_time_s;
    assert!(
        (before + 9.0..before + 16.0).contains(&after),
        "{before} {after}"
    );
}

#[test]
fn another_rendition_takes_the_place_of_a_refused_segment() {
    for status in [404, 500, 503] {
        let mut sim = recording();
        sim.network.faults = vec![("/source/7.m4s", status)];
        sim.run(30_000);
        assert_eq!(sim.player.meter().stalls(), 0, "{status}");
        assert!(sim.fetched.iter().any(|url| url.ends_with("/480p/7.m4s")));
        assert!(sim.player.meter().watched_ms() > 29_000);
        sim.run(20_000);
        assert_eq!(sim.rendition(), "source", "it comes back");
    }
}

#[test]
fn a_segment_refused_everywhere_is_passed_by() {
    for status in [404, 500] {
        let mut sim = recording();
        sim.network.faults = vec![("/source/7.m4s", status), ("/480p/7.m4s", status)];
        sim.run(40_000);
        assert!(
            sim.element.current_time_s > 36.0,
            "{}",
            sim.element.current_time_s
        );
        let asked = sim.fetched.iter().filter(|url| url.contains("/7.m4s"));
        assert!(asked.count() < 20);
    }
}

#[test]
fn nothing_is_passed_by_when_a_server_refuses_everything() {
    let mut sim = recording();
    sim.run(4000);
    sim.network.broken = Some(503);
    sim.run(50_000);
    sim.network.broken = None;
    sim.run(10_000);
    let [(start, end)] = sim.element.buffered()[..] else {
        panic!("{:?}", sim.element.buffered());
    };
    assert!(start < 10.0 && end > 40.0, "{start} {end}");
}

#[test]
fn a_slow_transfer_is_given_up_for_a_lower_rendition() {
    let mut sim = recording();
    sim.run(8000);
    assert_eq!(sim.rendition(), "source");
    // Little is buffered, and then the network slows down in the midst of a segment.
    sim.player.seek(sim.now, 100.0);
    sim.run(400);
    sim.network.bits_per_s = 1_100_000;
    sim.run(20_000);
    assert_eq!(sim.rendition(), "480p");
    assert!(sim.player.wasted_bytes() > 0);
    assert!(sim.player.wasted_bytes() < sim.player.bytes());
}

#[test]
fn what_plays_already_is_given_up_only_when_it_has_run_dry() {
    // The network was better at the last visit.
    let mut sim = Sim::recalling(recording().origin, Some(20e6));
    sim.network.bits_per_s = 1_000_000;
    while sim.player.switches() == 0 {
        sim.run(5);
    }
    assert!(sim.player.buffer_s() < 0.3);
    // A decoder that is not told looks for the next independent frame, which is a segment away.
    assert_eq!(sim.seeks, 1);
    sim.run(20_000);
    assert!(sim.element.current_time_s > 10.0);
}

#[test]
fn sound_does_not_run_ahead_of_the_picture() {
    let mut sim = recording();
    sim.network.bits_per_s = 1_500_000;
    let number = |url: &String| url.rsplit('/').next()?.strip_suffix(".m4s")?.parse().ok();
    for _ in 0..100 {
        sim.run(100);
        let (mut sound, mut picture) = (-1, -1);
        for url in &sim.fetched {
            let newest = if url.contains("/audio/") {
                &mut sound
            } else {
                &mut picture
            };
            *newest = number(url).unwrap_or(-1).max(*newest);
        }
        assert!(sound <= picture, "sound {sound}, picture {picture}");
    }
    assert!(sim.element.current_time_s > 5.0);
}

#[test]
fn an_estimate_of_before_is_begun_with() {
    for (throughput, first) in [(Some(20e6), "source"), (None, "480p")] {
        let mut sim = Sim::recalling(recording().origin, throughput);
        sim.run(500);
        assert_eq!(sim.played[0].1, first);
    }
}
