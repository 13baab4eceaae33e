//! A transcoder that leaves out its rungs, because the machine is too slow, and makes them again.

use weir_media::{live::Warning, record::SegmentRecord};

use crate::{
    encoder::Encoder,
    trouble::{gaps, play},
    world::{Event, World, rung},
};

#[test]
fn a_rung_that_is_left_out_has_gaps_on_time_and_returns_with_a_segment() {
    let mut world = World::new(vec![rung()]);
    let encoder = Encoder::default();
    let second = play(&mut world, &encoder, None, 7);
    world.schedule(0, Event::Shed);
    let second = play(&mut world, &encoder, Some(second), 8);
    let status = world.live.status();
    let shed: Vec<_> = status.shed.iter().map(|s| s.rendition.as_str()).collect();
    assert_eq!(shed, ["480p"]);
    let since = status.shed[0].since;
    assert!(since.0 <= world.now_ms - 7000, "{since:?}");
    // Its GAPs don't wait for what will not come.
    let last = |world: &World, name: &str| world.records(name).last().map(|r| r.msn);
    assert_eq!(last(&world, "480p"), last(&world, "source"));
    assert!(
        world.live.multivariant(None).unwrap().contains("480p"),
        "still listed"
    );

    world.schedule(0, Event::Return);
    play(&mut world, &encoder, Some(second), 8);
    assert_eq!(world.live.status().shed, []);
    let records = world.records("480p");
    let missing = gaps(&records);
    assert_eq!(missing.first(), Some(&3), "the segment that was being made");
    assert!((4..=6).contains(&missing.len()), "{missing:?}");
    let contiguous = missing.windows(2).all(|pair| pair[1] == pair[0] + 1);
    assert!(contiguous, "{missing:?}");
    assert!(
        records
            .iter()
            .all(|record| !record.discontinuity && record.init == 0)
    );
    let returned: Vec<&&SegmentRecord> = records
        .iter()
        .filter(|record| record.msn.0 > *missing.last().unwrap())
        .collect();
    assert!(returned.len() >= 2 && returned.iter().all(|record| !record.gap));
    for name in ["source", "audio"] {
        assert_eq!(gaps(&world.records(name)), Vec::<u64>::new(), "{name}");
    }
    assert_eq!(world.warnings, [Warning::RungShed]);
}

#[test]
fn a_new_transcoder_makes_all_rungs() {
    let mut world = World::new(vec![rung()]);
    let encoder = Encoder::default();
    let second = play(&mut world, &encoder, None, 5);
    world.schedule(0, Event::Shed);
    let second = play(&mut world, &encoder, Some(second), 5);
    world.schedule(0, Event::KillTranscoder);
    play(&mut world, &encoder, Some(second), 8);
    assert_eq!(world.live.status().shed, []);
    let last = world.records("480p").last().map(|record| record.gap);
    assert_eq!(last, Some(false));
}
