//! What session tickets are signed with. The same keys are at the edges, which sign, and at the
//! origin, which verifies.

use std::{fmt, sync::Arc};

use data_encoding::BASE64URL_NOPAD;
use thiserror::Error;

use crate::key::{Algorithm, InvalidKey, Key, Secret, SigningKey};

/// Most keys at a time: two of an edge secret that is being replaced, and two more.
pub const MAX_KEYS: usize = 4;

/// Bytes of a key's name, before they become text.
const KID_LEN: usize = 6;

/// A shared secret of 32 bytes or more (HS256). Nobody has to name it: its `kid` is made of the
/// secret itself, so that edges and origin agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketKey {
    kid: String,
    secret: Secret,
}

impl TicketKey {
    /// The key of these bytes.
    pub fn new(secret: Secret) -> Result<Self, InvalidKey> {
        let unnamed = SigningKey {
            kid: String::new(),
            algorithm: Algorithm::Hs256,
            secret,
        };
        unnamed.check()?;
        // No ticket looks like this, so that it is no signature of one.
        let mac = unnamed.sign(b"weir-ticket-kid")?;
        let name = mac.get(..KID_LEN).unwrap_or_default();
        Ok(Self {
            kid: BASE64URL_NOPAD.encode(name),
            secret: unnamed.secret,
        })
    }

    /// What tickets name it by: 8 characters.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The secret's bytes.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    pub(super) fn signing(&self) -> SigningKey {
        SigningKey {
            kid: self.kid.clone(),
            algorithm: Algorithm::Hs256,
            secret: self.secret.clone(),
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = Key {
            kid: String::new(),
            algorithm: Algorithm::Hs256,
            key: self.secret.clone(),
        };
        key.verifies(message, signature)
    }
}

/// The keys of the moment, the one that signs first; others are those of before, or of after, while
/// one takes the place of the other.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TicketKeys(Arc<[TicketKey]>);

/// Why a text holds no keys.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidTicketKeys {
    /// None at all.
    #[error("there is no key in it")]
    None,
    /// A line that is no base64url.
    #[error("line {line} is no base64url without padding")]
    Base64 {
        /// Which, from 1.
        line: usize,
    },
    /// A key that could be guessed.
    #[error("line {line}: {source}")]
    Key {
        /// Which, from 1.
        line: usize,
        /// Why.
        source: InvalidKey,
    },
    /// More than a rotation needs.
    #[error("there are more than {MAX_KEYS} keys in it")]
    TooMany,
}

impl TicketKeys {
    /// Reads keys in base64url (RFC 4648 section 5) without padding, one a line. Empty lines and those
    /// that begin with `#` are skipped.
    pub fn parse(text: &str) -> Result<Self, InvalidTicketKeys> {
        let lines = text.lines().map(str::trim).zip(1..);
        let keys = lines
            .filter(|(text, _)| !text.is_empty() && !text.starts_with('#'))
            .map(|(text, line)| {
                let bytes = BASE64URL_NOPAD.decode(text.as_bytes());
                let bytes = bytes.map_err(|_| InvalidTicketKeys::Base64 { line })?;
                TicketKey::new(Secret(bytes))
                    .map_err(|source| InvalidTicketKeys::Key { line, source })
            })
            .collect::<Result<Vec<_>, _>>()?;
        match keys.len() {
            0 => Err(InvalidTicketKeys::None),
            1..=MAX_KEYS => Ok(keys.into_iter().collect()),
            _ => Err(InvalidTicketKeys::TooMany),
        }
    }

    /// What signs; `None` where there are no keys.
    pub fn first(&self) -> Option<&TicketKey> {
        self.0.first()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &TicketKey> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `signature` under `message` is that of the key `kid`, or of any if none is named.
    pub(super) fn verify(&self, kid: Option<&str>, message: &[u8], signature: &[u8]) -> bool {
        self.0
            .iter()
            .filter(|key| kid.is_none_or(|kid| kid == key.kid))
            .any(|key| key.verifies(message, signature))
    }
}

impl FromIterator<TicketKey> for TicketKeys {
    fn from_iter<I: IntoIterator<Item = TicketKey>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(TicketKey::kid))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONES: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    const TWOS: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";

    #[test]
    fn a_file_of_keys_is_read() {
        let keys = TicketKeys::parse(&format!("# new\n{TWOS}\n\n # old\n {ONES}\n")).unwrap();
        let kids: Vec<_> = keys.iter().map(TicketKey::kid).collect();
        assert_eq!(keys.first().unwrap().secret().0, [2; 32]);
        assert_eq!(kids.len(), 2);
        assert!(kids[0] != kids[1] && kids.iter().all(|kid| kid.len() == 8));
        assert_eq!(
            format!("{keys:?}"),
            format!("{kids:?}"),
            "no secret is shown"
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let check = |text: &str, expected: &str| {
            let told = TicketKeys::parse(text).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        };
        check("# nothing", "no key");
        check("\n=", "line 2 is no base64url");
        check(
            "AAAA",
            "line 1: an HS256 secret has at least 32 bytes, not 3",
        );
        check(&[ONES; 5].join("\n"), "more than 4");
    }

    /// For other implementations of the same.
    #[test]
    fn a_known_key_has_this_name() {
        let key = TicketKey::new(Secret(vec![1; 32])).unwrap();
        assert_eq!(key.kid(), "cCeLQEg9");
    }
}
