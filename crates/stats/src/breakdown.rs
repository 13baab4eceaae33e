//! The events of one minute, hour or day, broken down by one dimension. All types share one
//! value in the store, because a row for each type and value would be a hundred rows a minute.
//!
//! ```text
//! size
//!    1  format version, 1
//!    …  for each type and label, in order:
//!         1  code of the type
//!         1  length of the label, then the label
//!         …  count and sum as signed numbers of seven bits a byte
//!         …  length of the sketches, then the sketches
//! ```

use std::collections::BTreeMap;

use thiserror::Error;

use crate::{
    cell::Cell,
    dimension::{Dimension, Label},
    schema::EventType,
};

const FORMAT: u8 = 1;

/// What is kept of each type of event and each label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breakdown(pub BTreeMap<(EventType, Label), Cell>);

/// Bytes that are no breakdown.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{len} bytes that are not a breakdown of version 1")]
pub struct InvalidBreakdown {
    /// How many bytes there are.
    pub len: usize,
}

impl Breakdown {
    /// Adds all that is in `other`.
    pub fn merge(&mut self, other: &Self) {
        for (key, cell) in &other.0 {
            self.0.entry(*key).or_default().merge(cell);
        }
    }

    /// The cells of one type, by label.
    pub fn of(&self, event: EventType) -> impl Iterator<Item = (Label, &Cell)> {
        let cells = self.0.range((event, Label::UNKNOWN)..);
        cells
            .take_while(move |((of, _), _)| *of == event)
            .map(|((_, label), cell)| (*label, cell))
    }

    /// As bytes, for a store.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        for ((event, label), cell) in &self.0 {
            let label = label.as_str().as_bytes();
            out.push(event.definition().code);
            // A label holds at most 32 bytes.
            out.push(label.len() as u8);
            out.extend_from_slice(label);
            cell.encode(&mut out);
        }
        out
    }

    /// Reads the bytes of [`Breakdown::encode`], which were about `dimension`.
    pub fn decode(dimension: Dimension, bytes: &[u8]) -> Result<Self, InvalidBreakdown> {
        let invalid = InvalidBreakdown { len: bytes.len() };
        let [FORMAT, rest @ ..] = bytes else {
            return Err(invalid);
        };
        let (mut cells, mut rest) = (BTreeMap::new(), rest);
        while !rest.is_empty() {
            let (key, cell) = entry(dimension, &mut rest).ok_or(invalid)?;
            if cells.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(invalid);
            }
            cells.insert(key, cell);
        }
        Ok(Self(cells))
    }
}

fn entry(dimension: Dimension, bytes: &mut &[u8]) -> Option<((EventType, Label), Cell)> {
    let (&[code, len], rest) = bytes.split_first_chunk()?;
    let (label, rest) = rest.split_at_checked(len.into())?;
    *bytes = rest;
    let label = match std::str::from_utf8(label).ok()? {
        "" => Label::UNKNOWN,
        word => dimension
            .label(word)
            .ok()
            .filter(|label| label.as_str() == word)?,
    };
    Some(((EventType::from_code(code)?, label), Cell::decode(bytes)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{cell::Rollup, schema::TABLE, uniques::SessionHash};

    fn breakdown() -> impl Strategy<Value = Breakdown> {
        let event = (
            0..TABLE.len(),
            0..4_usize,
            any::<u32>(),
            any::<u64>(),
            -3..9_i64,
        );
        prop::collection::vec(event, 0..60).prop_map(|events| {
            let mut breakdown = Breakdown::default();
            for (event, label, value, session, count) in events {
                let event = TABLE[event].event;
                let label = [None, Some("720p"), Some("source"), Some("other")][label];
                let label = label.map_or(Label::UNKNOWN, |word| {
                    Dimension::Rendition.label(word).unwrap()
                });
                let rollup = Rollup {
                    count,
                    sum: value.into(),
                };
                let cell = breakdown.0.entry((event, label)).or_default();
                cell.add(event, rollup, SessionHash(session));
            }
            breakdown
        })
    }

    proptest! {
        #[test]
        fn what_is_packed_is_read_back(breakdown in breakdown()) {
            let bytes = breakdown.encode();
            prop_assert_eq!(Breakdown::decode(Dimension::Rendition, &bytes), Ok(breakdown));
        }

        #[test]
        fn merging_does_not_care_for_the_order(
            a in breakdown(), b in breakdown(), c in breakdown(),
        ) {
            let merged = |parts: [&Breakdown; 3]| {
                let mut whole = Breakdown::default();
                for part in parts {
                    whole.merge(part);
                }
                whole.encode()
            };
            let mut first = a.clone();
            first.merge(&b);
            first.merge(&c);
            prop_assert_eq!(first.encode(), merged([&c, &a, &b]));
            let mut last = b.clone();
            last.merge(&c);
            let mut outer = a.clone();
            outer.merge(&last);
            prop_assert_eq!(outer.encode(), first.encode());
        }

        #[test]
        fn any_bytes_are_a_breakdown_or_refused(
            mut bytes in prop::collection::vec(any::<u8>(), 1..80),
        ) {
            bytes[0] = FORMAT;
            if let Ok(breakdown) = Breakdown::decode(Dimension::Rendition, &bytes) {
                prop_assert_eq!(breakdown.encode(), bytes);
            }
        }
    }

    #[test]
    fn types_are_told_apart() {
        let mut breakdown = Breakdown::default();
        let label = Dimension::Country.label("DE").unwrap();
        for (event, label) in [
            (EventType::View, label),
            (EventType::Watch, Label::UNKNOWN),
            (EventType::Watch, label),
        ] {
            let cell = breakdown.0.entry((event, label)).or_default();
            cell.rollup.count += 1;
        }
        let labels = |event| {
            breakdown
                .of(event)
                .map(|(label, _)| label)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(EventType::View), [label]);
        assert_eq!(labels(EventType::Watch), [Label::UNKNOWN, label]);
        assert_eq!(labels(EventType::Stall), []);
    }
}
