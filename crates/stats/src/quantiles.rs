//! How values are spread: DDSketch (Masson et al. 2019) in whole numbers. Values fall into bins
//! whose width grows with them, 32 to each doubling, and a bin answers for all of its values with
//! its middle: at most 1/64 (1.6%) off. Values below 64 have a bin each and are exact.
//!
//! This is the linearly interpolated mapping of the paper's section 2.2, which takes no logarithm:
//! the bin comes from the position of the highest bit and the five bits below it. A value is a
//! `u32`, so there are 896 bins at most and none is ever collapsed. Merging adds up, so the same
//! values give the same bytes in whatever order they come.

use std::cmp::Ordering;

use crate::varint;

/// log2 of the bins to a doubling.
const SUB_BITS: u32 = 5;

/// Values below this have a bin of their own.
const EXACT: u32 = 2 << SUB_BITS;

/// A collection is merged bin by bin if the other one has this many times as many.
const FEW: usize = 8;

/// How many bins there are.
const BINS: u16 = (EXACT + ((u32::BITS - SUB_BITS - 1) << SUB_BITS)) as u16;

/// Which part of the values lies below: from 0 to 10,000, in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantile(u16);

impl Quantile {
    /// The middle.
    pub const MEDIAN: Self = Self(5000);

    /// 19 of 20 lie below.
    pub const P95: Self = Self(9500);

    /// From a fraction of 0 to 1; `None` if it is not one. More than four decimals are rounded.
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        (0.0..=1.0)
            .contains(&fraction)
            .then(|| Self((fraction * 10_000.0).round() as u16))
    }

    /// As a fraction of 0 to 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

/// A collection of values, of which the order statistics can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Bins that are not empty, and how many values are in each.
    bins: Vec<(u16, u64)>,
}

impl Quantiles {
    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        let counts = self.bins.iter().map(|(_, count)| *count);
        counts.fold(0, u64::saturating_add)
    }

    /// Adds a value.
    pub fn insert(&mut self, value: u32) {
        self.add(bin_of(value), 1);
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Self) {
        // A few are put where they belong; many are worth a pass over all.
        if other.bins.len() * FEW < self.bins.len() || other.bins.is_empty() {
            for (bin, count) in &other.bins {
                self.add(*bin, *count);
            }
            return;
        }
        let mut both = Vec::with_capacity(self.bins.len() + other.bins.len());
        let (mut ours, mut theirs) = (self.bins.iter().peekable(), other.bins.iter().peekable());
        while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
            match a.0.cmp(&b.0) {
                Ordering::Less => both.extend(ours.next()),
                Ordering::Greater => both.extend(theirs.next()),
                Ordering::Equal => {
                    both.push((a.0, a.1.saturating_add(b.1)));
                    ours.next();
                    theirs.next();
                }
            }
        }
        both.extend(ours);
        both.extend(theirs);
        self.bins = both;
    }

    /// The value that this part of all values does not exceed (nearest rank); `None` of none.
    pub fn at(&self, quantile: Quantile) -> Option<u32> {
        let wanted = u128::from(self.count()) * u128::from(quantile.0);
        let rank = wanted.div_ceil(10_000).max(1);
        let mut passed = 0_u128;
        let reached = |(_, count): &&(u16, u64)| {
            passed += u128::from(*count);
            passed >= rank
        };
        let (bin, _) = self.bins.iter().find(reached)?;
        Some(middle_of(*bin))
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&self.bins[..])
    }

    fn add(&mut self, bin: u16, count: u64) {
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(at) => self.bins[at].1 = self.bins[at].1.saturating_add(count),
            Err(at) => self.bins.insert(at, (bin, count)),
        }
    }

    /// Appends the collection to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        varint::push(out, self.bins.len() as u64);
        let mut next = 0;
        for (bin, count) in &self.bins {
            varint::push(out, u64::from(bin - next));
            varint::push(out, *count);
            next = bin + 1;
        }
    }

    /// Takes a collection off the front of `bytes`; `None` if [`Self::encode`] never writes that.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let len = varint::take(bytes)?;
        if len > BINS.into() {
            return None;
        }
        let mut bins = Vec::with_capacity(len as usize);
        let mut next = 0_u64;
        for _ in 0..len {
            let bin = next.checked_add(varint::take(bytes)?)?;
            let count = varint::take(bytes)?;
            if bin >= BINS.into() || count == 0 {
                return None;
            }
            bins.push((bin as u16, count));
            next = bin + 1;
        }
        Some(Self { bins })
    }
}

fn bin_of(value: u32) -> u16 {
    if value < EXACT {
        return value as u16;
    }
    let shift = value.ilog2() - SUB_BITS;
    let doubling = value.ilog2() - EXACT.ilog2();
    let within = (value >> shift) - (1 << SUB_BITS);
    (EXACT + (doubling << SUB_BITS) + within) as u16
}

fn middle_of(bin: u16) -> u32 {
    let bin = u32::from(bin);
    if bin < EXACT {
        return bin;
    }
    let (doubling, within) = ((bin - EXACT) >> SUB_BITS, (bin - EXACT) % (1 << SUB_BITS));
    let shift = doubling + EXACT.ilog2() - SUB_BITS;
    (((1 << SUB_BITS) + within) << shift) + (1 << (shift - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u32]) -> Quantiles {
        let mut quantiles = Quantiles::default();
        for value in values {
            quantiles.insert(*value);
        }
        quantiles
    }

    #[test]
    fn small_values_are_exact_and_large_ones_have_a_bin() {
        let check = |value: u32, bin: u16, middle: u32| {
            assert_eq!((bin_of(value), middle_of(bin)), (bin, middle), "{value}");
        };
        check(0, 0, 0);
        check(63, 63, 63);
        check(64, 64, 65);
        check(65, 64, 65);
        check(66, 65, 67);
        check(127, 95, 127);
        check(128, 96, 130);
        check(u32::MAX, BINS - 1, 0xfe00_0000);
    }

    #[test]
    fn ranks_are_the_nearest() {
        let check = |values: &[u32], fraction: f64, expected: Option<u32>| {
            let quantile = Quantile::from_fraction(fraction).unwrap();
            assert_eq!(
                of(values).at(quantile),
                expected,
                "{fraction} of {values:?}"
            );
        };
        check(&[], 0.5, None);
        check(&[7], 0.0, Some(7));
        check(&[7], 1.0, Some(7));
        check(&[1, 2, 3, 4], 0.5, Some(2));
        check(&[4, 3, 2, 1], 0.51, Some(3));
        check(&[1, 2, 3, 4], 0.0, Some(1));
        check(&[1, 2, 3, 4], 0.75, Some(3));
        check(&[1, 2, 3, 4], 0.7501, Some(4));
        assert_eq!(Quantile::from_fraction(1.1), None);
        assert_eq!(Quantile::from_fraction(-0.1), None);
        assert_eq!(Quantile::from_fraction(f64::NAN), None);
    }

    proptest! {
        #[test]
        fn is_within_its_bound_of_the_sorted_values(
            mut values in prop::collection::vec(prop_oneof![any::<u32>(), 0..5000_u32], 1..300),
            permyriad in 0..=10_000_u16,
        ) {
            let sketch = of(&values);
            values.sort_unstable();
            let rank = (values.len() * usize::from(permyriad)).div_ceil(10_000).max(1);
            let exact = values[rank - 1];
            let told = sketch.at(Quantile(permyriad)).unwrap();
            prop_assert!(u64::from(told.abs_diff(exact)) * 64 <= u64::from(exact), "{told} {exact}");
            prop_assert_eq!(sketch.count(), values.len() as u64);
        }

        #[test]
        fn merging_is_adding_in_any_order(
            values in prop::collection::vec(any::<u32>(), 0..200), cut: prop::sample::Index,
        ) {
            let cut = cut.index(values.len() + 1);
            let (mut a, b) = (of(&values[..cut]), of(&values[cut..]));
            let mut back = b.clone();
            back.merge(&a);
            a.merge(&b);
            let whole = of(&values);
            prop_assert_eq!(&a, &whole);
            prop_assert_eq!(&back, &whole);
            let mut packed = Vec::new();
            whole.encode(&mut packed);
            prop_assert_eq!(Quantiles::decode(&mut &packed[..]), Some(whole));
        }

        #[test]
        fn any_bytes_are_a_collection_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut rest = &bytes[..];
            if let Some(quantiles) = Quantiles::decode(&mut rest) {
                let mut again = Vec::new();
                quantiles.encode(&mut again);
                prop_assert_eq!(&again[..], &bytes[..bytes.len() - rest.len()]);
            }
        }
    }
}
