//! Keys that tokens and tickets are signed and verified with.

use std::fmt;

use ed25519_compact::{KeyPair, PublicKey, Seed, Signature};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

/// Fewest bytes of a shared secret (RFC 7518 section 3.2).
pub const MIN_SECRET: usize = 32;
/// Bytes of a public key and of the seed of a private one (RFC 8032 section 5.1.5).
pub const ED25519_LEN: usize = 32;

/// What a key signs with. It belongs to the key: what a token says of it is only compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Algorithm {
    /// HMAC with SHA-256 (RFC 7518 section 3.2): whoever can verify can sign.
    Hs256 = 0,
    /// Ed25519 (RFC 8037 section 3.1): verified with a public key of 32 bytes.
    EdDsa = 1,
}

impl Algorithm {
    /// The name in `alg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// Bytes that no log is to show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Key material that its algorithm cannot use.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidKey {
    /// A shared secret that is too short to be one.
    #[error("an HS256 secret has at least {MIN_SECRET} bytes, not {0}")]
    ShortSecret(usize),
    /// Bytes that are no Ed25519 key.
    #[error("an Ed25519 key has {ED25519_LEN} bytes, not {0}")]
    Ed25519(usize),
}

/// A key that tokens are verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What tokens name it by.
    pub kid: String,
    /// What it verifies.
    pub algorithm: Algorithm,
    /// The shared secret, or the public key.
    pub key: Secret,
}

impl Key {
    /// Whether its bytes can be such a key.
    pub fn check(&self) -> Result<(), InvalidKey> {
        check(self.algorithm, &self.key)
    }

    /// Whether `signature` is this key's under `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Hs256 => hmac(&self.key.0, message).verify_slice(signature).is_ok(),
            Algorithm::EdDsa => {
                let key = PublicKey::from_slice(&self.key.0);
                let signature = Signature::from_slice(signature);
                key.and_then(|key| key.verify(message, &signature?)).is_ok()
            }
        }
    }
}

/// A key that tokens are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// What tokens will name it by.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The shared secret, or the seed of the private key.
    pub secret: Secret,
}

impl SigningKey {
    /// Whether its bytes can be such a key.
    pub fn check(&self) -> Result<(), InvalidKey> {
        check(self.algorithm, &self.secret)
    }

    /// The signature under `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, InvalidKey> {
        Ok(match self.algorithm {
            Algorithm::Hs256 => hmac(&self.secret.0, message)
                .finalize()
                .into_bytes()
                .to_vec(),
            Algorithm::EdDsa => self.pair()?.sk.sign(message, None).to_vec(),
        })
    }

    /// The key that verifies what this one signs.
    pub fn verifying(&self) -> Result<Key, InvalidKey> {
        let key = match self.algorithm {
            Algorithm::Hs256 => self.secret.clone(),
            Algorithm::EdDsa => Secret(self.pair()?.pk.to_vec()),
        };
        Ok(Key {
            kid: self.kid.clone(),
            algorithm: self.algorithm,
            key,
        })
    }

    fn pair(&self) -> Result<KeyPair, InvalidKey> {
        let invalid = |_| InvalidKey::Ed25519(self.secret.0.len());
        let seed = Seed::from_slice(&self.secret.0).map_err(invalid)?;
        KeyPair::try_from_seed(seed).map_err(invalid)
    }
}

fn check(algorithm: Algorithm, key: &Secret) -> Result<(), InvalidKey> {
    match (algorithm, key.0.len()) {
        (Algorithm::Hs256, len) if len < MIN_SECRET => Err(InvalidKey::ShortSecret(len)),
        (Algorithm::EdDsa, len) if len != ED25519_LEN => Err(InvalidKey::Ed25519(len)),
        _ => Ok(()),
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length, so that the all-zero one never comes about.
    let mut hmac =
        Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()));
    hmac.update(message);
    hmac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.map(byte).collect()
    }

    // RFC 4231 section 4.3 and RFC 8032 section 7.1, test 2.
    #[test]
    fn signs_as_the_standards_do() {
        let check = |algorithm, secret: &[u8], message: &[u8], signature: &str| {
            let key = SigningKey {
                kid: "k".to_owned(),
                algorithm,
                secret: Secret(secret.to_vec()),
            };
            assert_eq!(key.sign(message), Ok(bytes(signature)));
            let verifying = key.verifying().unwrap();
            assert!(verifying.verifies(message, &bytes(signature)));
            assert!(!verifying.verifies(b"else", &bytes(signature)));
            assert!(!verifying.verifies(message, &bytes(signature)[1..]));
            assert!(!verifying.verifies(message, &[]));
        };
        check(
            Algorithm::Hs256,
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            Algorithm::EdDsa,
            &bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
    }

    #[test]
    fn knows_keys_by_their_length() {
        let key = |algorithm, len| Key {
            kid: String::new(),
            algorithm,
            key: Secret(vec![1; len]),
        };
        assert_eq!(
            key(Algorithm::Hs256, 31).check(),
            Err(InvalidKey::ShortSecret(31))
        );
        assert_eq!(key(Algorithm::Hs256, 64).check(), Ok(()));
        assert_eq!(
            key(Algorithm::EdDsa, 33).check(),
            Err(InvalidKey::Ed25519(33))
        );
        assert!(!key(Algorithm::EdDsa, 31).verifies(b"", &[0; 64]));
        assert_eq!(
            format!("{:?}", key(Algorithm::Hs256, 32).key),
            "Secret(32 bytes)"
        );
    }
}
