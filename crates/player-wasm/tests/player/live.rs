//! The player against an LL-HLS origin, on a virtual clock.

use crate::sim::Sim;
use weir_player_wasm::{Failure, Phase};

#[test]
fn plays_near_the_live_edge() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(60_000);
    assert_eq!(sim.sound_codec, "mp4a.40.2");
    let meter = sim.player.meter();
    assert!(
        meter.startup_ms().unwrap() < 300,
        "{:?}",
        meter.startup_ms()
    );
    assert_eq!(meter.stalls(), 0);
    assert!(meter.watched_ms() > 59_000 && meter.watched_ms() <= 60_000);
    let latency = sim.latency_ms();
    assert!((700.0..1200.0).contains(&latency), "{latency}");
    assert_eq!(sim.player.phase(), Phase::Ready);
    assert_eq!(sim.element.rate, 1.0);
    assert!(sim.origin.skips_served > 100, "delta updates are asked for");
}

#[test]
fn fetches_every_piece_once() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(30_000);
    let mut media: Vec<&String> = sim
        .fetched
        .iter()
        .filter(|url| url.ends_with(".m4s"))
        .collect();
    let all = media.len();
    media.sort();
    media.dedup();
    assert_eq!(media.len(), all);
}

#[test]
fn reports_one_view_and_the_time_watched() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(36_000);
    assert_eq!((sim.counted("view"), sim.counted("startup")), (1, 1));
    assert_eq!(sim.counted("watch"), 3);
    assert_eq!(sim.counted("latency"), 3);
    assert!(
        sim.posted
            .iter()
            .all(|batch| batch.contains("\"video\":\"oabcdefghijk\""))
    );
}

#[test]
fn events_wait_for_an_answer() {
    let mut sim = Sim::joining_after(61_500);
    sim.network.events_fail = true;
    sim.run(40_000);
    assert_eq!(sim.posted.len(), 0);
    sim.network.events_fail = false;
    sim.run(30_000);
    assert_eq!((sim.counted("view"), sim.counted("startup")), (1, 1));
    assert!(sim.counted("watch") >= 5);
}

#[test]
fn rises_to_what_the_network_carries_and_falls_before_it_stalls() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    assert_eq!(sim.rendition(), "source");
    sim.network.bits_per_s = 1_600_000;
    sim.run(15_000);
    assert_eq!(sim.rendition(), "480p");
    let stalls = sim.player.meter().stalls();
    assert!(stalls <= 2, "{stalls}");
    sim.run(20_000);
    assert_eq!(sim.player.meter().stalls(), stalls);
    sim.network.bits_per_s = 20_000_000;
    sim.run(30_000);
    assert_eq!(sim.rendition(), "source");
}

#[test]
fn a_fixed_rendition_is_kept() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(2000);
    sim.player.choose(sim.now, Some(0));
    sim.run(20_000);
    assert_eq!(sim.rendition(), "480p");
    let since = sim.now - 15_000;
    assert!(
        sim.played
            .iter()
            .filter(|(at, _)| *at > since)
            .all(|(_, name)| name == "480p")
    );
    sim.player.choose(sim.now, None);
    sim.run(10_000);
    assert_eq!(sim.rendition(), "source");
}

#[test]
fn another_rendition_fills_a_gap() {
    let mut sim = Sim::joining_after(61_500);
    sim.origin.rendition("source").gaps = vec![36, 37, 38];
    sim.run(40_000);
    // That the source has died is told by what the others say, which may be just in time.
    let stall_ms = sim.player.meter().stall_ms(sim.now);
    assert!(stall_ms < 300, "{stall_ms}");
    assert!(sim.fetched.iter().any(|url| url.contains("/480p/37")));
    assert_eq!(sim.rendition(), "source", "it comes back");
    assert!(sim.player.meter().watched_ms() > 39_000);
}

#[test]
fn a_gap_everywhere_is_crossed_when_the_encoder_is_back() {
    let mut sim = Sim::joining_after(61_500);
    sim.origin.away(35..38);
    sim.run(14_000);
    assert_eq!(sim.player.phase(), Phase::Away);
    assert!(sim.player.meter().is_stalled());
    sim.run(30_000);
    assert_eq!(sim.player.phase(), Phase::Ready);
    let meter = sim.player.meter();
    assert_eq!(meter.stalls(), 1);
    let stall_ms = meter.stall_ms(sim.now);
    assert!((5000..7500).contains(&stall_ms), "{stall_ms}");
    assert!(sim.latency_ms() < 1700.0, "{}", sim.latency_ms());
}

#[test]
fn a_new_epoch_goes_on_at_its_date() {
    let mut sim = Sim::joining_after(61_500);
    sim.origin.away(35..36);
    sim.origin.epoch_at = Some(36);
    sim.run(40_000);
    assert!(
        sim.fetched
            .iter()
            .any(|url| url.contains("/1/source/init-0.mp4"))
    );
    assert_eq!(sim.player.meter().stalls(), 1);
    assert!(!sim.player.meter().is_stalled());
    assert!(sim.latency_ms() < 1700.0, "{}", sim.latency_ms());
}

#[test]
fn what_begins_another_coding_waits_for_the_playlist_that_tells_so() {
    let mut sim = Sim::joining_after(61_500);
    // The hinted part comes sooner than the playlist with its EXT-X-MAP.
    sim.network.playlist_ms = 60;
    sim.origin.epoch_at = Some(36);
    sim.run(30_000);
    assert!(
        sim.fetched
            .iter()
            .any(|url| url.contains("/1/source/init-0.mp4"))
    );
    assert_eq!(sim.player.meter().stalls(), 0);
    assert!(sim.latency_ms() < 1300.0, "{}", sim.latency_ms());
}

#[test]
fn a_lagging_rendition_is_switched_to_all_the_same() {
    let mut sim = Sim::joining_after(61_500);
    sim.origin.rendition("480p").lag_ms = 500;
    sim.run(10_000);
    sim.player.choose(sim.now, Some(0));
    sim.run(10_000);
    assert_eq!(sim.rendition(), "480p");
    assert!(!sim.player.meter().is_stalled());
    sim.run(30_000);
    let stalls = sim.player.meter().stalls();
    sim.run(30_000);
    assert_eq!(sim.player.meter().stalls(), stalls, "it sits further back");
}

#[test]
fn waits_for_the_broadcast_to_begin() {
    let start = crate::sim::origin::DAY_MS + 3_600_000;
    let mut sim = Sim::new(crate::sim::origin::Origin::live(start), start - 8000);
    sim.run(7000);
    assert_eq!(sim.player.phase(), Phase::Waiting);
    sim.run(10_000);
    assert_eq!(sim.player.phase(), Phase::Ready);
    assert!(sim.player.meter().watched_ms() > 4000);
}

#[test]
fn recovers_from_an_outage_by_itself() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    sim.network.broken = Some(503);
    sim.run(9000);
    assert_eq!(sim.player.phase(), Phase::Trouble(Failure::Status(503)));
    sim.network.broken = None;
    sim.run(12_000);
    assert_eq!(sim.player.phase(), Phase::Ready);
    assert_eq!(sim.player.meter().stalls(), 1);
    assert!(sim.latency_ms() < 2500.0, "{}", sim.latency_ms());
}

#[test]
fn a_stuck_origin_is_asked_again_without_haste() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(5000);
    sim.network.broken = Some(500);
    sim.fetched.clear();
    sim.run(60_000);
    assert!(
        sim.fetched.len() < 120,
        "{} requests in a minute",
        sim.fetched.len()
    );
}

#[test]
fn ends_where_the_broadcast_ends() {
    let mut sim = Sim::joining_after(61_500);
    sim.origin.ends_at = Some(40);
    sim.run(30_000);
    assert_eq!(sim.player.phase(), Phase::Ended);
    assert_eq!(sim.ends_told, 1);
    assert_eq!(sim.player.meter().stalls(), 0);
    assert!(!sim.player.is_live());
}

#[test]
fn rewinds_within_the_window_and_goes_live_again() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    let position = sim.element.current_time_s;
    sim.player.seek(sim.now, position - 20.0);
    sim.run(5000);
    assert!(!sim.player.is_following());
    let expected = position - 15.0;
    assert!(
        (sim.element.current_time_s - expected).abs() < 0.5,
        "{}",
        sim.element.current_time_s
    );
    assert_eq!(sim.element.rate, 1.0, "nobody hurries it back");
    sim.player.go_live(sim.now);
    sim.run(5000);
    assert!(sim.player.is_following());
    assert!(sim.latency_ms() < 2000.0, "{}", sim.latency_ms());
    assert_eq!(sim.player.meter().stalls(), 0, "a seek is no stall");
}

#[test]
fn a_long_pause_ends_at_the_live_edge() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(10_000);
    sim.element.paused = true;
    sim.player.paused(sim.now);
    sim.run(40_000);
    sim.fetched.clear();
    sim.run(80_000);
    assert_eq!(
        sim.fetched.len(),
        0,
        "nothing is fetched for a paused viewer"
    );
    sim.element.paused = false;
    sim.run(60_000);
    assert_eq!(sim.player.phase(), Phase::Ready);
    assert!(sim.player.meter().watched_ms() > 60_000);
    assert!(!sim.player.meter().is_stalled());
}

#[test]
fn forgets_what_was_played() {
    let mut sim = Sim::joining_after(61_500);
    sim.run(120_000);
    let start = sim.element.buffered()[0].0;
    let behind = sim.element.current_time_s - start;
    assert!((25.0..45.0).contains(&behind), "{behind}");
}
