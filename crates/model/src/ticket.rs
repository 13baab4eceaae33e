//! Session tickets: an edge signs who began to watch what, and from where, so that an origin can
//! believe view events that come in its name.
//!
//! A ticket is a JSON Web Token (RFC 7519), HS256, of the type `weir-ticket`, with the claims `sid`,
//! `video`, `country` (if it is known), `pop`, `iat` and `exp`. Its key is shared by edges and
//! origin and is no playback key.

use std::{fmt::Write, time::Duration};

use thiserror::Error;

use crate::{
    Country, SessionId, VideoId, WallTime,
    json::{Json, Kind, Malformed, write_text},
    jws::{self, Compact, once},
    key::{Algorithm, InvalidKey, Key, Secret, SigningKey},
};

/// How long a ticket is good for.
pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);
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
    /// It is older than [`LIFETIME`], or from the future.
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
    pub fn sign(&self, key: &[u8]) -> Result<String, InvalidKey> {
        let mut json = format!(r#"{{"sid":"{}","video":"{}""#, self.session, self.video);
        // Writing to a string cannot fail.
        if let Some(country) = self.country {
            let _ = write!(json, r#","country":"{country}""#);
        }
        json.push_str(r#","pop":"#);
        write_text(&mut json, &self.pop);
        let (issued, expires) = (self.issued.0 / 1000, self.expires().0 / 1000);
        let _ = write!(json, r#","iat":{issued},"exp":{expires}}}"#);
        let key = SigningKey {
            kid: String::new(),
            algorithm: Algorithm::Hs256,
            secret: Secret(key.to_vec()),
        };
        jws::sign(&key, KIND, &json)
    }

    /// The ticket that `text` is, if it was signed with `key` and is good at `now`. A clock may be
    /// a minute ahead.
    pub fn verify(text: &str, key: &[u8], now: WallTime) -> Result<Self, TicketError> {
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
        let key = Key {
            kid: String::new(),
            algorithm: Algorithm::Hs256,
            key: Secret(key.to_vec()),
        };
        if !key.verifies(jws.signed.as_bytes(), &jws.signature) {
            return Err(TicketError::Signature);
        }
        let ticket = Self::parse(&jws.payload().map_err(malformed)?).map_err(malformed)?;
        if now.plus(AHEAD) < ticket.issued || now >= ticket.expires() {
            return Err(TicketError::Expired {
                issued: ticket.issued,
                expires: ticket.expires(),
            });
        }
        Ok(ticket)
    }

    fn parse(json: &str) -> Result<Self, Malformed> {
        let (mut session, mut video, mut country) = (None, None, None);
        let (mut pop, mut issued) = (None, None);
        jws::members(json, |name, json| {
            match name {
                "sid" => once(&mut session, text(json)?)?,
                "video" => once(&mut video, text(json)?)?,
                "country" => once(&mut country, text(json)?)?,
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
            country: match country {
                None => None,
                country => Some(parsed(country)?),
            },
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &[u8] = &[9; 32];
    const HOUR_MS: u64 = 3_600_000;

    fn ticket() -> Ticket {
        Ticket {
            session: SessionId::from_random(77),
            video: "oabcdefghijk".parse().unwrap(),
            country: Country::new(*b"IS"),
            pop: "fra-1".to_owned(),
            issued: WallTime(1_795_367_096_000),
        }
    }

    #[test]
    fn tickets_return_for_a_day() {
        let text = ticket().sign(KEY).unwrap();
        let at = |hours| Ticket::verify(&text, KEY, WallTime(ticket().issued.0 + hours * HOUR_MS));
        assert_eq!(at(0), Ok(ticket()));
        assert_eq!(at(23), Ok(ticket()));
        let expired = TicketError::Expired {
            issued: ticket().issued,
            expires: ticket().expires(),
        };
        assert_eq!(at(24), Err(expired));
        let early = WallTime(ticket().issued.0 - HOUR_MS);
        assert_eq!(Ticket::verify(&text, KEY, early), Err(expired));
    }

    #[test]
    fn forgeries_are_refused() {
        let now = ticket().issued;
        let verify = |text: &str| Ticket::verify(text, KEY, now);
        let text = ticket().sign(&[8; 32]).unwrap();
        assert_eq!(verify(&text), Err(TicketError::Signature));
        let key = SigningKey {
            kid: String::new(),
            algorithm: Algorithm::Hs256,
            secret: Secret(KEY.to_vec()),
        };
        let other = jws::sign(&key, "JWT", "{}").unwrap();
        assert_eq!(
            verify(&other),
            Err(TicketError::Malformed),
            "another kind of token"
        );
        let empty = jws::sign(&key, KIND, "{}").unwrap();
        assert_eq!(verify(&empty), Err(TicketError::Malformed));
        for text in ["", "..", "a.b.c", &"a".repeat(2000)] {
            assert_eq!(verify(text), Err(TicketError::Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused(text in "[A-Za-z0-9_.-]{0,200}") {
            prop_assert!(Ticket::verify(&text, KEY, WallTime(0)).is_err());
        }
    }
}
