//! Viewers who play faster or slower than it was recorded.

use crate::sim::Sim;
use crate::sim::origin::{DAY_MS, Origin};

fn recording() -> Sim {
    let start = DAY_MS + 3_600_000;
    let mut origin = Origin::live(start);
    origin.ends_at = Some(400);
    origin.recorded = true;
    Sim::new(origin, start + 7_200_000)
}

#[test]
fn twice_the_speed_takes_twice_the_network() {
    // It carries 3.128 Mbit/s once, and 1.028 Mbit/s twice.
    for (speed, fits) in [(1.0, true), (2.0, false)] {
        let mut sim = recording();
        sim.network.bits_per_s = 4_500_000;
        sim.element.speed = speed;
        sim.run(240_000);
        let late = sim.played.iter().skip(sim.played.len() / 2);
        let low = late.filter(|(_, name)| name == "480p").count();
        assert_eq!(low == 0, fits, "{low} at {speed}");
        assert_eq!(sim.player.meter().stalls(), 0, "at {speed}");
        assert!(sim.element.current_time_s > 238.0 * speed);
    }
}

#[test]
fn at_the_live_edge_nothing_is_faster_than_live() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    sim.element.speed = 2.0;
    sim.run(60_000);
    assert_eq!(sim.player.meter().stalls(), 0);
    assert!(sim.player.is_following());
    let target = sim.player.target_latency_ms(sim.clock()).unwrap();
    let latency = sim.latency_ms();
    assert!(
        (latency / target - 1.0).abs() < 0.15,
        "{latency} for {target}"
    );
    assert_eq!(sim.element.playback_rate(), 1.0);
}

#[test]
fn who_plays_slower_leaves_the_live_edge() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    sim.element.speed = 0.5;
    sim.run(30_000);
    assert!(!sim.player.is_following());
    let latency = sim.latency_ms();
    assert!((15_000.0..17_000.0).contains(&latency), "{latency}");
    assert_eq!(sim.element.playback_rate(), 0.5);
    // At the usual speed the distance stays.
    sim.element.speed = 1.0;
    sim.run(10_000);
    assert!((sim.latency_ms() - latency).abs() < 100.0);
    assert_eq!(sim.player.meter().stalls(), 0);
}

#[test]
fn who_plays_faster_arrives_at_the_live_edge() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    let (_, edge) = sim.player.window_s().unwrap();
    sim.player.seek(sim.now, edge - 30.0);
    sim.run(1000);
    assert!(!sim.player.is_following());
    sim.element.speed = 1.5;
    sim.run(90_000);
    assert!(sim.player.is_following());
    assert!(sim.latency_ms() < 1300.0, "{}", sim.latency_ms());
    assert_eq!(sim.player.meter().stalls(), 0);
}
