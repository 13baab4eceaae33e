//! The operator's policy: one TOML file with keys of playback tokens, countries, pathways, limits and
//! the names of trusted headers. What it means is documented in `docs/tokens.md`.

mod file;
mod follow;
mod source;

use std::{
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use http::HeaderName;
use thiserror::Error;
use weir_edge_abi as abi;
use weir_model::{country::InvalidCountry, jwk::InvalidJwk, key::InvalidKey};

pub(crate) use self::source::Source;

/// Settings of one policy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policy {
    /// What the edge module is told of it.
    pub(crate) config: abi::Config,
    /// Which header tells the viewer's country, if any is believed.
    pub(crate) country_header: Option<HeaderName>,
    /// Which header tells the device class, if any is believed.
    pub(crate) device_header: Option<HeaderName>,
}

/// Why a policy cannot be followed.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no TOML, names what is not known, or gives a value of another type.
    #[error("{}, line {line}: {message}", path.display())]
    Toml {
        /// Which file.
        path: PathBuf,
        /// In which line.
        line: usize,
        /// What is wrong, without what stands there: that may be a secret.
        message: String,
    },
    /// A key's file is no JSON Web Key.
    #[error("{} is no JSON Web Key: {source}", path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A key's file cannot be used.
    #[error("{}: {source}", path.display())]
    Jwk {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: InvalidJwk,
    },
    /// A key cannot be used.
    #[error("key {kid:?}: {source}")]
    Key {
        /// Which.
        kid: String,
        /// Why.
        source: InvalidKey,
    },
    /// A key is given in no way, or in two.
    #[error(
        "key {kid:?} needs kid and algorithm with secret (HS256) or public_key (EdDSA), or else file"
    )]
    KeyForm {
        /// Which, if it is named.
        kid: String,
    },
    /// What a file says of a key is not what the policy says.
    #[error("key {kid:?}: {} is another one, {found:?}", path.display())]
    OtherKey {
        /// What the policy names it.
        kid: String,
        /// Which file.
        path: PathBuf,
        /// What that names it.
        found: String,
    },
    /// A name is empty, too long, or there twice.
    #[error(
        "{field} {name:?}: needs 1 to {} bytes, and to be there once",
        abi::config::MAX_NAME
    )]
    Name {
        /// What it is the name of.
        field: &'static str,
        /// The name.
        name: String,
    },
    /// There are more of them than an edge takes.
    #[error("{len} {field} are more than {most}")]
    TooMany {
        /// What there are too many of.
        field: &'static str,
        /// How many.
        len: usize,
        /// How many there may be.
        most: usize,
    },
    /// No country.
    #[error("denied country {text:?}: {source}")]
    Country {
        /// What stands there.
        text: String,
        /// Why.
        source: InvalidCountry,
    },
    /// No header's name.
    #[error("{0:?} is no name of a header field")]
    Header(String),
    /// No base64url.
    #[error("{0} is no base64url without padding")]
    Base64(&'static str),
    /// No address of a pathway.
    #[error("pathway {id:?}: {url:?} is not http(s)://host[:port] alone")]
    Url {
        /// Which pathway.
        id: String,
        /// What stands there.
        url: String,
    },
    /// A number that makes no sense.
    #[error("{field} is to be {expected}, not {value}")]
    Number {
        /// Which.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        value: u32,
    },
}

/// How many session tickets one address gets where nothing else is said. A view takes one: so many are
/// enough for a street behind one address, and few for a script.
const SESSIONS: abi::Rate = abi::Rate {
    per_minute: 120,
    burst: 300,
};

impl Policy {
    /// No policy: no token is good, no country denied, no header believed, and nothing limited but
    /// session tickets.
    pub(crate) fn none(pop: &str) -> Self {
        Self {
            config: abi::Config {
                pop: pop.to_owned(),
                limits: abi::Limits {
                    sessions: SESSIONS,
                    ..abi::Limits::default()
                },
                ..abi::Config::default()
            },
            country_header: None,
            device_header: None,
        }
    }

    /// Reads the file at `path` and the key files that it names, which are relative to it. `pop` is
    /// this edge's name.
    pub(crate) fn read(path: &Path, pop: &str) -> Result<Self, PolicyError> {
        let file = file::File::read(path)?;
        file.into_policy(path.parent().unwrap_or(Path::new("")), pop)
    }
}

/// When a policy's files last changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen(Vec<Option<SystemTime>>);

impl Seen {
    /// As of now. Of a policy that cannot be read the file alone counts.
    pub(crate) fn now(path: &Path) -> Self {
        let keys = file::File::read(path).map_or_else(|_| Vec::new(), |file| file.key_files(path));
        let modified = |path: &PathBuf| path.metadata().and_then(|meta| meta.modified()).ok();
        Self(
            [path.to_owned()]
                .iter()
                .chain(&keys)
                .map(modified)
                .collect(),
        )
    }
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
