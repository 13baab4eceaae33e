//! Networks on which it is known what must come out.

use proptest::prelude::{ProptestConfig, any, prop, prop_assert, proptest};
use weir_player_wasm::abr::Params;

use super::{
    live,
    movie::Movie,
    recording::{self, Buffer},
    rules::Kind,
    score::Score,
    trace::Trace,
};

fn trace(rows: &[(u32, u32, u32)]) -> Trace {
    let mut text = String::from("duration_ms,bandwidth_kbps,latency_ms\n");
    for (ms, kbit, latency_ms) in rows {
        text += &format!("{ms},{kbit},{latency_ms}\n");
    }
    Trace::parse("family", "trace", &text).unwrap()
}

fn watch(rule: Kind, trace: &Trace) -> Score {
    let mut chooser = rule.make(&Params::CHOSEN);
    recording::watch(
        &mut *chooser,
        trace,
        &Movie::broadcast(),
        Buffer::PLAYER,
        None,
    )
}

fn watch_live(rule: Kind, trace: &Trace) -> Score {
    let mut chooser = rule.make(&Params::CHOSEN);
    live::watch(&mut *chooser, trace, &Movie::broadcast(), 300.0, None)
}

#[test]
fn a_trace_repeats_itself() {
    let trace = trace(&[(1000, 2000, 10), (1000, 0, 20), (2000, 1000, 30)]);
    assert_eq!(trace.length_s(), 4.0);
    for (at_s, bits) in [(0.5, 1e6), (1.5, 2e6), (3.0, 3e6), (4.0, 4e6), (9.5, 10e6)] {
        assert!((trace.bits_by(at_s) - bits).abs() < 1.0, "{at_s}");
    }
    assert!((trace.through(0.5, 1.5e6) - 2.5).abs() < 1e-9);
    assert!((trace.through(3.0, 2e6) - 4.5).abs() < 1e-9);
    assert_eq!(
        [0.0, 1.2, 3.0, 5.5].map(|at_s| trace.latency_s(at_s)),
        [0.01, 0.02, 0.03, 0.02]
    );
}

#[test]
fn refuses_what_is_no_trace() {
    for text in [
        "h\n1,2\n",
        "h\n1,x,3\n",
        "h\n1000,0,10\n",
        "h\n1000,-5,10\n",
        "",
        "h\n1,NaN,1\n",
    ] {
        assert!(Trace::parse("f", "t", text).is_err(), "{text:?}");
    }
}

#[test]
fn nobody_stalls_with_plenty() {
    let plenty = trace(&[(60_000, 40_000, 20)]);
    for rule in Kind::ALL {
        let score = watch(rule, &plenty);
        assert_eq!(score.stall_s, 0.0, "{}", rule.name());
        assert_eq!(score.segments, 300.0);
        if rule != Kind::Lowest {
            assert!(
                score.mean_kbit() > 5000.0,
                "{}: {}",
                rule.name(),
                score.mean_kbit()
            );
        }
    }
}

#[test]
fn ours_takes_what_a_steady_network_carries_and_stays() {
    // Between 1600 and 3000 kbit/s.
    let score = watch(Kind::Ours, &trace(&[(60_000, 2400, 40)]));
    assert_eq!(score.stall_s, 0.0);
    assert!(score.mean_kbit() > 1500.0, "{}", score.mean_kbit());
    assert!(
        score.switches_a_minute() < 2.0,
        "{}",
        score.switches_a_minute()
    );
}

#[test]
fn ours_survives_an_outage_that_its_buffer_outlasts() {
    let score = watch(Kind::Ours, &trace(&[(120_000, 2400, 40), (25_000, 0, 40)]));
    assert_eq!(score.stall_s, 0.0);
}

#[test]
fn a_live_viewer_of_a_steady_network_keeps_the_target() {
    let score = watch_live(Kind::Ours, &trace(&[(60_000, 5000, 20)]));
    let (latency_s, target_s) = score.mean_latency_s();
    assert_eq!(score.stalls, 0.0);
    assert!(
        (latency_s / target_s - 1.0).abs() < 0.1,
        "{latency_s} for {target_s}"
    );
    assert!(score.mean_kbit() > 2500.0, "{}", score.mean_kbit());
}

#[test]
fn a_live_viewer_gives_up_a_segment_that_comes_too_late() {
    let falling = trace(&[(60_000, 4000, 40), (60_000, 900, 40)]);
    let ours = watch_live(Kind::Ours, &falling);
    // Shaka chooses again after 8 s.
    let waits = watch_live(Kind::Shaka, &falling);
    assert!(ours.wasted_bits > 0.0);
    assert!(
        ours.stall_s < waits.stall_s,
        "{} {}",
        ours.stall_s,
        waits.stall_s
    );
    assert!(ours.qoe() > waits.qoe(), "{} {}", ours.qoe(), waits.qoe());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Time is either media played, start-up or stall, whatever the network does.
    #[test]
    fn every_session_ends(
        rows in prop::collection::vec((1_u32..20_000, 0_u32..50_000, 0_u32..500), 1..20),
        rule in 0..Kind::ALL.len(),
        again in any::<bool>(),
    ) {
        let mut rows = rows;
        rows.push((1000, 500, 20));
        let trace = trace(&rows);
        let watch = if again { watch } else { watch_live };
        let (one, two) = (watch(Kind::ALL[rule], &trace), watch(Kind::ALL[rule], &trace));
        prop_assert!(one.qoe().is_finite() && one.stall_s >= 0.0 && one.startup_s >= 0.0);
        prop_assert!(one.mean_kbit() <= 6000.0 && one.wasted_bits <= one.bits);
        prop_assert!(one.qoe() == two.qoe() && one.bits == two.bits);
    }
}
