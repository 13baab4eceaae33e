//! Playback tokens: JSON Web Tokens (RFC 7519) in compact form, HS256 or EdDSA.
//!
//! | claim | means |
//! | --- | --- |
//! | `video` | the id of the video, an array of up to 16 ids, or `*` for any; needed |
//! | `exp` | when it ends, in Unix seconds; needed |
//! | `nbf` | when it begins |
//! | `aud` | whom it is for; needed where an edge has an audience, refused where it has none |
//! | `countries` | array of up to 32 ISO 3166-1 codes: where it is good |
//! | `device` | `phone`, `tablet`, `desktop` or `tv`: which renditions are listed |
//! | `max_height` | most lines of video |
//!
//! `kid` names the key, and the key fixes the algorithm. Other claims are passed over; one of these
//! given twice, or as what it cannot be, spoils the token.
//!
//! A signature is verified once ([`verify`]); what was verified is kept as bytes, from which a
//! [`Grant`] reads what each request is checked against.

mod grant;
mod read;

use std::fmt::Write;

use crate::{
    Country, DeviceClass, VideoId, WallTime,
    json::write_text,
    jws,
    key::{InvalidKey, SigningKey},
};

pub use grant::{Grace, Grant, Refusal};
pub use read::{TokenError, verify};

/// Longest token in bytes.
pub const MAX_LEN: usize = 1536;
/// Most videos that one token names.
pub const MAX_VIDEOS: usize = 16;
/// Most countries that one token names.
pub const MAX_COUNTRIES: usize = 32;

/// What a token allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Which videos.
    pub videos: Videos,
    /// From when on.
    pub not_before: Option<WallTime>,
    /// Until when.
    pub expires: WallTime,
    /// Where; everywhere if there is none.
    pub countries: Vec<Country>,
    /// The device class whose renditions are listed, whatever the device says.
    pub device: Option<DeviceClass>,
    /// Most lines of video.
    pub max_height: Option<u16>,
}

/// Which videos a token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Videos {
    /// Every one.
    Any,
    /// These.
    These(Vec<VideoId>),
}

/// The token of a request: in its path (`/t/{token}/…`), else in its query (`token=`), else the
/// `bearer` of its `Authorization`, empty if there is none. A host that remembers claims finds the
/// token by the same rule.
pub fn of_request<'a>(path: &'a str, query: &'a str, bearer: &'a str) -> Option<&'a str> {
    if let Some(rest) = path.strip_prefix("/t/") {
        return rest.split('/').next();
    }
    let in_query = || {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix("token="))
    };
    in_query()
        .or(Some(bearer))
        .filter(|token| !token.is_empty())
}

/// `path` without the token that it stands under. Whether that is good for anything there is another
/// question.
pub fn bare(path: &str) -> &str {
    let behind = |rest: &'_ str| rest.find('/').filter(|end| *end > 0);
    match path.strip_prefix("/t/") {
        Some(rest) => behind(rest).and_then(|end| rest.get(end..)).unwrap_or(path),
        None => path,
    }
}

/// A token that claims this, for `audience` unless that is empty.
pub fn mint(claims: &Claims, audience: &str, key: &SigningKey) -> Result<String, InvalidKey> {
    key.check()?;
    jws::sign(key, "JWT", &payload(claims, audience))
}

fn payload(claims: &Claims, audience: &str) -> String {
    let mut json = String::from(r#"{"video":"#);
    // Writing to a string cannot fail, here and below.
    match &claims.videos {
        Videos::Any => json.push_str(r#""*""#),
        Videos::These(videos) => write_list(&mut json, videos),
    }
    let _ = write!(json, r#","exp":{}"#, claims.expires.0 / 1000);
    if let Some(not_before) = claims.not_before {
        let _ = write!(json, r#","nbf":{}"#, not_before.0 / 1000);
    }
    if !audience.is_empty() {
        json.push_str(r#","aud":"#);
        write_text(&mut json, audience);
    }
    if !claims.countries.is_empty() {
        json.push_str(r#","countries":"#);
        write_list(&mut json, &claims.countries);
    }
    if let Some(device) = claims.device {
        let _ = write!(json, r#","device":"{}""#, device.as_str());
    }
    if let Some(lines) = claims.max_height {
        let _ = write!(json, r#","max_height":{lines}"#);
    }
    json.push('}');
    json
}

/// An array of words that need no escapes.
fn write_list(json: &mut String, words: &[impl std::fmt::Display]) {
    let mut separator = '[';
    for word in words {
        let _ = write!(json, r#"{separator}"{word}""#);
        separator = ',';
    }
    if words.is_empty() {
        json.push('[');
    }
    json.push(']');
}

#[cfg(test)]
#[path = "token/tests.rs"]
mod tests;
