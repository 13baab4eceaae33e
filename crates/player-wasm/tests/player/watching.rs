//! What is counted of pages that are hidden, muted or paused.

use crate::sim::Sim;

#[test]
fn what_nobody_sees_or_hears_is_not_watched() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    let watched = |sim: &Sim| sim.player.meter().watched_ms();
    let before = watched(&sim);
    sim.player.attend(sim.now, false, true);
    sim.run(10_000);
    let heard = watched(&sim);
    assert!(heard > before + 9500, "sound is enough");
    sim.player.attend(sim.now, false, false);
    sim.run(10_000);
    assert!(watched(&sim) < heard + 500);
    sim.player.attend(sim.now, true, false);
    sim.run(10_000);
    assert!(watched(&sim) > heard + 9000, "so is a picture");
}

#[test]
fn a_pause_is_not_watched() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    sim.element.paused = true;
    sim.player.paused(sim.now);
    sim.run(1000);
    let before = sim.player.meter().watched_ms();
    sim.run(10_000);
    assert_eq!(sim.player.meter().watched_ms(), before);
    assert_eq!(sim.player.meter().stalls(), 0);
}

#[test]
fn a_stall_that_nobody_sees_is_not_counted() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    sim.player.attend(sim.now, false, false);
    sim.network.broken = Some(503);
    sim.run(20_000);
    sim.network.broken = None;
    sim.run(10_000);
    assert_eq!((sim.player.meter().stalls(), sim.counted("stall")), (0, 0));
}

#[test]
fn a_start_while_hidden_counts_as_a_view_and_tells_no_startup() {
    let mut sim = Sim::joining_after(61_500);
    sim.player.attend(sim.now, false, false);
    sim.run(2000);
    sim.player.attend(sim.now, true, true);
    sim.run(10_000);
    assert_eq!((sim.counted("view"), sim.counted("startup")), (1, 0));
}

#[test]
fn everything_unanswered_can_be_kept() {
    let mut sim = Sim::joining_after(61_500);
    sim.network.events_fail = true;
    sim.run(400_000);
    let kept = sim.player.unsent().unwrap();
    let batch = sim.player.farewell(sim.now).unwrap();
    assert!(kept.matches("\"seq\"").count() > batch.matches("\"seq\"").count());
    assert_eq!(batch.matches("\"seq\"").count(), 100);
    sim.network.events_fail = false;
    sim.run(60_000);
    let kept = sim.player.unsent().unwrap_or_default();
    assert!(!kept.contains("\"view\""), "{kept}");
}
