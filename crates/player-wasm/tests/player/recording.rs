//! The player and a recording.

use crate::sim::Sim;
use crate::sim::origin::{DAY_MS, Origin};
use weir_player_wasm::Phase;

fn recording(segments: u64) -> Sim {
    let start = DAY_MS + 3_600_000;
    let mut origin = Origin::live(start);
    origin.ends_at = Some(segments);
    origin.recorded = true;
    Sim::new(origin, start + 7_200_000)
}

#[test]
fn plays_from_the_beginning_to_the_end() {
    let mut sim = recording(30);
    sim.run(10_000);
    assert!(!sim.player.is_live());
    assert_eq!(sim.player.latency_ms(sim.now), None);
    assert!((9.0..10.0).contains(&sim.element.current_time_s));
    let (_, end) = sim.element.buffered()[0];
    let ahead = end - sim.element.current_time_s;
    assert!((49.0..51.0).contains(&ahead), "{ahead}");
    sim.run(55_000);
    assert_eq!(sim.player.phase(), Phase::Ended);
    assert_eq!((sim.ends_told, sim.player.meter().stalls()), (1, 0));
    let watched = sim.player.meter().watched_ms();
    assert!((59_000..=60_000).contains(&watched), "{watched}");
    assert_eq!(sim.counted("latency"), 0);
}

#[test]
fn buffers_as_far_ahead_as_it_weighs_little() {
    // 45 MB of 3.128 and of 1.028 Mbit/s, but no more than two minutes.
    for (chosen, least, most) in [(1, 110.0, 117.0), (0, 116.0, 122.0)] {
        let mut sim = recording(1000);
        sim.run(500);
        sim.player.choose(sim.now, Some(chosen));
        sim.run(60_000);
        let (_, end) = sim.element.buffered()[0];
        let ahead = end - sim.element.current_time_s;
        assert!((least..most).contains(&ahead), "{ahead}");
    }
}

#[test]
fn learns_what_a_declared_peak_comes_to() {
    // 3.128 Mbit/s are declared. All of it does not fit; where half of it comes, it does.
    for (share, fits) in [(1, false), (2, true)] {
        let mut sim = recording(400);
        for name in ["source", "480p"] {
            sim.origin.rendition(name).bits_per_s /= share;
        }
        sim.network.bits_per_s = 2_300_000;
        sim.run(240_000);
        let late = sim.played.iter().skip(sim.played.len() / 2);
        let low = late.filter(|(_, name)| name == "480p").count();
        assert_eq!(low == 0, fits, "{low} at {share}");
        assert_eq!(sim.player.meter().stalls(), 0);
    }
}

#[test]
fn seeks_anywhere() {
    let mut sim = recording(1000);
    sim.run(3000);
    for to in [1500.0, 100.0, 101.0, 1999.0] {
        sim.player.seek(sim.now, to);
        sim.run(1000);
        let at = sim.element.current_time_s;
        assert!((to..to + 1.1).contains(&at), "{at} after a seek to {to}");
    }
    assert_eq!(sim.player.meter().stalls(), 0);
}

#[test]
fn crosses_a_hole() {
    let mut sim = recording(30);
    sim.origin.away(5..8);
    sim.origin.epoch_at = Some(8);
    sim.run(20_000);
    let at = sim.element.current_time_s;
    assert!((24.0..26.5).contains(&at), "{at}");
    let stall_ms = sim.player.meter().stall_ms(sim.now);
    assert!(stall_ms < 1000, "{stall_ms}");
}

#[test]
fn an_audio_hole_alone_is_crossed_too() {
    let mut sim = recording(30);
    sim.origin.rendition("audio").gaps = vec![4];
    sim.run(20_000);
    assert!(
        sim.element.current_time_s > 20.0,
        "{}",
        sim.element.current_time_s
    );
}
