//! Claims of tokens whose signature the module has verified. To verify one is the dearest thing
//! that it does, so that it is done once per token and set of keys.

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};

/// Most bytes that all of them take together.
const MAX_BYTES: u64 = 8 << 20;
/// How many there are, about, if they are of common length.
const EXPECTED: usize = 16_384;
/// What an entry takes besides its bytes.
const OVERHEAD: u64 = 96;

/// By the text of the token, so that no two tokens are taken for each other.
pub(super) struct Verified(Cache<Box<str>, Arc<[u8]>, Weight>);

#[derive(Clone)]
struct Weight;

impl Weighter<Box<str>, Arc<[u8]>> for Weight {
    fn weight(&self, token: &Box<str>, claims: &Arc<[u8]>) -> u64 {
        (token.len() + claims.len()) as u64 + OVERHEAD
    }
}

impl Default for Verified {
    fn default() -> Self {
        Self(Cache::with_weighter(EXPECTED, MAX_BYTES, Weight))
    }
}

impl Verified {
    pub(super) fn claims(&self, token: &str) -> Option<Arc<[u8]>> {
        self.0.get(token)
    }

    pub(super) fn remember(&self, token: &str, claims: &[u8]) {
        self.0.insert(token.into(), claims.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_found_by_the_whole_token_and_bounded() {
        let verified = Verified::default();
        verified.remember("a.b.c", b"claims");
        assert_eq!(verified.claims("a.b.c").as_deref(), Some(&b"claims"[..]));
        assert_eq!(verified.claims("a.b.d"), None);
        for n in 0..100_000 {
            verified.remember(&format!("{n:0>400}"), &[0; 60]);
        }
        assert!(verified.0.weight() <= MAX_BYTES);
        assert!(verified.0.len() > 1000);
    }
}
