//! Playlists that stand still, start over, have no dates or no parts, and media that don't fit them.

use crate::sim::Sim;
use crate::sim::origin::{DAY_MS, Origin};
use weir_player_wasm::Phase;

fn recording(misfits: Vec<(u64, i64)>) -> Sim {
    let start = DAY_MS + 3_600_000;
    let mut origin = Origin::live(start);
    origin.ends_at = Some(30);
    origin.recorded = true;
    origin.misfits = misfits;
    Sim::new(origin, start + 7_200_000)
}

#[test]
fn a_playlist_that_stands_still_is_waited_for_without_haste() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    sim.origin.stuck_at = Some(sim.now);
    sim.fetched.clear();
    sim.run(60_000);
    assert_eq!(sim.player.phase(), Phase::Away);
    assert!(sim.fetched.len() < 120, "{} requests", sim.fetched.len());
    sim.origin.stuck_at = None;
    sim.run(10_000);
    assert_eq!(sim.player.phase(), Phase::Ready);
    assert!(!sim.player.meter().is_stalled());
    assert!(sim.latency_ms() < 3000.0, "{}", sim.latency_ms());
}

#[test]
fn without_blocking_a_playlist_that_stands_still_is_waited_for_too() {
    let mut sim = Sim::joining_after(61_500);
    sim.origin.plain = true;
    sim.run(10_000);
    sim.origin.stuck_at = Some(sim.now);
    sim.fetched.clear();
    sim.run(60_000);
    assert_eq!(sim.player.phase(), Phase::Away);
    assert!(sim.fetched.len() < 100, "{} requests", sim.fetched.len());
    sim.origin.stuck_at = None;
    sim.run(20_000);
    assert_eq!(sim.player.phase(), Phase::Ready);
    assert!(!sim.player.meter().is_stalled());
}

#[test]
fn another_rendition_goes_on_where_one_stands_still() {
    let mut sim = Sim::joining_after(61_500);
    sim.origin.plain = true;
    sim.run(20_000);
    assert_eq!(sim.rendition(), "source");
    sim.origin.stuck_at = Some(sim.now);
    sim.origin.stuck = vec!["source"];
    sim.run(30_000);
    assert_eq!(sim.rendition(), "480p");
    assert!(!sim.player.meter().is_stalled());
}

#[test]
fn live_without_dates_or_parts() {
    let mut sim = Sim::joining_after(61_500);
    sim.origin.plain = true;
    sim.origin.undated = true;
    sim.run(120_000);
    assert_eq!(sim.player.meter().stalls(), 0);
    assert!(sim.player.meter().watched_ms() > 118_000);
    assert_eq!(sim.player.latency_ms(sim.now), None);
    let (_, edge) = sim.player.window_s().unwrap();
    let behind = edge - sim.element.current_time_s;
    assert!((6.0..20.0).contains(&behind), "{behind}");
    sim.player.choose(sim.now, Some(0));
    sim.run(40_000);
    assert_eq!(sim.rendition(), "480p");
    assert_eq!(
        sim.player.meter().stalls(),
        0,
        "renditions lie beside each other"
    );
}

#[test]
fn a_little_missing_between_segments_is_jumped_over() {
    let mut sim = recording(vec![(4, -400), (5, -150), (8, -900)]);
    sim.run(30_000);
    assert!(
        sim.element.current_time_s > 28.0,
        "{}",
        sim.element.current_time_s
    );
    let stall_ms = sim.player.meter().stall_ms(sim.now);
    assert!(stall_ms < 2000, "{stall_ms}");
}

#[test]
fn a_little_too_much_between_segments_does_no_harm() {
    let mut sim = recording(vec![(4, 300), (5, 80), (8, 700)]);
    sim.run(30_000);
    assert!(sim.element.current_time_s > 29.0);
    assert_eq!(sim.player.meter().stalls(), 0);
}

#[test]
fn a_server_that_counts_from_the_beginning_again_is_followed() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    // The same broadcast, but its numbers start over, and so do its media times.
    let now = sim.now;
    sim.origin = Origin::live(now - 4000);
    sim.origin.restarted = true;
    sim.run(30_000);
    assert_eq!(sim.player.phase(), Phase::Ready);
    assert!(!sim.player.meter().is_stalled());
    assert!(sim.latency_ms() < 5000.0, "{}", sim.latency_ms());
}
