//! The simulation of a village, where every count can be checked.

use std::{fs::File, io::BufReader};

use super::{Size, cdn, ledger::Counts, scenario::Scenario, simulate, world::World};

fn run(scenario: &Scenario) -> (World, Counts) {
    let mut world = World::new(scenario.clone(), 0);
    world.run();
    let all = world.ledger.between(0, world.ledger.seconds.len());
    (world, all)
}

#[test]
fn a_shield_asks_for_each_object_once_and_nobody_is_lost() {
    let scenario = Scenario {
        // Machines stay.
        pop_lost_at: u64::MAX,
        shield_lost_at: u64::MAX,
        shield_back_at: u64::MAX,
        ..Scenario::village()
    };
    let (world, all) = run(&scenario);
    assert_eq!(all.repeated, 0);
    assert_eq!(all.past_shields, 0);
    assert_eq!((all.retries, all.failed, all.moved), (0, 0, 0));
    // While answers that were there already are most of what a peer gave, one that has to be waited
    // for seems late.
    assert!(1000 * all.hedges < all.to_shields, "{}", all.hedges);
    assert_eq!(
        world.ledger.viewers.last(),
        Some(&u64::from(scenario.viewers))
    );
    // Everything a viewer asked for was answered from the cache, together with others, or upstream.
    let upstream =
        all.all_requests() - all.hits.iter().sum::<u64>() - all.collapsed.iter().sum::<u64>();
    assert_eq!(upstream + all.hedges, all.to_shields);
    assert!(all.all_to_origins() < all.to_shields / 2);
    assert!(all.hit_ratio() > 0.8, "{}", all.hit_ratio());
}

#[test]
fn origins_do_not_feel_a_crowd() {
    let calm = Scenario {
        pop_lost_at: u64::MAX,
        shield_lost_at: u64::MAX,
        shield_back_at: u64::MAX,
        ..Scenario::village()
    };
    let alone = Scenario {
        viewers: calm.viewers - calm.crowd,
        crowd: 0,
        ..calm.clone()
    };
    // Once the crowd is there, and each rendition of the hot broadcast is watched with it and without.
    let to_origins = |scenario: &Scenario| {
        let (world, _) = run(scenario);
        world.ledger.between(11, 20).all_to_origins() as f64
    };
    let (with, without) = (to_origins(&calm), to_origins(&alone));
    assert!(with < 1.1 * without, "{with} requests instead of {without}");
}

#[test]
fn viewers_of_machines_that_are_lost_go_on() {
    let (world, all) = run(&Scenario::village());
    assert!(all.moved > 100, "{}", all.moved);
    assert!(all.retries > 0);
    // Positions and parts are asked for until they are there; what need not be held may fail while
    // the budget for retries is spent.
    assert!(10_000 * all.failed < all.all_requests(), "{}", all.failed);
    assert_eq!(world.ledger.viewers.last(), Some(&6000));
    // What the lost shield had not handed on yet, another one asks for; the same one asks again for
    // what seems late, and for what it forgot when it came back.
    let before = world.ledger.between(0, 17);
    assert!(before.repeated <= before.hedges);
    assert!(1000 * before.hedges < before.to_shields);
    // Every stream is followed in the last second as fast as it is made.
    let last = world.ledger.between(19, 20);
    let calm = world.ledger.between(8, 9);
    let parts = |counts: &Counts| counts.requests[4] as f64;
    assert!((parts(&last) / parts(&calm) - 1.0).abs() < 0.15);
}

#[test]
fn the_same_seed_makes_the_same_world() {
    let counts = || {
        let (world, all) = run(&Scenario::village());
        (
            world.events(),
            all.requests,
            all.hits,
            all.to_origins,
            all.retries,
        )
    };
    assert_eq!(counts(), counts());
}

#[test]
fn machines_share_a_site_and_nothing_else() {
    let scenario = Scenario {
        machines: 2,
        ..Scenario::village()
    };
    let both = simulate(&scenario);
    assert_eq!(both.ledger.viewers.last(), Some(&6000));
    let mut worlds = [0, 1].map(|machine| World::new(scenario.clone(), machine));
    worlds.iter_mut().for_each(World::run);
    let events: u64 = worlds.iter().map(World::events).sum();
    assert_eq!(both.events, events);
}

#[test]
fn the_command_draws_its_charts() {
    let folder = tempfile::tempdir().unwrap();
    cdn(Size::Village, folder.path()).unwrap();
    for chart in ["requests.png", "upstream.png", "late.png"] {
        let file = File::open(folder.path().join(chart)).unwrap();
        let mut reader = png::Decoder::new(BufReader::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!((reader.info().width, reader.info().height), (1200, 480));
        // White paper, and lines on it.
        let ink = pixels.iter().filter(|byte| **byte < 0x80).count();
        assert!((2000..pixels.len() / 2).contains(&ink), "{chart}: {ink}");
    }
}
