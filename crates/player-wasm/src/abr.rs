//! Throughput, and the choice of a rendition.
//!
//! Only time in which the network was the limit counts: from the first byte of a body to the last,
//! without the bytes that had come by then. A part requested before it exists spends its waiting in
//! the time to first byte; one that is sent while it is made tells the pace of the encoder, and is
//! left out.

/// Smallest body worth measuring, in bytes.
const MIN_BYTES: u64 = 16 * 1024;
/// Shortest time believed, in ms: below it the clock and the event loop are what is measured.
const MIN_BODY_MS: f64 = 4.0;
/// Fastest connection believed, in bits per second.
const MAX_BITS_PER_S: f64 = 200e6;
/// The bitrate begun with, in bits per second, when nothing is known.
const MODEST_BITS_PER_S: f64 = 2e6;

/// What one body told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Bytes of the body.
    pub bytes: u64,
    /// Bytes that came with the first read.
    pub first_bytes: u64,
    /// From the first read to the last, in ms.
    pub body_ms: f64,
    /// Media time in the body, in ms, if it may have been sent while it was made.
    pub live_pace_ms: Option<f64>,
}

/// A throughput estimate: the lesser of a quick and a slow moving average.
#[derive(Clone, Copy, Debug, Default)]
pub struct Throughput {
    quick: f64,
    slow: f64,
}

impl Throughput {
    /// Takes in a sample, if it says something about the network.
    pub fn add(&mut self, sample: Sample) {
        let at_live_pace = sample
            .live_pace_ms
            .is_some_and(|pace| (0.6 * pace..1.1 * pace).contains(&sample.body_ms));
        if sample.bytes < MIN_BYTES || at_live_pace {
            return;
        }
        let measured = match sample.bytes.saturating_sub(sample.first_bytes) {
            rest if rest >= MIN_BYTES => rest,
            // It came in one piece: faster than can be told, so the floor decides.
            _ => sample.bytes,
        };
        let seconds = sample.body_ms.max(MIN_BODY_MS) / 1000.0;
        let rate = (measured as f64 * 8.0 / seconds).min(MAX_BITS_PER_S);
        if self.slow == 0.0 {
            (self.quick, self.slow) = (rate, rate);
        }
        self.quick += 0.4 * (rate - self.quick);
        self.slow += 0.1 * (rate - self.slow);
    }

    /// Bits per second, once something has been measured.
    pub fn bits_per_s(&self) -> Option<f64> {
        (self.slow > 0.0).then_some(self.quick.min(self.slow))
    }
}

/// One rendition as the choice sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    /// Peak bits per second, audio included.
    pub bits_per_s: f64,
    /// Whether it may be chosen now.
    pub usable: bool,
}

/// The choice of a rendition. Rungs are in rising order of bitrate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Abr {
    /// What the network gives.
    pub throughput: Throughput,
    no_rise_before: u64,
}

impl Abr {
    /// Time between a switch and a rise, in ms.
    const SETTLE_MS: u64 = 3000;
    /// Time between a fall or a stall and a rise, in ms.
    const CAUTION_MS: u64 = 12_000;

    /// The rung to play. `buffer_s` is what is buffered ahead of the playhead.
    pub fn choose(&mut self, now: u64, rungs: &[Rung], active: usize, buffer_s: f64) -> usize {
        let estimate = self.throughput.bits_per_s();
        let within = |budget: f64| {
            let fits = |rung: &Rung| rung.usable && rung.bits_per_s <= budget;
            let lowest = || rungs.iter().position(|rung| rung.usable);
            rungs
                .iter()
                .rposition(fits)
                .or_else(lowest)
                .unwrap_or(active)
        };
        let Some(playing) = rungs.get(active).filter(|rung| rung.usable) else {
            return within(0.8 * estimate.unwrap_or(MODEST_BITS_PER_S));
        };
        let Some(estimate) = estimate else {
            return active;
        };
        let affordable = within(0.8 * estimate);
        if affordable < active {
            // A full buffer outlasts a dip.
            if buffer_s > 15.0 && playing.bits_per_s <= estimate {
                return active;
            }
            self.no_rise_before = now + Self::CAUTION_MS;
            return affordable;
        }
        // Rising asks for more than staying, so that the choice does not swing.
        let comfortable = within(0.65 * estimate);
        if comfortable > active && now >= self.no_rise_before {
            self.no_rise_before = now + Self::SETTLE_MS;
            return comfortable;
        }
        active
    }

    /// The rung to begin with.
    pub fn begin(&self, rungs: &[Rung]) -> usize {
        let budget = self
            .throughput
            .bits_per_s()
            .map_or(MODEST_BITS_PER_S, |rate| 0.65 * rate);
        rungs
            .iter()
            .rposition(|rung| rung.usable && rung.bits_per_s <= budget)
            .unwrap_or(0)
    }

    /// Notes that playback stalled: nothing rises for a while.
    pub fn stalled(&mut self, now: u64) {
        self.no_rise_before = now + Self::CAUTION_MS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burst(bits_per_s: f64) -> Sample {
        let bytes = 200_000;
        let first_bytes = 20_000;
        let body_ms = (bytes - first_bytes) as f64 * 8000.0 / bits_per_s;
        Sample {
            bytes,
            first_bytes,
            body_ms,
            live_pace_ms: None,
        }
    }

    fn rungs(kbit: &[u32]) -> Vec<Rung> {
        let rung = |&kbit: &u32| Rung {
            bits_per_s: f64::from(kbit) * 1000.0,
            usable: true,
        };
        kbit.iter().map(rung).collect()
    }

    #[test]
    fn measures_the_body_alone() {
        let mut throughput = Throughput::default();
        throughput.add(burst(5e6));
        let estimate = throughput.bits_per_s().unwrap();
        assert!((estimate - 5e6).abs() < 1.0, "{estimate}");
    }

    #[test]
    fn small_bodies_and_live_pace_tell_nothing() {
        let mut throughput = Throughput::default();
        throughput.add(Sample {
            bytes: 4000,
            body_ms: 100.0,
            ..Sample::default()
        });
        let paced = Sample {
            bytes: 100_000,
            first_bytes: 2000,
            body_ms: 330.0,
            live_pace_ms: Some(333.0),
        };
        throughput.add(paced);
        assert_eq!(throughput.bits_per_s(), None);
        // Slower than live is the network's doing.
        throughput.add(Sample {
            body_ms: 800.0,
            ..paced
        });
        assert!(throughput.bits_per_s().unwrap() < 1e6);
    }

    #[test]
    fn one_piece_counts_as_fast_but_not_infinite() {
        let mut throughput = Throughput::default();
        throughput.add(Sample {
            bytes: 40_000,
            first_bytes: 40_000,
            ..Sample::default()
        });
        assert_eq!(throughput.bits_per_s(), Some(80e6));
    }

    #[test]
    fn a_dip_is_believed_sooner_than_a_peak() {
        let mut throughput = Throughput::default();
        throughput.add(burst(10e6));
        throughput.add(burst(1e6));
        assert!(throughput.bits_per_s().unwrap() < 7e6);
        for _ in 0..3 {
            throughput.add(burst(50e6));
        }
        assert!(throughput.bits_per_s().unwrap() < 25e6);
    }

    #[test]
    fn begins_modestly_and_rises_when_the_network_carries_it() {
        let ladder = rungs(&[800, 1600, 6000]);
        let mut abr = Abr::default();
        assert_eq!(abr.begin(&ladder), 1);
        assert_eq!(abr.choose(0, &ladder, 1, 1.0), 1);
        abr.throughput.add(burst(20e6));
        assert_eq!(abr.choose(0, &ladder, 1, 1.0), 2);
    }

    #[test]
    fn falls_at_once_and_rises_late() {
        let ladder = rungs(&[800, 6000]);
        let mut abr = Abr::default();
        for _ in 0..20 {
            abr.throughput.add(burst(3e6));
        }
        assert_eq!(abr.choose(1000, &ladder, 1, 1.0), 0);
        for _ in 0..60 {
            abr.throughput.add(burst(30e6));
        }
        assert_eq!(abr.choose(5000, &ladder, 0, 1.0), 0);
        assert_eq!(abr.choose(13_001, &ladder, 0, 1.0), 1);
    }

    #[test]
    fn does_not_swing_between_two_thresholds() {
        let ladder = rungs(&[800, 6000]);
        let mut abr = Abr::default();
        for _ in 0..20 {
            abr.throughput.add(burst(8e6));
        }
        assert_eq!(abr.choose(100_000, &ladder, 0, 1.0), 0);
        assert_eq!(abr.choose(100_000, &ladder, 1, 1.0), 1);
    }

    #[test]
    fn leaves_what_may_not_be_chosen() {
        let mut ladder = rungs(&[800, 6000]);
        let mut abr = Abr::default();
        abr.throughput.add(burst(30e6));
        ladder[1].usable = false;
        assert_eq!(abr.choose(0, &ladder, 1, 1.0), 0);
        ladder[0].usable = false;
        assert_eq!(abr.choose(0, &ladder, 1, 1.0), 1);
    }
}
