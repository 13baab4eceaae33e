//! Session tickets: an edge signs who began to watch what, and from where, so that an origin can
//! believe view events that come in its name.
//!
//! A ticket is a JSON Web Token (RFC 7519), HS256, of the type `weir-ticket`, with the claims `sid`,
//! `video`, `country` (if it is known), `device`, `pop`, `iat` and `exp`. Its keys are shared by edges
//! and origin and are no playback keys; `kid` says which of them signed ([`TicketKeys`]).

mod keys;

use std::{fmt::Write, time::Duration};

use thiserror::Error;

pub use self::keys::{InvalidTicketKeys, MAX_KEYS, TicketKey, TicketKeys};
use crate::{
    Country, DeviceClass, SessionId, VideoId, WallTime,
    json::{Json, Kind, Malformed, write_text},
    jws::{self, Compact, once},
    key::{Algorithm, InvalidKey},
};

/// How long a ticket is good for: what happens later is not in its name.
pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How long after that a player may still tell what happened while it was good: one that was without
/// network keeps its events and sends them later.
pub const LATE: Duration = Duration::from_secs(24 * 3600);
/// The header's `typ`.
const KIND: &str = "weir-ticket";
/// Longest ticket in bytes.
const MAX_LEN: usize = 1024;

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Names the session, as its events do.
    pub session: SessionId,
    /// What is watched.
    pub video: VideoId,
    /// Where the viewer is, if that is known.
    pub country: Option<Country>,
    /// What it is watched on, as the edge sees it.
    pub device: Option<DeviceClass>,
    /// Which edge signed.
    pub pop: String,
    /// When it was signed; whole seconds count.
    pub issued: WallTime,
}

/// Why a ticket is not taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TicketError {
    /// It is no ticket.
    #[error("this is no session ticket")]
    Malformed,
    /// The signature is not the key's.
    #[error("the ticket's signature is not the edges'")]
    Signature,
    /// It is older than [`LIFETIME`] and [`LATE`], or from the future.
    #[error("the ticket was good from {issued} until {expires}")]
    Expired {
        /// When it was signed.
        issued: WallTime,
        /// When it ended.
        expires: WallTime,
    },
}

impl Ticket {
    /// When it ends.
    pub fn expires(&self) -> WallTime {
        self.issued.plus(LIFETIME)
    }

    /// Its text, signed.
    pub fn sign(&self, key: &TicketKey) -> Result<String, InvalidKey> {
        let mut json = format!(r#"{{"sid":"{}","video":"{}""#, self.session, self.video);
        // Writing to a string cannot fail.
        if let Some(country) = self.country {
            let _ = write!(json, r#","country":"{country}""#);
        }
        if let Some(device) = self.device {
            let _ = write!(json, r#","device":"{}""#, device.as_str());
        }
        json.push_str(r#","pop":"#);
        write_text(&mut json, &self.pop);
        let (issued, expires) = (self.issued.0 / 1000, self.expires().0 / 1000);
        let _ = write!(json, r#","iat":{issued},"exp":{expires}}}"#);
        jws::sign(&key.signing(), KIND, &json)
    }

    /// The ticket that `text` is, if one of `keys` signed it and what it vouches for may still be told
    /// at `now`. A clock may be a minute ahead.
    pub fn verify(text: &str, keys: &TicketKeys, now: WallTime) -> Result<Self, TicketError> {
        const AHEAD: Duration = Duration::from_secs(60);
        let malformed = |Malformed| TicketError::Malformed;
        if text.len() > MAX_LEN {
            return Err(TicketError::Malformed);
        }
        let jws = Compact::parse(text).map_err(malformed)?;
        let is_ticket = jws.header.kind.as_deref() == Some(KIND)
            && jws.header.algorithm == Algorithm::Hs256.as_str();
        if !is_ticket {
            return Err(TicketError::Malformed);
        }
        let kid = jws.header.kid.as_deref();
        if !keys.verify(kid, jws.signed.as_bytes(), &jws.signature) {
            return Err(TicketError::Signature);
        }
        let ticket = Self::parse(&jws.payload().map_err(malformed)?).map_err(malformed)?;
        if now.plus(AHEAD) < ticket.issued || now >= ticket.expires().plus(LATE) {
            return Err(TicketError::Expired {
                issued: ticket.issued,
                expires: ticket.expires(),
            });
        }
        Ok(ticket)
    }

    fn parse(json: &str) -> Result<Self, Malformed> {
        let (mut session, mut video, mut country) = (None, None, None);
        let (mut device, mut pop, mut issued) = (None, None, None);
        jws::members(json, |name, json| {
            match name {
                "sid" => once(&mut session, text(json)?)?,
                "video" => once(&mut video, text(json)?)?,
                "country" => once(&mut country, text(json)?)?,
                "device" => once(&mut device, text(json)?)?,
                "pop" => once(&mut pop, text(json)?)?,
                "iat" => once(&mut issued, seconds(json)?)?,
                _ => {
                    json.value()?;
                }
            }
            Ok(())
        })?;
        Ok(Self {
            session: parsed(session)?,
            video: parsed(video)?,
            country: country.map(|text| parsed(Some(text))).transpose()?,
            device: device.map(|text| parsed(Some(text))).transpose()?,
            pop: pop.ok_or(Malformed)?.to_owned(),
            issued: issued.ok_or(Malformed)?,
        })
    }
}

fn text<'a>(json: &mut Json<'a>) -> Result<&'a str, Malformed> {
    match json.value()? {
        Kind::Text(text) => Ok(text),
        _ => Err(Malformed),
    }
}

fn seconds(json: &mut Json<'_>) -> Result<WallTime, Malformed> {
    match json.value()? {
        Kind::Number(number) => {
            let seconds: u64 = number.parse().map_err(|_| Malformed)?;
            Ok(WallTime(seconds.saturating_mul(1000)))
        }
        _ => Err(Malformed),
    }
}

fn parsed<T: std::str::FromStr>(text: Option<&str>) -> Result<T, Malformed> {
    text.and_then(|text| text.parse().ok()).ok_or(Malformed)
}

#[cfg(test)]
#[path = "ticket/tests.rs"]
mod tests;
