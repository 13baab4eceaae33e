//! Which shield is for which video: rendezvous hashing (highest random weight), which every point
//! of presence works out alone, and which moves a video only if its own shield comes or goes.

use sha2::{Digest, Sha256};

/// `peers`, given as (name, weight), by how much they are for `key`: indices, the best first. A
/// peer of twice the weight is the best for twice as many keys; one without weight is for none.
///
/// Depends on names and weights alone, not on their order.
pub fn rank<'a>(key: &[u8], peers: impl IntoIterator<Item = (&'a str, u32)>) -> Vec<usize> {
    let mut scored: Vec<(usize, f64, &str)> = peers
        .into_iter()
        .enumerate()
        .filter(|(_, (_, weight))| *weight > 0)
        .map(|(index, (name, weight))| (index, score(key, name, weight), name))
        .collect();
    // Of equal scores, which need not ever come up, names decide.
    scored.sort_by(|(_, a, x), (_, b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
    scored.into_iter().map(|(index, ..)| index).collect()
}

/// The logarithmic method (Schindelhauer and Schomaker 2005): `-weight / ln(u)`, with `u` evenly
/// distributed over 0 to 1.
fn score(key: &[u8], name: &str, weight: u32) -> f64 {
    let hash = Sha256::new()
        .chain_update(name)
        // Names hold no zero, so that no two pairs are written alike.
        .chain_update([0])
        .chain_update(key)
        .finalize();
    let bits = hash
        .iter()
        .take(8)
        .fold(0, |n, byte| n << 8 | u64::from(*byte));
    // 53 bits and a half: never 0, never 1.
    let u = ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -f64::from(weight) / u.ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHIELDS: [(&str, u32); 5] = [("a", 1), ("b", 1), ("c", 2), ("d", 1), ("e", 1)];

    fn names(key: u32, shields: &[(&'static str, u32)]) -> Vec<&'static str> {
        let ranked = rank(&key.to_le_bytes(), shields.iter().copied());
        ranked.into_iter().map(|index| shields[index].0).collect()
    }

    #[test]
    fn when_one_leaves_only_its_keys_move() {
        for left in 0..SHIELDS.len() {
            let mut fewer = SHIELDS.to_vec();
            let (gone, _) = fewer.remove(left);
            for key in 0..500 {
                let (before, after) = (names(key, &SHIELDS), names(key, &fewer));
                let without: Vec<_> = before.into_iter().filter(|name| *name != gone).collect();
                assert_eq!(after, without, "the others keep their order");
            }
        }
    }

    #[test]
    fn keys_are_shared_by_weight() {
        const KEYS: u32 = 12_000;
        for (name, weight) in SHIELDS {
            let first = (0..KEYS)
                .filter(|key| names(*key, &SHIELDS)[0] == name)
                .count();
            let expected = (KEYS / 6 * weight) as f64;
            let off = (first as f64 - expected).abs() / expected;
            assert!(off < 0.08, "{name}: {first} instead of {expected}");
        }
    }

    #[test]
    fn a_shield_without_weight_is_for_nothing() {
        assert_eq!(rank(b"key", [("a", 0), ("b", 1)]), [1]);
        assert!(rank(b"key", []).is_empty());
    }

    proptest! {
        #[test]
        fn the_order_that_shields_are_named_in_is_nothing(key in any::<u32>(), turn in 0_usize..5) {
            let mut turned = SHIELDS.to_vec();
            turned.rotate_left(turn);
            prop_assert_eq!(names(key, &SHIELDS), names(key, &turned));
        }
    }
}
