//! Pages that sleep, and clocks that are wrong.

use crate::sim::Sim;
use crate::sim::origin::{DAY_MS, Origin};
use weir_player_wasm::Phase;

const MINUTES_MS: u64 = 600_000;
const HOUR_MS: i64 = 3_600_000;

#[test]
fn a_page_that_slept_resumes_at_the_live_edge() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    sim.sleep(MINUTES_MS);
    sim.run(3000);
    assert_eq!(sim.player.phase(), Phase::Ready);
    assert!(sim.latency_ms() < 3000.0, "{}", sim.latency_ms());
    sim.run(10_000);
    assert!(!sim.player.meter().is_stalled());
    let stall_ms = sim.player.meter().stall_ms(sim.now);
    assert!(stall_ms < 2000, "sleeping is no stall: {stall_ms}");
    assert!(sim.player.meter().watched_ms() < 24_000);
}

#[test]
fn a_page_that_slept_while_rewound_goes_on_where_it_was() {
    let mut sim = Sim::joining_after(3_600_000);
    // Twenty minutes can be rewound.
    sim.origin.window = 600;
    sim.run(5000);
    let at = sim.element.current_time_s - 120.0;
    sim.player.seek(sim.now, at);
    sim.run(5000);
    sim.sleep(MINUTES_MS);
    sim.run(5000);
    let after = sim.element.current_time_s;
    assert!((at + 8.0..at + 11.0).contains(&after), "{at} {after}");
    assert!(!sim.player.is_following());
    assert!(!sim.player.meter().is_stalled());
}

#[test]
fn what_has_left_the_window_while_the_page_slept_is_given_up() {
    let mut sim = Sim::joining_after(3_600_000);
    sim.run(5000);
    sim.player.seek(sim.now, sim.element.current_time_s - 30.0);
    sim.run(5000);
    sim.sleep(MINUTES_MS);
    sim.run(10_000);
    assert!(sim.player.is_following());
    assert!(sim.latency_ms() < 3000.0, "{}", sim.latency_ms());
    assert!(!sim.player.meter().is_stalled());
}

#[test]
fn a_clock_that_is_hours_wrong_changes_nothing() {
    let start = DAY_MS + 10 * HOUR_MS as u64;
    let right = {
        let mut sim = Sim::new(Origin::live(start), start + 61_500);
        sim.run(40_000);
        sim.latency_ms()
    };
    for dates in [false, true] {
        for hours in [-7, 5] {
            let mut sim = Sim::ahead(Origin::live(start), start + 61_500, hours * HOUR_MS);
            sim.network.dates = dates;
            sim.run(40_000);
            let told = format!("{hours} h, dates: {dates}");
            assert_eq!(sim.player.meter().stalls(), 0, "{told}");
            assert_eq!(sim.seeks, 1, "{told}");
            let playhead = sim.player.playhead_date_ms().unwrap();
            let latency = sim.now as f64 - playhead;
            assert!((latency - right).abs() < 300.0, "{latency} ms, {told}");
            assert!((sim.latency_ms() - latency).abs() < 1000.0, "{told}");
            let time = sim.posted[1].split("\"time\":").nth(1).unwrap();
            let time: u64 = time[..13].parse().unwrap();
            assert!(time.abs_diff(start + 71_500) < 3000, "{time}, {told}");
        }
    }
}
