//! How a new edge module goes out: what is signed, what points of presence are told, and what they
//! tell.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;
use utoipa::ToSchema;

use crate::WallTime;

/// Largest edge module that is taken, in bytes.
pub const MAX_MODULE: usize = 4 << 20;
/// Longest name of a module, in bytes.
pub const MAX_NAME: usize = 64;
/// Longest reason that is reported, in bytes.
pub const MAX_REASON: usize = 400;

/// Where a point of presence tells its [`Status`] and gets its [`Orders`], at the origin.
pub const CHECK_IN_PATH: &str = "/edge/check-in";
/// Where the origin has modules: `/edge/modules/{sha256}`.
pub const MODULES_PATH: &str = "/edge/modules";

/// SHA-256 of an edge module; written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
pub struct ModuleHash(pub [u8; 32]);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a module's hash is 64 lower-case hexadecimal digits")]
pub struct InvalidHash;

/// What is signed of a module, and the signature: the file that `weir edge sign` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What people call it: 1 to 64 characters of `A-Za-z0-9._+-`.
    pub name: String,
    /// Of the module's bytes.
    pub sha256: ModuleHash,
    /// How many bytes those are.
    pub bytes: u64,
    /// Version of the ABI that the module speaks.
    pub abi: u32,
    /// When it was signed, by the signer's clock, in Unix milliseconds.
    pub created_at: WallTime,
    /// Which key signed: the first 16 hexadecimal digits of the SHA-256 of the public key's 32
    /// bytes.
    pub key: String,
    /// Ed25519 (RFC 8032) over [`Manifest::signed`], in base64.
    pub signature: String,
}

/// Why a manifest is none, before any key is asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidManifest {
    /// The name is empty, too long or has other characters.
    #[error("a module's name has 1 to {MAX_NAME} characters of A-Za-z0-9._+-, not {0:?}")]
    Name(String),
    /// The module is empty or too large.
    #[error("a module has 1 to {MAX_MODULE} bytes, not {0}")]
    Size(u64),
    /// The key's id is not one.
    #[error("a key's id has 16 lower-case hexadecimal digits, not {0:?}")]
    Key(String),
}

impl Manifest {
    /// What the signature is over: every field but the key and the signature, one a line, behind
    /// a line that says what this is.
    pub fn signed(&self) -> Vec<u8> {
        let Self {
            name,
            sha256,
            bytes,
            abi,
            created_at,
            ..
        } = self;
        let created_ms = created_at.0;
        format!("weir edge module 1\n{name}\n{sha256}\n{bytes}\n{abi}\n{created_ms}\n").into_bytes()
    }

    /// Whether every field is within its bounds.
    pub fn check(&self) -> Result<(), InvalidManifest> {
        let in_name = |c: u8| c.is_ascii_alphanumeric() || b"._+-".contains(&c);
        if !(1..=MAX_NAME).contains(&self.name.len()) || !self.name.bytes().all(in_name) {
            return Err(InvalidManifest::Name(shortened(&self.name, MAX_NAME)));
        }
        if !(1..=MAX_MODULE as u64).contains(&self.bytes) {
            return Err(InvalidManifest::Size(self.bytes));
        }
        if self.key.len() != 16 || !self.key.bytes().all(is_hex) {
            return Err(InvalidManifest::Key(shortened(&self.key, MAX_NAME)));
        }
        Ok(())
    }
}

/// `POST /api/v1/edge/rollout` (operator): what all points of presence are to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRollout {
    /// Of a module that was uploaded before.
    pub manifest: Manifest,
    /// Whether points of presence that have rolled this module back are to try it again.
    #[serde(default)]
    pub again: bool,
}

/// A roll-out under way, or done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rollout {
    /// Roll-outs are counted, from 1.
    pub number: u64,
    /// When it was started.
    pub started_at: WallTime,
    /// The module.
    pub manifest: Manifest,
    /// Whether those that have rolled it back are to try it again.
    #[serde(default)]
    pub again: bool,
}

/// What a point of presence is told when it checks in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Orders {
    /// What it is to run; without it, what it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
}

/// What a point of presence tells of its edge modules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RolloutStatus)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// What decides where no candidate does.
    pub stable: ModuleRef,
    /// What is on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Candidate>,
    /// How the newest roll-out that it knows of went so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Progress>,
    /// How many modules it has refused since it started.
    pub refused: u64,
    /// How many it has rolled back since it started.
    pub rolled_back: u64,
}

/// A module, as points of presence name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModuleRef {
    /// Of its bytes.
    pub sha256: ModuleHash,
    /// Its signed name; absent of the module that the point of presence came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A module on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// Which.
    pub module: ModuleRef,
    /// For how many of ten thousand videos it decides.
    pub share: u16,
    /// How often it was asked.
    pub calls: u64,
    /// How often it failed where the stable module did not.
    pub failures: u64,
}

/// How a roll-out goes at one point of presence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Which roll-out.
    pub number: u64,
    /// Where it stands.
    pub state: State,
    /// Why, of a module that was refused or rolled back or cannot be had; at most 400 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Where a roll-out stands at one point of presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The module is being fetched and checked.
    Fetching,
    /// The module decides for a share of the videos.
    OnTrial,
    /// The module is the stable one.
    Adopted,
    /// The module was worse than the stable one and is gone.
    RolledBack,
    /// The module was not let in at all.
    Refused,
}

impl State {
    /// The word as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetching => "fetching",
            Self::OnTrial => "on-trial",
            Self::Adopted => "adopted",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
        }
    }
}

impl Status {
    /// Whether every text is within its bounds.
    pub fn is_bounded(&self) -> bool {
        let fits = |module: &ModuleRef| module.name.as_ref().is_none_or(|n| n.len() <= MAX_NAME);
        let reason = self
            .rollout
            .as_ref()
            .and_then(|rollout| rollout.reason.as_ref());
        fits(&self.stable)
            && self
                .candidate
                .as_ref()
                .is_none_or(|candidate| fits(&candidate.module))
            && reason.is_none_or(|reason| reason.len() <= MAX_REASON)
    }
}

/// `GET /api/v1/edge/rollout` (operator): the newest roll-out and how it goes everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fleet {
    /// The newest roll-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// Points of presence that have checked in lately, by name.
    pub pops: Vec<PopStatus>,
}

/// One point of presence, as the origin last heard of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PopStatus {
    /// What it calls itself.
    pub name: String,
    /// When it last checked in.
    pub seen_at: WallTime,
    /// What it told.
    pub status: Status,
}

/// The start of `text`, of at most `max` bytes.
pub fn shortened(text: &str, max: usize) -> String {
    let end = (0..=max.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}

impl FromStr for ModuleHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|digit| is_hex(*digit)) {
            return Err(InvalidHash);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair
                .iter()
                .fold(0, |sum, digit| (sum << 4) | nibble(*digit));
        }
        Ok(Self(hash))
    }
}

fn is_hex(digit: u8) -> bool {
    digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit)
}

/// Of a digit that [`is_hex`].
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.wrapping_sub(b'a').wrapping_add(10),
    }
}

impl fmt::Display for ModuleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ModuleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ModuleHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ModuleHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
