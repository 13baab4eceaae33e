//! Who watches what, where and how, drawn once from the scenario's seed.

use super::{
    catalogue::Coding,
    geography::Geography,
    queue::Micros,
    scenario::Scenario,
    stream::{AUDIO, Stream},
};

/// Round trips between viewers and their point of presence in microseconds, and how many of a hundred
/// viewers have them.
const ROUND_TRIPS: [(Micros, u32); 3] = [(8_000, 45), (30_000, 40), (90_000, 15)];

/// Viewers of a broadcast for each point of presence that has any, on average.
const TOGETHER: u32 = 20;

/// What viewers watch and how, in hundredths of them.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    /// Of each rendition of pictures.
    pub(crate) pictures: [u32; AUDIO],
    /// Who take gzip alone.
    pub(crate) gzip_alone: u32,
    /// Who do without low latency.
    pub(crate) plain: u32,
}

impl Mix {
    /// Of a large audience.
    pub(crate) const USUAL: Self = Self {
        pictures: [25, 40, 25, 10],
        gzip_alone: 10,
        plain: 20,
    };

    /// Everyone the same, with low latency, at 3 Mbit/s.
    pub(crate) const ALIKE: Self = Self {
        pictures: [0, 100, 0, 0],
        gzip_alone: 0,
        plain: 0,
    };
}

/// What viewers have in common who ask for the same at the same time: how far away they are, and how
/// lists are coded for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way(pub(crate) u8);

impl Way {
    pub(crate) fn coding(self) -> Coding {
        match self.0 % 2 {
            0 => Coding::Brotli,
            _ => Coding::Gzip,
        }
    }

    pub(crate) fn round_trip(self) -> Micros {
        ROUND_TRIPS[usize::from(self.0 / 2)].0
    }
}

/// One viewer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewer {
    /// The pictures that are watched.
    pub(crate) stream: Stream,
    pub(crate) way: Way,
    pub(crate) low_latency: bool,
}

/// A viewer who comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Micros,
    pub(crate) pop: u16,
    pub(crate) viewer: Viewer,
}

/// Everyone who comes: those of all broadcasts first, by Zipf's law with exponent 1, then the crowd of
/// the hot one.
pub(crate) fn arrivals(
    scenario: &Scenario,
    geography: &Geography,
    random: &mut fastrand::Rng,
) -> Vec<Arrival> {
    let mut arrivals = Vec::with_capacity(scenario.viewers as usize);
    let base = scenario.viewers - scenario.crowd;
    let mix = &scenario.mix;
    let harmonic: f64 = (1..=scenario.broadcasts)
        .map(|rank| 1.0 / f64::from(rank))
        .sum();
    for broadcast in 0..scenario.broadcasts {
        let share = 1.0 / (f64::from(broadcast + 1) * harmonic);
        let viewers = (f64::from(base) * share).round().max(1.0) as u32;
        let pops = (viewers / TOGETHER).clamp(1, u32::from(scenario.pops)) as usize;
        let home = random.usize(..usize::from(scenario.pops));
        let region = &geography.nearest_pops(home)[..pops];
        for _ in 0..viewers {
            let at = random.u64(..scenario.begin_over);
            let pop = region[random.usize(..pops)];
            arrivals.push(Arrival {
                at,
                pop,
                viewer: viewer(broadcast, mix, random),
            });
        }
    }
    for _ in 0..scenario.crowd {
        let at = scenario.crowd_at + random.u64(..scenario.crowd_over);
        let pop = random.u16(..scenario.pops);
        arrivals.push(Arrival {
            at,
            pop,
            viewer: viewer(0, mix, random),
        });
    }
    arrivals
}

/// The point of presence that has the most viewers when one is lost.
pub(crate) fn fullest_pop(scenario: &Scenario, arrivals: &[Arrival]) -> u16 {
    let mut viewers = vec![0_u32; usize::from(scenario.pops)];
    let there = arrivals.iter().filter(|a| a.at < scenario.pop_lost_at);
    there.for_each(|arrival| viewers[usize::from(arrival.pop)] += 1);
    (0..scenario.pops)
        .max_by_key(|pop| viewers[usize::from(*pop)])
        .unwrap_or(0)
}

fn viewer(broadcast: u32, mix: &Mix, random: &mut fastrand::Rng) -> Viewer {
    let distance = draw(&ROUND_TRIPS.map(|(_, share)| share), random) as u8;
    let gzip = random.u32(..100) < mix.gzip_alone;
    Viewer {
        stream: Stream::new(broadcast, draw(&mix.pictures, random)),
        way: Way(2 * distance + u8::from(gzip)),
        low_latency: random.u32(..100) >= mix.plain,
    }
}

/// A number drawn by shares of a hundred.
fn draw(shares: &[u32], random: &mut fastrand::Rng) -> usize {
    let mut left = random.u32(..100);
    let drawn = shares.iter().position(|share| {
        let here = left < *share;
        left = left.saturating_sub(*share);
        here
    });
    drawn.unwrap_or(0)
}
