//! What is kept of the events of one type in one minute, hour or day. Every part of it is whole
//! numbers, and merging is commutative and associative: an hour is exactly its minutes, and a log
//! that is folded again gives the same bytes.

use std::ops::AddAssign;

use crate::{
    quantiles::Quantiles,
    schema::EventType,
    uniques::{SessionHash, Uniques},
    varint,
};

/// How many, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rollup {
    /// How many counted. Likes that are taken back count downwards.
    pub count: i64,
    /// Their values, added up.
    pub sum: i64,
}

impl AddAssign for Rollup {
    fn add_assign(&mut self, other: Self) {
        // No log is long enough for this to saturate: a sum takes 2^41 of the largest events.
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// A [`Rollup`] with its sketches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// How many, and how much.
    pub rollup: Rollup,
    /// By which sessions, for the types of which the schema says so.
    pub uniques: Uniques,
    /// How the values are spread, for the types of which the schema says so.
    pub quantiles: Quantiles,
}

impl Cell {
    /// Adds what one event of `session` counts for.
    pub fn add(&mut self, event: EventType, rollup: Rollup, session: SessionHash) {
        self.rollup += rollup;
        let definition = event.definition();
        if definition.unique {
            self.uniques.insert(session);
        }
        if definition.quantile
            && let Ok(value) = u32::try_from(rollup.sum)
        {
            self.quantiles.insert(value);
        }
    }

    /// Adds all that is in `other`.
    pub fn merge(&mut self, other: &Self) {
        self.rollup += other.rollup;
        self.uniques.merge(&other.uniques);
        self.quantiles.merge(&other.quantiles);
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.uniques.heap_bytes() + self.quantiles.heap_bytes()
    }

    /// The sketches as bytes; none if both are empty.
    pub fn sketches(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.uniques.is_empty() || !self.quantiles.is_empty() {
            self.uniques.encode(&mut out);
            self.quantiles.encode(&mut out);
        }
        out
    }

    /// A rollup with the sketches that [`Self::sketches`] wrote; `None` if it did not write these.
    pub fn with_sketches(rollup: Rollup, mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        if bytes.is_empty() {
            return Some(Self {
                rollup,
                ..Self::default()
            });
        }
        let (uniques, quantiles) = (Uniques::decode(bytes)?, Quantiles::decode(bytes)?);
        let empty = uniques.is_empty() && quantiles.is_empty();
        (bytes.is_empty() && !empty).then_some(Self {
            rollup,
            uniques,
            quantiles,
        })
    }

    /// Appends the whole cell to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        varint::push_signed(out, self.rollup.count);
        varint::push_signed(out, self.rollup.sum);
        let sketches = self.sketches();
        varint::push(out, sketches.len() as u64);
        out.extend_from_slice(&sketches);
    }

    /// Takes a cell off the front of `bytes`; `None` if [`Self::encode`] never writes that.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let rollup = Rollup {
            count: varint::take_signed(bytes)?,
            sum: varint::take_signed(bytes)?,
        };
        let len = usize::try_from(varint::take(bytes)?).ok()?;
        let (sketches, rest) = bytes.split_at_checked(len)?;
        *bytes = rest;
        Self::with_sketches(rollup, sketches)
    }
}
