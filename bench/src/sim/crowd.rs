//! One live video at one point of presence, watched by more and more: what its origin is asked, and
//! how much later than a lone viewer everyone has each playlist position and each part.

use std::{collections::HashMap, sync::Arc};

use super::{
    catalogue::Object,
    cores::{ANSWER, ASK},
    queue::Micros,
    scenario::Scenario,
    world::World,
};

/// No viewer is to wait so much longer than a lone one.
pub(crate) const MOST_EXTRA: Micros = 50_000;

/// Everyone follows the stream from here on, and is counted until there.
const FROM_SECOND: usize = 6;
const TO_SECOND: usize = 17;

/// What one crowd came to.
pub(crate) struct Crowd {
    pub(crate) viewers: u32,
    pub(crate) cores: u16,
    /// Requests at the origin, a second.
    pub(crate) origin_rate: f64,
    /// Most requests for one part, initialisation segment or playlist position, from the beginning.
    pub(crate) most_for_one: u16,
    /// Requests of all viewers, a second.
    pub(crate) viewer_rate: f64,
    /// What all answers take of the network, in Gbit/s, without their heads.
    pub(crate) gbits: f64,
    /// How much later than a lone viewer each viewer had each position and part, in microseconds,
    /// sorted.
    pub(crate) extra: Vec<u32>,
    /// Positions and parts that somebody never got.
    pub(crate) missed: usize,
}

impl Crowd {
    /// How many cores are busy on average.
    pub(crate) fn busy_cores(&self) -> f64 {
        self.viewer_rate * (ASK + ANSWER) as f64 / 1e6
    }

    /// How much longer than a lone viewer `percent` of a hundred waited at most, in milliseconds.
    pub(crate) fn extra_ms(&self, percent: usize) -> f64 {
        let last = self.extra.len().saturating_sub(1);
        let extra = self.extra.get(last * percent / 100);
        extra.map_or(f64::NAN, |extra| f64::from(*extra) / 1000.0)
    }

    /// Whether nobody waited much longer than a lone viewer.
    pub(crate) fn is_in_time(&self) -> bool {
        let longest = self.extra.last().copied();
        self.missed == 0 && longest.is_some_and(|extra| Micros::from(extra) <= MOST_EXTRA)
    }
}

/// So many viewers at one machine with so many cores.
pub(crate) fn watch(viewers: u32, cores: u16) -> Crowd {
    let alone = run(1, cores);
    let alone: HashMap<Arc<str>, u32> = counted(&alone)
        .filter_map(|object| Some((object.key.clone(), *object.late.borrow().first()?)))
        .collect();
    let world = run(viewers, cores);
    let mut crowd = Crowd {
        viewers,
        cores,
        origin_rate: 0.0,
        most_for_one: most_for_one(&world),
        viewer_rate: 0.0,
        gbits: 0.0,
        extra: Vec::new(),
        missed: 0,
    };
    let seconds = (TO_SECOND - FROM_SECOND) as f64;
    let counts = world.ledger.between(FROM_SECOND, TO_SECOND);
    crowd.origin_rate = counts.all_to_origins() as f64 / seconds;
    crowd.viewer_rate = counts.all_requests() as f64 / seconds;
    let mut seen = 0;
    for object in counted(&world) {
        let late = object.late.borrow();
        crowd.gbits += late.len() as f64 * f64::from(object.bytes) * 8e-9 / seconds;
        match alone.get(&object.key) {
            Some(alone) if late.len() == viewers as usize => {
                seen += 1;
                let extra = late.iter().map(|late| late.saturating_sub(*alone));
                crowd.extra.extend(extra);
            }
            _ => {}
        }
    }
    crowd.missed = alone.len() - seen;
    crowd.extra.sort_unstable();
    crowd
}

/// The same with the fewest cores with which nobody waits much longer than a lone viewer.
pub(crate) fn watch_in_time(viewers: u32) -> Crowd {
    /// A viewer gets pictures and sound, and of each a playlist and a part.
    const AT_ONCE: u64 = 4;
    // With fewer, the last of all these answers alone would be too late.
    let answers = u64::from(viewers) * AT_ONCE * ANSWER;
    let mut cores = answers.div_ceil(MOST_EXTRA + AT_ONCE * ANSWER) as u16;
    loop {
        let crowd = watch(viewers, cores);
        if crowd.is_in_time() {
            return crowd;
        }
        cores += (cores / 64).max(1);
    }
}

fn run(viewers: u32, cores: u16) -> World {
    let mut world = World::new(Scenario::one_video(viewers, cores), 0);
    world.run();
    world
}

/// Positions and parts that everyone waited for.
fn counted(world: &World) -> impl Iterator<Item = &Object> {
    const SECOND: Micros = 1_000_000;
    let while_counted = FROM_SECOND as Micros * SECOND..TO_SECOND as Micros * SECOND;
    let objects = world.catalogue.objects();
    objects.filter(move |object| object.held && while_counted.contains(&object.complete_at))
}

fn most_for_one(world: &World) -> u16 {
    let once = world.catalogue.objects().filter(|object| object.once);
    let asked = once.map(|object| object.asked.iter().map(std::cell::Cell::get).sum());
    asked.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_does_not_notice_how_many_watch() {
        let few = watch(10, 1);
        assert_eq!((few.most_for_one, few.missed), (1, 0));
        for (viewers, cores) in [(100, 1), (1000, 2)] {
            let crowd = watch(viewers, cores);
            assert_eq!((crowd.most_for_one, crowd.missed), (1, 0));
            let ratio = crowd.origin_rate / few.origin_rate;
            assert!((ratio - 1.0).abs() < 0.05, "{viewers} viewers: {ratio}");
            let per_viewer = crowd.viewer_rate / f64::from(viewers);
            assert!((per_viewer - 12.0).abs() < 0.5, "{per_viewer}");
        }
    }

    #[test]
    fn nobody_waits_much_longer_than_alone_if_there_are_enough_cores() {
        let enough = watch_in_time(1500);
        assert!(enough.extra_ms(100) <= 50.0, "{}", enough.extra_ms(100));
        let fewer = watch(1500, enough.cores - 1);
        assert!(!fewer.is_in_time());
        assert_eq!(fewer.most_for_one, 1);
        // Every answer takes its time, so the last one waits for all others.
        let least = 1500.0 * 0.021 * 4.0 / f64::from(fewer.cores);
        assert!(fewer.extra_ms(100) > 0.9 * least, "{}", fewer.extra_ms(100));
        assert!(fewer.busy_cores() < f64::from(fewer.cores));
    }

    #[test]
    fn whoever_is_alone_waits_for_nobody() {
        let alone = watch(1, 1);
        assert_eq!((alone.missed, alone.extra_ms(100)), (0, 0.0));
    }

    #[test]
    fn too_few_cores_are_noticed() {
        let crowd = watch(4000, 1);
        assert!(!crowd.is_in_time());
        assert!(crowd.busy_cores() > 0.9);
        assert_eq!(crowd.most_for_one, 1);
    }
}
