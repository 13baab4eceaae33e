use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_oneof, proptest,
};

use super::{Abr, Download, Live, Params, Rung, Sample, Situation};

fn burst(bits_per_s: f64) -> Sample {
    let bytes = 200_000;
    let first_bytes = 20_000;
    let body_ms = (bytes - first_bytes) as f64 * 8000.0 / bits_per_s;
    Sample {
        bytes,
        first_bytes,
        body_ms,
        ..Sample::default()
    }
}

fn rungs(kbit: &[u32]) -> Vec<Rung> {
    let rung = |&kbit: &u32| Rung {
        bits_per_s: f64::from(kbit) * 1000.0,
        usable: true,
        next_bits: 0.0,
    };
    kbit.iter().map(rung).collect()
}

/// A recording of which much is left.
fn recording(rungs: &[Rung], active: usize, buffer_s: f64) -> Situation<'_> {
    Situation {
        rungs,
        active,
        buffer_s,
        capacity_s: 60.0,
        segment_s: 2.0,
        left_s: 3600.0,
        rate: 1.0,
        live: None,
    }
}

/// The live edge of a broadcast in segments of 2 s.
fn live(rungs: &[Rung], active: usize, buffer_s: f64) -> Situation<'_> {
    Situation {
        capacity_s: 1.5,
        left_s: f64::INFINITY,
        live: Some(Live {
            latency_s: buffer_s + 0.3,
            target_s: 1.5,
        }),
        ..recording(rungs, active, buffer_s)
    }
}

/// One that has measured this for a while.
fn knowing(bits_per_s: f64) -> Abr {
    let mut abr = Abr::default();
    (0..200).for_each(|_| abr.throughput.add(burst(bits_per_s)));
    abr
}

#[test]
fn measures_the_body_alone() {
    let mut abr = Abr::default();
    abr.throughput.add(burst(5e6));
    let estimate = abr.throughput.bits_per_s().unwrap();
    assert!((estimate - 5e6).abs() < 1.0, "{estimate}");
}

#[test]
fn live_pace_tells_nothing() {
    let mut throughput = Abr::default().throughput;
    let paced = Sample {
        bytes: 100_000,
        first_bytes: 2000,
        body_ms: 330.0,
        live_pace_ms: Some(333.0),
        ..Sample::default()
    };
    throughput.add(paced);
    // Asked for when half of it had been made.
    throughput.add(Sample {
        first_bytes: 50_000,
        body_ms: 160.0,
        ..paced
    });
    assert_eq!(throughput.bits_per_s(), None);
    // Slower than live is the network's doing.
    throughput.add(Sample {
        body_ms: 800.0,
        ..paced
    });
    assert!(throughput.bits_per_s().unwrap() < 1e6);
}

#[test]
fn small_bodies_count_together() {
    let mut throughput = Abr::default().throughput;
    let small = Sample {
        bytes: 4096,
        body_ms: 100.0,
        ..Sample::default()
    };
    (0..3).for_each(|_| throughput.add(small));
    assert_eq!(throughput.bits_per_s(), None);
    throughput.add(small);
    let estimate = throughput.bits_per_s().unwrap();
    assert!((estimate - 4096.0 * 80.0).abs() < 1.0, "{estimate}");
}

#[test]
fn one_piece_counts_as_fast_but_not_infinite() {
    let mut throughput = Abr::default().throughput;
    throughput.add(Sample {
        bytes: 40_000,
        first_bytes: 40_000,
        ..Sample::default()
    });
    assert_eq!(throughput.bits_per_s(), Some(80e6));
}

#[test]
fn a_dip_is_believed_sooner_than_a_peak() {
    let fallen = |to: f64, of: f64| {
        let mut abr = knowing(of);
        (0..3).for_each(|_| abr.throughput.add(burst(to)));
        abr.throughput.bits_per_s().unwrap()
    };
    assert!(fallen(1e6, 10e6) < 5e6);
    assert!(fallen(100e6, 10e6) < 20e6);
}

#[test]
fn begins_modestly_or_where_it_was() {
    let ladder = rungs(&[800, 1400, 6000]);
    let mut abr = Abr::default();
    assert_eq!(abr.begin(&ladder), 1);
    abr.recall(20e6);
    assert_eq!(abr.begin(&ladder), 2);
    // What is measured soon counts for more.
    (0..4).for_each(|_| abr.throughput.add(burst(1e6)));
    assert!(abr.throughput.bits_per_s().unwrap() < 5e6);
    abr.recall(50e6);
    assert!(abr.throughput.bits_per_s().unwrap() < 5e6);
    for hostile in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
        let mut abr = Abr::default();
        abr.recall(hostile);
        assert_eq!(abr.throughput.bits_per_s(), None);
    }
}

#[test]
fn what_is_above_the_reserve_is_spent() {
    let ladder = rungs(&[400, 800, 1600, 2100, 3500]);
    // On the whole it carries the third rung.
    let mut abr = Abr::default();
    (0..300).for_each(|i| abr.throughput.add(burst([1.5e6, 3e6][i % 2])));
    let mut choose = |left_s| {
        let at = Situation {
            left_s,
            ..recording(&ladder, 2, 33.0)
        };
        abr.choose(0, &at)
    };
    // A film that is nearly over needs little of a reserve; with an hour to go it may be needed.
    assert!(choose(10.0) > 2);
    assert!(choose(3600.0) <= 2);
}

#[test]
fn what_has_not_varied_need_not_be_mistrusted() {
    let ladder = rungs(&[400, 800, 1600, 2200, 3500]);
    assert!(knowing(2e6).choose(0, &recording(&ladder, 2, 30.0)) > 2);
}

#[test]
fn twice_the_speed_is_twice_the_bitrate() {
    let ladder = rungs(&[400, 800, 1600, 3000]);
    for (rate, rung) in [(1.0, 3), (2.0, 2), (4.0, 1)] {
        let at = Situation {
            rate,
            ..recording(&ladder, 1, 8.0)
        };
        assert_eq!(knowing(4.5e6).choose(0, &at), rung, "at {rate}");
    }
}

#[test]
fn does_not_swing_between_two_thresholds() {
    let ladder = rungs(&[800, 2000]);
    let mut abr = knowing(2.05e6);
    for active in [0, 1] {
        assert_eq!(abr.choose(0, &recording(&ladder, active, 9.0)), active);
    }
}

#[test]
fn live_stays_below_what_the_network_carries() {
    let ladder = rungs(&[400, 1600, 3000, 6000]);
    assert_eq!(knowing(12e6).choose(0, &live(&ladder, 0, 1.2)), 3);
    assert_eq!(knowing(4e6).choose(0, &live(&ladder, 3, 1.2)), 2);
    assert_eq!(knowing(1e6).choose(0, &live(&ladder, 3, 0.2)), 0);
}

#[test]
fn a_clock_that_is_hours_wrong_changes_nothing() {
    let ladder = rungs(&[400, 1600, 3000, 6000]);
    for hours in [-7.0, 0.0, 5.0] {
        let mut at = live(&ladder, 2, 1.2);
        let wrong = |live: Live| Live {
            latency_s: live.latency_s + 3600.0 * hours,
            target_s: live.target_s + 3600.0 * hours,
        };
        at.live = at.live.map(wrong);
        assert_eq!(knowing(12e6).choose(0, &at), 3, "{hours} h");
    }
}

#[test]
fn a_stall_keeps_from_rising_for_a_while() {
    let ladder = rungs(&[800, 6000]);
    let mut abr = knowing(30e6);
    let at = recording(&ladder, 0, 20.0);
    abr.stalled(1000);
    assert_eq!(abr.choose(1001, &at), 0);
    assert_eq!(abr.choose(1001 + Params::CHOSEN.wary_ms, &at), 1);
}

#[test]
fn leaves_what_may_not_be_chosen() {
    let mut ladder = rungs(&[800, 6000]);
    let mut abr = knowing(30e6);
    ladder[1].usable = false;
    assert_eq!(abr.choose(0, &recording(&ladder, 1, 1.0)), 0);
    ladder[0].usable = false;
    assert_eq!(abr.choose(0, &recording(&ladder, 1, 1.0)), 1);
    assert_eq!(abr.choose(0, &recording(&[], 1, 1.0)), 1);
}

#[test]
fn gives_up_what_comes_too_late_and_not_what_comes_in_time() {
    let ladder = rungs(&[300, 1000, 6000]);
    let abr = knowing(8e6);
    let of = Download {
        rung: 2,
        since_ms: 400.0,
        body_ms: 350.0,
        bits: 40e3,
        bits_left: 12e6,
    };
    let abandon = |of: Download, buffer_s: f64| abr.abandon(&recording(&ladder, 2, buffer_s), &of);
    assert!(abandon(of, 2.0).is_some_and(|other| other < 2));
    // Too soon to tell.
    assert_eq!(
        abandon(
            Download {
                since_ms: 250.0,
                ..of
            },
            2.0
        ),
        None
    );
    // It comes as it should.
    assert_eq!(
        abandon(
            Download {
                bits: 2.8e6,
                bits_left: 9.2e6,
                ..of
            },
            4.0
        ),
        None
    );
    // The buffer outlasts it.
    assert_eq!(abandon(of, 50.0), None);
    // Nearly through.
    assert_eq!(
        abandon(
            Download {
                bits_left: 100e3,
                ..of
            },
            2.0
        ),
        None
    );
    // Nothing has come for a second.
    let silent = Download {
        since_ms: 1200.0,
        body_ms: 0.0,
        bits: 0.0,
        ..of
    };
    assert!(abandon(silent, 1.0).is_some());
    assert_eq!(abandon(Download { rung: 0, ..silent }, 1.0), None);
}

#[test]
fn buffers_longer_what_weighs_little() {
    let abr = Abr::default();
    assert_eq!(abr.forward_s(500e3), 120.0);
    assert_eq!(abr.forward_s(6e6), 60.0);
    assert_eq!(abr.forward_s(20e6), 30.0);
    assert_eq!(abr.forward_s(0.0), 120.0);
}

/// Numbers as a page may give them.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..60.0_f64,
        2 => 0.0..20e6_f64,
        1 => any::<f64>(),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
    ]
}

fn ladder() -> impl Strategy<Value = Vec<Rung>> {
    let rung = (50e3..20e6_f64, any::<bool>(), number());
    let rung = rung.prop_map(|(bits_per_s, usable, next_bits)| Rung {
        bits_per_s,
        usable,
        next_bits,
    });
    prop::collection::vec(rung, 1..9).prop_map(|mut rungs| {
        rungs.sort_by(|a, b| a.bits_per_s.total_cmp(&b.bits_per_s));
        rungs
    })
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let sample = (
        any::<u32>(),
        any::<u32>(),
        number(),
        prop::option::of(number()),
    );
    let sample = sample.prop_map(|(bytes, first_bytes, body_ms, other)| Sample {
        bytes: bytes.into(),
        first_bytes: first_bytes.into(),
        body_ms,
        live_pace_ms: other,
        wait_ms: other,
    });
    prop::collection::vec(sample, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whatever the numbers, the choice is a rung that may be chosen, and it is the same again.
    #[test]
    fn never_chooses_what_may_not_be_chosen(
        rungs in ladder(),
        samples in samples(),
        active in 0_usize..12,
        numbers in prop::array::uniform7(number()),
        follows in any::<bool>(),
    ) {
        let mut abr = Abr::default();
        samples.into_iter().for_each(|sample| abr.throughput.add(sample));
        let [buffer_s, capacity_s, segment_s, left_s, rate, latency_s, target_s] = numbers;
        let live = follows.then_some(Live { latency_s, target_s });
        let at = Situation { rungs: &rungs, active, buffer_s, capacity_s, segment_s, left_s, rate, live };
        let chosen = abr.choose(0, &at);
        let any_usable = rungs.iter().any(|rung| rung.usable);
        let may = if any_usable { rungs[chosen].usable } else { chosen == active };
        prop_assert!(may);
        prop_assert!(abr.choose(0, &at) == chosen);
        let begun = abr.begin(&rungs);
        prop_assert!(begun < rungs.len() && (rungs[begun].usable || !any_usable));
        prop_assert!(abr.throughput.bits_per_s().is_none_or(|rate| rate.is_finite() && rate > 0.0));
        prop_assert!((30.0..=120.0).contains(&abr.forward_s(buffer_s)));
        let of = Download { rung: active, since_ms: buffer_s, body_ms: rate, bits: segment_s, bits_left: left_s };
        if let Some(other) = abr.abandon(&at, &of) {
            prop_assert!(other < active && rungs[other].usable);
        }
    }

    /// With more buffer no lower rung is chosen, once there is enough for the reserve to decide.
    #[test]
    fn more_buffer_never_means_less_quality(
        rungs in ladder(),
        rate in 100e3..30e6_f64,
        active in 0_usize..9,
        left_s in 0.0..1000.0_f64,
        buffers in prop::array::uniform2(8.0..60.0_f64),
    ) {
        let mut abr = knowing(rate);
        let [less, more] = if buffers[0] <= buffers[1] { buffers } else { [buffers[1], buffers[0]] };
        let active = active.min(rungs.len() - 1);
        let mut choose = |buffer_s| {
            // What is buffered was left before.
            let left_s = left_s + more - buffer_s;
            abr.choose(0, &Situation { left_s, ..recording(&rungs, active, buffer_s) })
        };
        let (low, high) = (choose(less), choose(more));
        prop_assert!(!rungs[low].usable || low <= high, "{low} with {less} s, {high} with {more} s");
    }

    /// A faster network is never given a lower first rung.
    #[test]
    fn a_faster_network_begins_no_lower(rungs in ladder(), rates in prop::array::uniform2(100e3..50e6_f64)) {
        let [slow, fast] = if rates[0] <= rates[1] { rates } else { [rates[1], rates[0]] };
        let begin = |rate| {
            let mut abr = Abr::default();
            abr.recall(rate);
            abr.begin(&rungs)
        };
        prop_assert!(begin(slow) <= begin(fast));
    }
}
