//! The secret that callers and listener share.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// Fewest bytes of a passphrase.
const MIN_LEN: usize = 10;
/// Most bytes of a passphrase.
const MAX_LEN: usize = 79;

/// A passphrase from which the keys of encryption are made (`SRTO_PASSPHRASE`). It is a secret:
/// its `Debug` form doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

/// A passphrase that SRT can't use.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an SRT passphrase has {MIN_LEN} to {MAX_LEN} bytes, this one has {0}")]
pub struct InvalidPassphrase(
    /// Its length in bytes.
    usize,
);

impl Passphrase {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for Passphrase {
    type Err = InvalidPassphrase;

    fn from_str(text: &str) -> Result<Self, InvalidPassphrase> {
        if (MIN_LEN..=MAX_LEN).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPassphrase(text.len()))
        }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}
