//! Where everything is, on a square whose side light in fibre takes 60 ms for.

use super::{queue::Micros, scenario::Scenario};

/// From one side to the other, one way.
const ACROSS_US: f64 = 60_000.0;
/// What every way takes besides: switching, and the last mile of machines.
const SWITCHING_US: f64 = 1000.0;

#[derive(Clone, Copy)]
struct Place(f64, f64);

/// Places of points of presence, shields and origins.
pub(crate) struct Geography {
    /// Points of presence, then shields, then origins.
    places: Vec<Place>,
    pops: usize,
    shields: usize,
    nearest: Vec<Vec<u16>>,
}

impl Geography {
    pub(crate) fn new(scenario: &Scenario, random: &mut fastrand::Rng) -> Self {
        let (pops, shields) = (usize::from(scenario.pops), usize::from(scenario.shields));
        let anywhere = |random: &mut fastrand::Rng| Place(random.f64(), random.f64());
        let mut places: Vec<Place> = (0..pops).map(|_| anywhere(random)).collect();
        // Shields are spread out: one in each column, at different heights.
        places.extend((0..shields).map(|n| {
            let column = (n as f64 + 0.5) / shields as f64;
            Place(column, if n % 2 == 0 { 0.3 } else { 0.7 })
        }));
        places.extend((0..scenario.origins).map(|n| match n % 2 {
            0 => Place(0.25, 0.5),
            _ => Place(0.75, 0.5),
        }));
        let mut geography = Self {
            places,
            pops,
            shields,
            nearest: Vec::new(),
        };
        geography.nearest = (0..pops).map(|pop| geography.by_distance(pop)).collect();
        geography
    }

    fn by_distance(&self, pop: usize) -> Vec<u16> {
        let mut all: Vec<u16> = (0..self.pops as u16).collect();
        all.sort_by_key(|other| self.one_way(pop, usize::from(*other)));
        all
    }

    /// All points of presence, those nearest to `pop` first, which is the first.
    pub(crate) fn nearest_pops(&self, pop: usize) -> &[u16] {
        &self.nearest[pop]
    }

    /// Between two nodes: points of presence by their numbers, then shields.
    pub(crate) fn one_way(&self, a: usize, b: usize) -> Micros {
        let (a, b) = (self.places[a], self.places[b]);
        let distance = (a.0 - b.0).hypot(a.1 - b.1);
        (SWITCHING_US + ACROSS_US * distance) as Micros
    }

    /// Between a node and an origin.
    pub(crate) fn to_origin(&self, node: usize, origin: u16) -> Micros {
        self.one_way(node, self.pops + self.shields + usize::from(origin))
    }
}
