//! Media that the browser cannot decode, and more than it has room for.

use crate::sim::Sim;
use crate::sim::origin::{DAY_MS, Origin};

fn recording() -> Sim {
    let start = DAY_MS + 3_600_000;
    let mut origin = Origin::live(start);
    origin.ends_at = Some(60);
    origin.recorded = true;
    Sim::new(origin, start + 7_200_000)
}

#[test]
fn a_decoder_error_is_made_good_at_the_same_place() {
    let mut sim = recording();
    sim.run(10_000);
    let before = sim.element.current_time_s;
    assert!(sim.player.decode_failed(sim.now, None));
    sim.run(1000);
    assert_eq!(sim.opens, 2);
    let after = sim.element.current_time_s;
    assert!(
        (before - 0.1..before + 1.1).contains(&after),
        "{before} {after}"
    );
    sim.run(10_000);
    assert!(sim.element.current_time_s > before + 9.5);
    assert_eq!(sim.opens, 2);
}

#[test]
fn another_rendition_takes_the_place_of_one_that_cannot_be_decoded() {
    let mut sim = Sim::joining_after(61_500);
    sim.undecodable = vec![("source", 36)];
    sim.run(40_000);
    assert!(sim.fetched.iter().any(|url| url.contains("/480p/36")));
    assert!(sim.opens <= 4, "{}", sim.opens);
    assert!(!sim.player.meter().is_stalled());
    assert!(sim.player.meter().watched_ms() > 36_000);
    assert!(sim.latency_ms() < 2000.0, "{}", sim.latency_ms());
}

#[test]
fn what_nothing_can_decode_is_left_out() {
    let mut sim = recording();
    sim.undecodable = vec![("source", 8), ("480p", 8)];
    sim.run(40_000);
    assert!(
        sim.element.current_time_s > 36.0,
        "{}",
        sim.element.current_time_s
    );
    assert!(!sim.player.meter().is_stalled());
}

#[test]
fn gives_up_when_nothing_helps() {
    let mut sim = recording();
    sim.run(5000);
    let attempts = (0..20)
        .filter(|_| sim.player.decode_failed(sim.now, None))
        .count();
    assert!((3..10).contains(&attempts), "{attempts}");
    assert!(
        sim.player.decode_failed(sim.now + 600_000, None),
        "a new try later"
    );
}

#[test]
fn less_is_kept_where_there_is_less_room() {
    let mut sim = recording();
    sim.room_s = 20.0;
    sim.run(60_000);
    assert!(sim.player.meter().watched_ms() > 59_000);
    assert_eq!(sim.player.meter().stalls(), 0);
    let early = sim.quota_errors;
    assert!(early > 0);
    sim.run(55_000);
    let late = sim.quota_errors - early;
    assert!(
        late <= early / 2 + 2,
        "{early}, then {late}: it has learnt nothing"
    );
    // Nothing was fetched twice for want of room.
    let mut media: Vec<_> = sim
        .fetched
        .iter()
        .filter(|url| url.ends_with(".m4s"))
        .collect();
    let all = media.len();
    media.sort();
    media.dedup();
    assert_eq!(media.len(), all);
}
