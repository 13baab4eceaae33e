//! The policy's file.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use data_encoding::BASE64URL_NOPAD;
use http::{HeaderName, Uri, uri::Scheme};
use serde::Deserialize;
use weir_edge_abi::{
    self as abi, Pathway,
    config::{MAX_KEYS, MAX_NAME, MAX_PATHWAYS},
};
use weir_model::{
    Country,
    jwk::Jwk,
    key::{Algorithm, Key, Secret},
};

use super::{Policy, PolicyError, SESSIONS};

/// Bounds of `steering_ttl_s`: asked more often, steering is a load of its own.
const STEERING_TTL_S: std::ops::RangeInclusive<u32> = 5..=3600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    /// What tokens have to say in `aud`.
    audience: String,
    keys: Vec<KeyEntry>,
    /// Base64url of the key that session tickets are signed with.
    ticket_key: Option<String>,
    denied_countries: Vec<String>,
    country_header: Option<String>,
    device_header: Option<String>,
    pathways: Vec<PathwayEntry>,
    steering_ttl_s: u32,
    limits: Limits,
}

impl Default for File {
    fn default() -> Self {
        Self {
            audience: String::new(),
            keys: Vec::new(),
            ticket_key: None,
            denied_countries: Vec::new(),
            country_header: None,
            device_header: None,
            pathways: Vec::new(),
            steering_ttl_s: abi::Config::default().steering_ttl_s,
            limits: Limits::default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    kid: Option<String>,
    algorithm: Option<AlgorithmName>,
    secret: Option<String>,
    public_key: Option<String>,
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Deserialize)]
enum AlgorithmName {
    #[serde(rename = "HS256")]
    Hs256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathwayEntry {
    id: String,
    base_url: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    comments: Option<Rate>,
    events: Option<Rate>,
    sessions: Option<Rate>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    per_minute: u32,
    burst: u32,
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, PolicyError> {
        let text = read(path)?;
        toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            PolicyError::Toml {
                path: path.to_owned(),
                line: 1 + before.map_or(0, |before| before.matches('\n').count()),
                message: error.message().to_owned(),
            }
        })
    }

    /// The files of keys, for the policy at `path`.
    pub(super) fn key_files(&self, path: &Path) -> Vec<PathBuf> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let files = self.keys.iter().filter_map(|key| key.file.as_ref());
        files.map(|file| folder.join(file)).collect()
    }

    /// Files of keys are looked for in `folder`.
    pub(super) fn into_policy(self, folder: &Path, pop: &str) -> Result<Policy, PolicyError> {
        let keys = self.keys.into_iter().map(|key| key.read(folder));
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        check_names("kid", keys.iter().map(|key| &*key.kid), MAX_KEYS)?;

        let pathways = self.pathways.into_iter().map(PathwayEntry::check);
        let pathways: Vec<_> = pathways.collect::<Result<_, _>>()?;
        check_names("pathway", pathways.iter().map(|p| &*p.id), MAX_PATHWAYS)?;

        let denied_countries: Vec<_> = self
            .denied_countries
            .into_iter()
            .map(|text| {
                let country = text.parse::<Country>();
                country.map_err(|source| PolicyError::Country { text, source })
            })
            .collect::<Result<_, _>>()?;
        check_count("denied countries", denied_countries.len(), u8::MAX.into())?;
        if !STEERING_TTL_S.contains(&self.steering_ttl_s) {
            return Err(PolicyError::Number {
                field: "steering_ttl_s",
                expected: "5 to 3600",
                value: self.steering_ttl_s,
            });
        }
        Ok(Policy {
            config: abi::Config {
                pop: pop.to_owned(),
                audience: self.audience,
                keys,
                denied_countries,
                ticket_key: self.ticket_key.map_or(Ok(Secret::default()), ticket_key)?,
                pathways,
                steering_ttl_s: self.steering_ttl_s,
                limits: self.limits.check()?,
                ..abi::Config::default()
            },
            country_header: self.country_header.map(header).transpose()?,
            device_header: self.device_header.map(header).transpose()?,
        })
    }
}

impl KeyEntry {
    fn read(self, folder: &Path) -> Result<Key, PolicyError> {
        let named = self.kid.clone().unwrap_or_default();
        let algorithm = self.algorithm.map(|name| match name {
            AlgorithmName::Hs256 => Algorithm::Hs256,
            AlgorithmName::EdDsa => Algorithm::EdDsa,
        });
        let (algorithm, key, field) = match (self.file, algorithm, self.secret, self.public_key) {
            (Some(file), algorithm, None, None) => {
                let path = folder.join(file);
                let key = key_of_file(&path)?;
                let as_named = self.kid.is_none_or(|kid| kid == key.kid)
                    && algorithm.is_none_or(|algorithm| algorithm == key.algorithm);
                return match as_named {
                    true => Ok(key),
                    false => Err(PolicyError::OtherKey {
                        kid: named,
                        path,
                        found: format!("{} {}", key.algorithm.as_str(), key.kid),
                    }),
                };
            }
            (None, Some(Algorithm::Hs256), Some(secret), None) => {
                (Algorithm::Hs256, secret, "secret")
            }
            (None, Some(Algorithm::EdDsa), None, Some(key)) => {
                (Algorithm::EdDsa, key, "public_key")
            }
            _ => return Err(PolicyError::KeyForm { kid: named }),
        };
        let key = Key {
            kid: named,
            algorithm,
            key: base64(&key, field)?,
        };
        match key.check() {
            Ok(()) => Ok(key),
            Err(source) => Err(PolicyError::Key {
                kid: key.kid,
                source,
            }),
        }
    }
}

fn key_of_file(path: &Path) -> Result<Key, PolicyError> {
    let jwk: Jwk = serde_json::from_str(&read(path)?).map_err(|source| PolicyError::Json {
        path: path.to_owned(),
        source,
    })?;
    jwk.to_verifying().map_err(|source| PolicyError::Jwk {
        path: path.to_owned(),
        source,
    })
}

fn ticket_key(text: String) -> Result<Secret, PolicyError> {
    let key = Key {
        kid: "ticket_key".to_owned(),
        algorithm: Algorithm::Hs256,
        key: base64(&text, "ticket_key")?,
    };
    match key.check() {
        Ok(()) => Ok(key.key),
        Err(source) => Err(PolicyError::Key {
            kid: key.kid,
            source,
        }),
    }
}

impl PathwayEntry {
    fn check(self) -> Result<Pathway, PolicyError> {
        let Self { id, base_url } = self;
        let uri = base_url.parse::<Uri>().ok();
        let fits = uri.is_some_and(|uri| {
            matches!(uri.scheme(), Some(s) if *s == Scheme::HTTP || *s == Scheme::HTTPS)
                && uri.authority().is_some()
                && matches!(uri.path(), "" | "/")
                && uri.query().is_none()
        });
        match fits {
            true => Ok(Pathway { id, base_url }),
            false => Err(PolicyError::Url { id, url: base_url }),
        }
    }
}

impl Limits {
    fn check(self) -> Result<abi::Limits, PolicyError> {
        let rate = |field, rate: Option<Rate>, without| match rate {
            None => Ok(without),
            Some(Rate { per_minute, burst }) if per_minute > 0 && burst > 0 => {
                Ok(abi::Rate { per_minute, burst })
            }
            Some(rate) => Err(PolicyError::Number {
                field,
                expected: "per_minute and burst of 1 and more",
                value: rate.per_minute.min(rate.burst),
            }),
        };
        Ok(abi::Limits {
            comments: rate("limits.comments", self.comments, abi::Rate::default())?,
            events: rate("limits.events", self.events, abi::Rate::default())?,
            sessions: rate("limits.sessions", self.sessions, SESSIONS)?,
        })
    }
}

fn check_names<'n>(
    field: &'static str,
    names: impl Iterator<Item = &'n str>,
    most: usize,
) -> Result<(), PolicyError> {
    let mut seen = HashSet::new();
    for name in names {
        if name.is_empty() || name.len() > MAX_NAME || !seen.insert(name) {
            return Err(PolicyError::Name {
                field,
                name: name.to_owned(),
            });
        }
    }
    check_count(field, seen.len(), most)
}

fn check_count(field: &'static str, len: usize, most: usize) -> Result<(), PolicyError> {
    match len <= most {
        true => Ok(()),
        false => Err(PolicyError::TooMany { field, len, most }),
    }
}

fn base64(text: &str, field: &'static str) -> Result<Secret, PolicyError> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes());
    bytes.map(Secret).map_err(|_| PolicyError::Base64(field))
}

fn header(name: String) -> Result<HeaderName, PolicyError> {
    HeaderName::try_from(&name).map_err(|_| PolicyError::Header(name))
}

fn read(path: &Path) -> Result<String, PolicyError> {
    fs::read_to_string(path).map_err(|source| PolicyError::Read {
        path: path.to_owned(),
        source,
    })
}
