//! From a token's text to its claims.

use thiserror::Error;

use super::{Claims, MAX_COUNTRIES, MAX_LEN, MAX_VIDEOS, Videos};
use crate::{
    WallTime,
    json::{Json, Kind, Malformed},
    jws::{self, Compact, once},
    key::Key,
};

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// It is longer than any good one.
    #[error("a token has at most {MAX_LEN} bytes, not {0}")]
    TooLong(usize),
    /// It is no JSON Web Token, or asks for an extension.
    #[error("this is no JSON Web Token in compact form")]
    Malformed,
    /// It is another kind of token.
    #[error("the token's typ is not JWT")]
    Kind,
    /// It names no key, or none that is known.
    #[error("the token's kid names no key that is known")]
    UnknownKey,
    /// It names another algorithm than its key's.
    #[error("the token's alg is not its key's")]
    Algorithm,
    /// The signature is not its key's.
    #[error("the token's signature is not its key's")]
    Signature,
    /// A claim is missing, given twice, or no such thing.
    #[error("the token's claims are incomplete or malformed")]
    Claims,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
}

/// The claims of `token`, if one of `keys` signed it for `audience`. Whether they allow a request
/// is another question ([`super::Grant`]).
pub fn verify(token: &str, keys: &[Key], audience: &str) -> Result<Claims, TokenError> {
    if token.len() > MAX_LEN {
        return Err(TokenError::TooLong(token.len()));
    }
    let jws = Compact::parse(token).map_err(|Malformed| TokenError::Malformed)?;
    let header = &jws.header;
    if header
        .kind
        .as_deref()
        .is_some_and(|kind| !kind.eq_ignore_ascii_case("JWT"))
    {
        return Err(TokenError::Kind);
    }
    let kid = header.kid.as_deref().ok_or(TokenError::UnknownKey)?;
    let key = keys.iter().find(|key| key.kid == kid);
    let key = key.ok_or(TokenError::UnknownKey)?;
    if header.algorithm != key.algorithm.as_str() {
        return Err(TokenError::Algorithm);
    }
    if !key.verifies(jws.signed.as_bytes(), &jws.signature) {
        return Err(TokenError::Signature);
    }
    let payload = jws.payload().map_err(|Malformed| TokenError::Malformed)?;
    let Payload { claims, audiences } =
        Payload::parse(&payload).map_err(|Malformed| TokenError::Claims)?;
    // RFC 7519 section 4.1.3: who is named nowhere has to refuse.
    match audiences {
        None if audience.is_empty() => Ok(claims),
        Some(audiences) if audiences.iter().any(|named| spells(named, audience)) => Ok(claims),
        _ => Err(TokenError::Audience),
    }
}

struct Payload<'a> {
    claims: Claims,
    /// As written in JSON.
    audiences: Option<Vec<&'a str>>,
}

impl<'a> Payload<'a> {
    fn parse(json: &'a str) -> Result<Self, Malformed> {
        let (mut videos, mut expires, mut not_before) = (None, None, None);
        let (mut audiences, mut countries, mut device, mut max_height) = (None, None, None, None);
        jws::members(json, |name, json| {
            match name {
                "video" => once(&mut videos, read_videos(json)?)?,
                "exp" => once(&mut expires, date(json)?)?,
                "nbf" => once(&mut not_before, date(json)?)?,
                "aud" => once(&mut audiences, texts(json, MAX_VIDEOS)?)?,
                "countries" => once(&mut countries, read_countries(json)?)?,
                "device" => once(&mut device, parsed(text(json)?)?)?,
                "max_height" => once(&mut max_height, lines(json)?)?,
                _ => {
                    json.value()?;
                }
            }
            Ok(())
        })?;
        Ok(Self {
            claims: Claims {
                videos: videos.ok_or(Malformed)?,
                not_before,
                expires: expires.ok_or(Malformed)?,
                countries: countries.unwrap_or_default(),
                device,
                max_height,
            },
            audiences,
        })
    }
}

fn read_videos(json: &mut Json<'_>) -> Result<Videos, Malformed> {
    let names = texts(json, MAX_VIDEOS)?;
    match names.as_slice() {
        [] => Err(Malformed),
        ["*"] => Ok(Videos::Any),
        names => names
            .iter()
            .map(|name| parsed(name))
            .collect::<Result<_, _>>()
            .map(Videos::These),
    }
}

/// At least one: none would be read as everywhere.
fn read_countries(json: &mut Json<'_>) -> Result<Vec<crate::Country>, Malformed> {
    let names = texts(json, MAX_COUNTRIES)?;
    if names.is_empty() {
        return Err(Malformed);
    }
    names.iter().map(|name| parsed(name)).collect()
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, Malformed> {
    text.parse().map_err(|_| Malformed)
}

/// A text, as written between its quotes.
fn text<'a>(json: &mut Json<'a>) -> Result<&'a str, Malformed> {
    match json.value()? {
        Kind::Text(text) => Ok(text),
        _ => Err(Malformed),
    }
}

/// A text, or an array of up to `most`.
fn texts<'a>(json: &mut Json<'a>, most: usize) -> Result<Vec<&'a str>, Malformed> {
    let mut texts = Vec::new();
    let kind = json.items(|json| {
        texts.push(text(json)?);
        if texts.len() <= most {
            Ok(())
        } else {
            Err(Malformed)
        }
    })?;
    match kind {
        Kind::Array => Ok(texts),
        Kind::Text(text) => Ok(vec![text]),
        _ => Err(Malformed),
    }
}

/// NumericDate (RFC 7519 section 2): seconds, of which a fraction is dropped.
fn date(json: &mut Json<'_>) -> Result<WallTime, Malformed> {
    let Kind::Number(number) = json.value()? else {
        return Err(Malformed);
    };
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = fraction.bytes().all(|b| b.is_ascii_digit());
    let seconds: u64 = seconds.parse().map_err(|_| Malformed)?;
    if digits {
        Ok(WallTime(seconds.saturating_mul(1000)))
    } else {
        Err(Malformed)
    }
}

fn lines(json: &mut Json<'_>) -> Result<u16, Malformed> {
    match json.value()? {
        Kind::Number(number) => {
            parsed(number).and_then(
                |lines: u16| {
                    if lines > 0 { Ok(lines) } else { Err(Malformed) }
                },
            )
        }
        _ => Err(Malformed),
    }
}

/// Whether a text, as written in JSON, is `expected`. Of the escapes only `\/` is known: some
/// writers put it into every URL.
fn spells(written: &str, expected: &str) -> bool {
    if expected.is_empty() {
        return false;
    }
    let mut rest = expected;
    for piece in written.split("\\/").enumerate() {
        let (at, piece) = piece;
        let left = match at {
            0 => Some(rest),
            _ => rest.strip_prefix('/'),
        };
        match left.and_then(|left| left.strip_prefix(piece)) {
            Some(left) if !piece.contains('\\') => rest = left,
            _ => return false,
        }
    }
    rest.is_empty()
}
