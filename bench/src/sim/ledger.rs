//! What is counted, second by second.

use weir_edge_abi::Class;

use super::queue::Micros;

/// The classes that players ask for, in the order of their numbers.
pub(crate) const CLASSES: [Class; 5] = [
    Class::Playlist,
    Class::Multivariant,
    Class::Init,
    Class::Segment,
    Class::Part,
];

/// Counts of one second, or of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Requests of viewers, by class.
    pub(crate) requests: [u64; CLASSES.len()],
    /// Of them, answered from the cache.
    pub(crate) hits: [u64; CLASSES.len()],
    /// Of them, answered with what somebody else was waiting for already.
    pub(crate) collapsed: [u64; CLASSES.len()],
    /// How late answers left the point of presence, by class.
    pub(crate) late: [Lateness; CLASSES.len()],
    /// Requests from points of presence to shields.
    pub(crate) to_shields: u64,
    /// Requests to origins, by class.
    pub(crate) to_origins: [u64; CLASSES.len()],
    /// Of them, straight from points of presence.
    pub(crate) past_shields: u64,
    /// Of them, for what the same shield, or points of presence, had asked for before, and that
    /// never gets other bytes.
    pub(crate) repeated: u64,
    /// Requests that were asked again because a peer failed.
    pub(crate) retries: u64,
    /// Second requests for what was late.
    pub(crate) hedges: u64,
    /// Viewers whose point of presence went away, and who went to another one.
    pub(crate) moved: u64,
    /// Viewers' requests that were answered with a failure.
    pub(crate) failed: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        let lists = [
            (&mut self.requests, &other.requests),
            (&mut self.hits, &other.hits),
            (&mut self.collapsed, &other.collapsed),
            (&mut self.to_origins, &other.to_origins),
        ];
        for (sum, list) in lists {
            sum.iter_mut().zip(list).for_each(|(sum, n)| *sum += n);
        }
        let late = self.late.iter_mut().zip(&other.late);
        late.for_each(|(sum, late)| sum.add(late));
        let single = [
            (&mut self.to_shields, other.to_shields),
            (&mut self.past_shields, other.past_shields),
            (&mut self.repeated, other.repeated),
            (&mut self.retries, other.retries),
            (&mut self.hedges, other.hedges),
            (&mut self.moved, other.moved),
            (&mut self.failed, other.failed),
        ];
        for (sum, n) in single {
            *sum += n;
        }
    }

    /// Requests of viewers.
    pub(crate) fn all_requests(&self) -> u64 {
        self.requests.iter().sum()
    }

    /// Requests to origins.
    pub(crate) fn all_to_origins(&self) -> u64 {
        self.to_origins.iter().sum()
    }

    /// The share of viewers' requests that caused none upstream.
    pub(crate) fn hit_ratio(&self) -> f64 {
        let kept = self.hits.iter().chain(&self.collapsed).sum();
        share(kept, self.all_requests())
    }

    /// How late answers were, of all classes.
    pub(crate) fn all_late(&self) -> Lateness {
        let mut all = Lateness::default();
        self.late.iter().for_each(|late| all.add(late));
        all
    }
}

/// `of` as a share of `all`.
pub(crate) fn share(of: u64, all: u64) -> f64 {
    of as f64 / all.max(1) as f64
}

/// Counts by second of virtual time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) seconds: Vec<Counts>,
    /// Viewers there at the end of each second.
    pub(crate) viewers: Vec<u64>,
}

impl Ledger {
    /// The counts of the second that `at` is in.
    pub(crate) fn at(&mut self, at: Micros) -> &mut Counts {
        let second = (at / 1_000_000) as usize;
        if self.seconds.len() <= second {
            self.seconds.resize_with(second + 1, Counts::default);
        }
        &mut self.seconds[second]
    }

    /// Adds what was counted elsewhere at the same time.
    pub(crate) fn add(&mut self, other: &Self) {
        for (second, counts) in (0..).zip(&other.seconds) {
            self.at(second * 1_000_000).add(counts);
        }
        let seconds = self.viewers.len().max(other.viewers.len());
        self.viewers.resize(seconds, 0);
        let viewers = self.viewers.iter_mut().zip(&other.viewers);
        viewers.for_each(|(sum, n)| *sum += n);
    }

    /// The counts of the seconds from one to another.
    pub(crate) fn between(&self, from: usize, to: usize) -> Counts {
        let mut sum = Counts::default();
        let seconds = self.seconds.iter().take(to).skip(from);
        seconds.for_each(|second| sum.add(second));
        sum
    }
}

/// Buckets of a factor of the eighth root of 2 from 64 µs on, up to 30 s.
const BUCKETS: usize = 152;

/// A distribution of times.
#[derive(Clone, Debug)]
pub(crate) struct Lateness {
    buckets: [u64; BUCKETS],
    all: u64,
}

impl Default for Lateness {
    fn default() -> Self {
        Self {
            buckets: [0; BUCKETS],
            all: 0,
        }
    }
}

impl Lateness {
    pub(crate) fn count(&mut self, late: Micros, times: u64) {
        let bucket = match late {
            0..64 => 0,
            late => 1 + ((late as f64 / 64.0).log2() * 8.0) as usize,
        };
        self.buckets[bucket.min(BUCKETS - 1)] += times;
        self.all += times;
    }

    fn add(&mut self, other: &Self) {
        let buckets = self.buckets.iter_mut().zip(&other.buckets);
        buckets.for_each(|(sum, n)| *sum += n);
        self.all += other.all;
    }

    /// What the share `of` (0 to 1) is at most, in milliseconds, to a tenth of it.
    pub(crate) fn quantile_ms(&self, of: f64) -> f64 {
        let wanted = (self.all as f64 * of).ceil() as u64;
        let mut seen = 0;
        let at = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        match at.unwrap_or(0) {
            0 => 0.0,
            bucket => 0.064 * 2_f64.powf(bucket as f64 / 8.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_tenth() {
        let mut late = Lateness::default();
        assert_eq!(late.quantile_ms(0.99), 0.0);
        late.count(0, 900);
        late.count(10_000, 90);
        late.count(2_000_000, 10);
        assert_eq!(late.quantile_ms(0.9), 0.0);
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 0.1;
        assert!(
            near(late.quantile_ms(0.95), 10.0),
            "{}",
            late.quantile_ms(0.95)
        );
        assert!(
            near(late.quantile_ms(0.999), 2000.0),
            "{}",
            late.quantile_ms(0.999)
        );
    }
}
