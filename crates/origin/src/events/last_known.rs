//! The numbers that were answered last, for when the store can't be read.

use std::collections::HashMap;

use weir_stats::{
    answer::{Known, Row},
    dimension::Dimension,
    query::Range,
    rollup::{Subject, Tier},
    schema::EventType,
};

/// The rows of the latest ranges asked for.
#[derive(Default)]
pub(super) struct LastKnown {
    ranges: HashMap<Key, Remembered>,
    bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    subject: Subject,
    event: EventType,
    tier: Tier,
    group_by: Option<Dimension>,
    sketches: bool,
}

struct Remembered {
    range: Range,
    rows: Vec<Row>,
    known: Known,
    bytes: usize,
}

impl LastKnown {
    const MOST_RANGES: usize = 512;
    /// Of all rows together.
    const MOST_BYTES: usize = 32 << 20;
    /// Of the rows of one range.
    const MOST_BYTES_OF_ONE: usize = 2 << 20;

    /// Keeps what was answered.
    pub(super) fn remember(&mut self, range: &Range, rows: Vec<Row>, known: Known) {
        let bytes = rows.iter().map(|row| row.cell.bytes()).sum::<usize>();
        if bytes > Self::MOST_BYTES_OF_ONE {
            return;
        }
        let key = key(range);
        self.forget(key);
        while self.ranges.len() >= Self::MOST_RANGES || self.bytes + bytes > Self::MOST_BYTES {
            let oldest = self.ranges.iter().min_by_key(|(_, kept)| kept.known.as_of);
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                break;
            };
            self.forget(oldest);
        }
        self.bytes += bytes;
        let remembered = Remembered {
            range: *range,
            rows,
            known,
            bytes,
        };
        self.ranges.insert(key, remembered);
    }

    /// What is known of a range that lies in one that was answered; later than that nothing is
    /// known, which `as_of` says.
    pub(super) fn recall(&self, range: &Range) -> Option<(Vec<Row>, Known)> {
        let kept = self.ranges.get(&key(range))?;
        let covered = kept.range.start <= range.start;
        let known = Known {
            stale: true,
            ..kept.known
        };
        covered.then(|| (kept.rows.clone(), known))
    }

    fn forget(&mut self, key: Key) {
        if let Some(kept) = self.ranges.remove(&key) {
            self.bytes -= kept.bytes;
        }
    }
}

fn key(range: &Range) -> Key {
    Key {
        subject: range.subject,
        event: range.event,
        tier: range.tier,
        group_by: range.group_by,
        sketches: range.needs_sketches(),
    }
}
