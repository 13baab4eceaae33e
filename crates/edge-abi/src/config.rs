//! What a guest is told once, before its first decision.

use weir_model::{
    Country,
    key::{Algorithm, Key, Secret},
};

use crate::{
    DecodeError, Overflow,
    request::{decode_country, encode_country},
    wire::{Reader, Writer},
};

/// Most keys that a guest takes.
pub const MAX_KEYS: usize = 16;
/// Most pathways that a guest takes.
pub const MAX_PATHWAYS: usize = 8;
/// Longest `kid` and longest id of a pathway, in bytes.
pub const MAX_NAME: usize = 32;

/// Times that cache and wait rules are made of, and the operator's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `EXT-X-TARGETDURATION` of every playlist, in milliseconds.
    pub target_duration_ms: u32,
    /// `PART-TARGET` of every playlist, in milliseconds.
    pub part_target_ms: u32,
    /// What this edge is called in session tickets.
    pub pop: String,
    /// What playback tokens have to say in `aud`; empty if they need not say anything.
    pub audience: String,
    /// Whose tokens are taken, each `kid` once.
    pub keys: Vec<Key>,
    /// Where nothing is played.
    pub denied_countries: Vec<Country>,
    /// What session tickets are signed with (HS256); empty if none are given.
    pub ticket_key: Secret,
    /// Where else the same media can be had, the first preferred.
    pub pathways: Vec<Pathway>,
    /// After how many seconds a player asks for steering again.
    pub steering_ttl_s: u32,
    /// How often one address may do what costs the origin something.
    pub limits: Limits,
}

/// A place that serves the same media (content steering).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pathway {
    /// `PATHWAY-ID`, at most [`MAX_NAME`] bytes.
    pub id: String,
    /// Scheme and authority, such as `https://fra.example.org`.
    pub base_url: String,
}

/// How often something may be done: a bucket of `burst` that fills by `per_minute`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// How many a minute, in the long run; 0 is no limit.
    pub per_minute: u32,
    /// How many at once.
    pub burst: u32,
}

/// The rates that one client address is held to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Posting of comments.
    pub comments: Rate,
    /// Posting of batches of events.
    pub events: Rate,
    /// Asking for session tickets.
    pub sessions: Rate,
}

impl Default for Config {
    /// What Weir's packager writes in its standard profile, and no policy at all: no token is
    /// good, no country is denied, nothing is limited.
    fn default() -> Self {
        Self {
            target_duration_ms: 4000,
            part_target_ms: 350,
            pop: "local".to_owned(),
            audience: String::new(),
            keys: Vec::new(),
            denied_countries: Vec::new(),
            ticket_key: Secret::default(),
            pathways: Vec::new(),
            steering_ttl_s: 300,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// Writes it to the start of `buffer`; gives the length.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, Overflow> {
        let mut writer = Writer::new(buffer)?;
        writer.u32(self.target_duration_ms)?;
        writer.u32(self.part_target_ms)?;
        writer.text(&self.pop)?;
        writer.text(&self.audience)?;
        writer.count(self.keys.len())?;
        for key in &self.keys {
            writer.text(&key.kid)?;
            writer.u8(key.algorithm as u8)?;
            writer.bytes(&key.key.0)?;
        }
        writer.count(self.denied_countries.len())?;
        for country in &self.denied_countries {
            encode_country(Some(*country), &mut writer)?;
        }
        writer.bytes(&self.ticket_key.0)?;
        writer.count(self.pathways.len())?;
        for pathway in &self.pathways {
            writer.text(&pathway.id)?;
            writer.text(&pathway.base_url)?;
        }
        writer.u32(self.steering_ttl_s)?;
        for rate in [
            self.limits.comments,
            self.limits.events,
            self.limits.sessions,
        ] {
            writer.u32(rate.per_minute)?;
            writer.u32(rate.burst)?;
        }
        Ok(writer.len())
    }

    /// Reads a whole message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message)?;
        let config = Self {
            target_duration_ms: reader.u32()?,
            part_target_ms: reader.u32()?,
            pop: reader.text()?.to_owned(),
            audience: reader.text()?.to_owned(),
            keys: reader.list("keys", MAX_KEYS, decode_key)?,
            denied_countries: reader.list("denied countries", usize::from(u8::MAX), |reader| {
                decode_country(reader)?.ok_or(DecodeError::UnknownValue {
                    field: "denied country",
                    value: 0,
                })
            })?,
            ticket_key: Secret(reader.bytes()?.to_vec()),
            pathways: reader.list("pathways", MAX_PATHWAYS, |reader| {
                Ok(Pathway {
                    id: reader.name("pathway")?.to_owned(),
                    base_url: reader.text()?.to_owned(),
                })
            })?,
            steering_ttl_s: reader.u32()?,
            limits: Limits {
                comments: Rate::decode(&mut reader)?,
                events: Rate::decode(&mut reader)?,
                sessions: Rate::decode(&mut reader)?,
            },
        };
        reader.end()?;
        Ok(config)
    }
}

fn decode_key(reader: &mut Reader<'_>) -> Result<Key, DecodeError> {
    Ok(Key {
        kid: reader.name("kid")?.to_owned(),
        algorithm: match reader.u8()? {
            0 => Algorithm::Hs256,
            1 => Algorithm::EdDsa,
            value => {
                return Err(DecodeError::UnknownValue {
                    field: "algorithm",
                    value,
                });
            }
        },
        key: Secret(reader.bytes()?.to_vec()),
    })
}

impl Rate {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            per_minute: reader.u32()?,
            burst: reader.u32()?,
        })
    }
}
