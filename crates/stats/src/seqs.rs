//! Which sequence numbers were seen: a sliding bitmap, as in the anti-replay window of IPsec
//! (RFC 4303 section 3.4.3). A session that sends in order costs a few bytes however long it
//! lasts.

/// How many numbers may lie between the oldest that is still awaited and the newest. What falls
/// out of the window counts as seen. A player that reports every second may lag over four hours.
pub const WINDOW: u32 = 16_384;

/// Numbers per word of the bitmap.
const WORD: u64 = u64::BITS as u64;

const MAX_WORDS: usize = (WINDOW / u64::BITS) as usize;

/// A set of sequence numbers: all below `base`, and those whose bit is set in `words` above it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seqs {
    /// A multiple of 64. Wider than a number, because it lies past the last one once all are seen.
    base: u64,
    /// Bit `i` of word `w` stands for `base + 64 w + i`. Neither the first word is full nor the
    /// last one empty, so that equal sets are equal values.
    words: Vec<u64>,
}

impl Seqs {
    /// Adds `seq`; false if it was there already.
    pub fn insert(&mut self, seq: u32) -> bool {
        let Some(ahead) = u64::from(seq).checked_sub(self.base) else {
            return false;
        };
        let (mut word, bit) = ((ahead / WORD) as usize, ahead % WORD);
        if word >= MAX_WORDS {
            let passed = word + 1 - MAX_WORDS;
            self.slide(passed);
            word -= passed;
        }
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let mask = 1 << bit;
        if self.words[word] & mask != 0 {
            return false;
        }
        self.words[word] |= mask;
        self.slide(
            self.words
                .iter()
                .take_while(|word| **word == u64::MAX)
                .count(),
        );
        true
    }

    /// Appends the set to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.base.to_le_bytes());
        for word in &self.words {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }

    /// Reads a set that takes up all of `bytes`; `None` if [`Self::encode`] never writes that.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (base, words) = bytes.split_first_chunk()?;
        let base = u64::from_le_bytes(*base);
        let (words, rest) = words.as_chunks();
        let words: Vec<_> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let written = base.is_multiple_of(WORD)
            && base <= 1 << u32::BITS
            && rest.is_empty()
            && words.len() <= MAX_WORDS
            && words.first() != Some(&u64::MAX)
            && words.last() != Some(&0);
        written.then_some(Self { base, words })
    }

    /// Counts everything in the first `words` words as seen.
    fn slide(&mut self, words: usize) {
        self.base += words as u64 * WORD;
        self.words.drain(..words.min(self.words.len()));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn in_order_it_stays_small() {
        let mut seqs = Seqs::default();
        assert!((0..1_000_000).all(|seq| seqs.insert(seq)));
        assert!(seqs.words.len() <= 1);
        assert!(!seqs.insert(999_999));
        assert!(!seqs.insert(0));
    }

    #[test]
    fn a_leap_gives_up_what_falls_out_of_the_window() {
        let mut seqs = Seqs::default();
        assert!(seqs.insert(5));
        assert!(seqs.insert(u32::MAX));
        assert!(!seqs.insert(6), "given up");
        assert!(!seqs.insert(u32::MAX), "a duplicate");
        assert!(seqs.insert(u32::MAX - WINDOW / 2));
        assert!(seqs.words.len() <= MAX_WORDS);
        for seq in (u32::MAX - 200)..u32::MAX {
            assert!(seqs.insert(seq));
        }
    }

    proptest! {
        #[test]
        fn equals_a_plain_set_within_the_window(
            numbers in prop::collection::vec(0..WINDOW, 0..300),
        ) {
            let (mut seqs, mut set) = (Seqs::default(), BTreeSet::new());
            for n in numbers {
                prop_assert_eq!(seqs.insert(n), set.insert(n));
                let mut bytes = Vec::new();
                seqs.encode(&mut bytes);
                prop_assert_eq!(Seqs::decode(&bytes), Some(seqs.clone()));
            }
        }

        #[test]
        fn never_takes_a_number_twice(numbers in prop::collection::vec(any::<u32>(), 0..100)) {
            let (mut seqs, mut taken) = (Seqs::default(), BTreeSet::new());
            for n in numbers {
                if seqs.insert(n) {
                    prop_assert!(taken.insert(n));
                }
                prop_assert!(seqs.words.len() <= MAX_WORDS);
            }
        }

        #[test]
        fn any_bytes_are_a_set_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(seqs) = Seqs::decode(&bytes) {
                let mut again = Vec::new();
                seqs.encode(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
