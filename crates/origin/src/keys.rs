//! The secrets of one origin: the operator token, the stream keys, and what an edge in its own process
//! signs session tickets with.

use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD, Encoding, Specification};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// SHA-256 of a secret: what is stored and compared in its place.
pub type SecretHash = [u8; 32];

/// The system gave no random bytes.
#[derive(Debug, Error)]
#[error("the system gave no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

/// Why the operator token could not be read or made.
#[derive(Debug, Error)]
pub enum OperatorTokenError {
    /// The file can't be read or written.
    #[error("operator token {path}: {source}")]
    File {
        /// Where the token should be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no token.
    #[error("operator token {path}: the file is too short; remove it and a new one is made")]
    TooShort {
        /// Where the token should be.
        path: PathBuf,
    },
    /// No new token could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Opens the operator plane. Only its hash stays in memory.
#[derive(Clone)]
pub struct OperatorToken {
    hash: SecretHash,
}

impl OperatorToken {
    /// Reads the token from `path`, or makes one of 32 random bytes and writes it there, readable
    /// by the owner alone.
    pub fn load_or_create(path: &Path) -> Result<Self, OperatorTokenError> {
        let file_error = |source| OperatorTokenError::File {
            path: path.to_owned(),
            source,
        };
        let token = match fs::read_to_string(path) {
            Ok(text) => text.trim().to_owned(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let token = base32().encode(&random::<32>()?);
                write_secret(path, &token).map_err(file_error)?;
                token
            }
            Err(e) => return Err(file_error(e)),
        };
        if token.len() < 32 {
            return Err(OperatorTokenError::TooShort {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            hash: hash_secret(&token),
        })
    }

    /// Whether `presented` is the token. The time taken tells nothing about the token: hashes are
    /// compared, and every byte of them.
    pub fn matches(&self, presented: &str) -> bool {
        let presented = hash_secret(presented);
        let difference = self
            .hash
            .iter()
            .zip(presented)
            .fold(0, |d, (a, b)| d | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorToken(..)")
    }
}

/// Why there is no ticket key.
#[derive(Debug, Error)]
pub enum TicketKeyError {
    /// The file can't be read or written.
    #[error("ticket key {path}: {source}")]
    File {
        /// Where the key should be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No new key could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Makes sure that there is a file of ticket keys at `path`: without one, writes one with a key of 32
/// random bytes, readable by the owner alone.
pub fn ensure_ticket_key(path: &Path) -> Result<(), TicketKeyError> {
    let file_error = |source| TicketKeyError::File {
        path: path.to_owned(),
        source,
    };
    if path.try_exists().map_err(file_error)? {
        return Ok(());
    }
    let key = BASE64URL_NOPAD.encode(&random::<32>()?);
    write_secret(path, &key).map_err(file_error)
}

/// Writes a secret into a file of its own that only the owner can read.
fn write_secret(path: &Path, secret: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

/// Makes a stream key: 128 random bits in lower-case base32.
pub fn new_stream_key() -> Result<String, NoRandomness> {
    Ok(base32().encode(&random::<16>()?))
}

/// 64 random bits, for a new video id.
pub fn random_bits() -> Result<u64, NoRandomness> {
    Ok(u64::from_le_bytes(random()?))
}

/// What is stored of a stream key.
pub fn hash_secret(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

/// RFC 4648 base32 in lower case, without padding.
fn base32() -> Encoding {
    let mut specification: Specification = BASE32_NOPAD.specification();
    specification.symbols = specification.symbols.to_lowercase();
    specification
        .encoding()
        .expect("lower case keeps the 32 symbols distinct")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use weir_model::ticket::TicketKeys;

    use super::*;

    #[test]
    fn the_operator_token_is_made_once_and_only_for_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operator-token");
        let made = OperatorToken::load_or_create(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(made.matches(text.trim()));
        assert!(!made.matches(&text.trim()[1..]));
        let read = OperatorToken::load_or_create(&path).unwrap();
        assert!(read.matches(text.trim()));
    }

    #[test]
    fn refuses_a_token_that_anyone_could_guess() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operator-token");
        fs::write(&path, "\n").unwrap();
        let refused = OperatorToken::load_or_create(&path);
        assert!(
            matches!(refused, Err(OperatorTokenError::TooShort { .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn a_ticket_key_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ticket-key");
        ensure_ticket_key(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(TicketKeys::parse(&text).is_ok());
        ensure_ticket_key(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn stream_keys_are_128_bits_of_lower_case_base32() {
        let (a, b) = (new_stream_key().unwrap(), new_stream_key().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), 26);
        assert!(
            a.bytes()
                .all(|c| c.is_ascii_lowercase() || (b'2'..=b'7').contains(&c))
        );
    }
}
