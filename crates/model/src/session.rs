//! WebRTC sessions and their URLs: what WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) name.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::VideoId;

/// RFC 4648 base32 in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// 128 bits in digits of 5.
const LEN: usize = 26;

/// Names one WebRTC session: 128 random bits in 26 characters of lower-case base32. Whoever knows
/// it may end the session, so that it is written into no log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; LEN]);

/// What is no session id.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a session id is {LEN} characters of a-z and 2-7, not {0}")]
pub struct InvalidSessionId(usize);

impl SessionId {
    /// The id made of these bits.
    pub fn from_random(mut bits: u128) -> Self {
        let mut id = [0; LEN];
        for character in &mut id {
            *character = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
        }
        Self(id)
    }

    /// The id as it stands in URLs.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = text.as_bytes().try_into().ok();
        id.filter(|id: &[u8; LEN]| id.iter().all(|c| ALPHABET.contains(c)))
            .map(Self)
            .ok_or(InvalidSessionId(text.len()))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

/// A parsed `/v/{video}/whep` or `/v/{video}/whep/{session}`, optionally under `/t/{token}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WhepPath<'a> {
    /// The playback token that came in the path.
    pub token: Option<&'a str>,
    /// Whose media is played.
    pub video: VideoId,
    /// Which session; none yet where one is asked for.
    pub session: Option<SessionId>,
}

impl<'a> WhepPath<'a> {
    /// Parses the path part of a URL, not percent-decoded. `None` if it is another one.
    pub fn parse(path: &'a str) -> Option<Self> {
        let (token, path) = match path.strip_prefix("/t/") {
            Some(rest) => {
                let end = rest.find('/').filter(|&end| end > 0)?;
                (Some(&rest[..end]), &rest[end..])
            }
            None => (None, path),
        };
        let (video, rest) = path.strip_prefix("/v/")?.split_once('/')?;
        let session = match rest.strip_prefix("whep")? {
            "" => None,
            rest => Some(rest.strip_prefix('/')?.parse().ok()?),
        };
        Some(Self {
            token,
            video: video.parse().ok()?,
            session,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_parse() {
        for bits in [
            0,
            1,
            31,
            u128::MAX,
            0x1234_5678_9abc_def0_0fed_cba9_8765_4321,
        ] {
            let id = SessionId::from_random(bits);
            assert_eq!(id.as_str().parse(), Ok(id));
        }
        assert_ne!(SessionId::from_random(1), SessionId::from_random(1 << 127));
        for text in [
            "",
            "a",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "abcdefghijklmnopqrstuvwxy1",
        ] {
            assert_eq!(
                text.parse::<SessionId>(),
                Err(InvalidSessionId(text.len())),
                "{text}"
            );
        }
    }

    #[test]
    fn paths_name_a_video_and_perhaps_a_session() {
        let id = "abcdefghijklmnopqrstuvwxyz";
        let parsed = WhepPath::parse("/v/oabcdefghijk/whep").unwrap();
        assert_eq!((parsed.token, parsed.session), (None, None));
        let path = format!("/t/token/v/oabcdefghijk/whep/{id}");
        let parsed = WhepPath::parse(&path).unwrap();
        assert_eq!(parsed.token, Some("token"));
        assert_eq!(parsed.session, id.parse().ok());
        for path in [
            "/v/oabcdefghijk/index.m3u8",
            "/v/oabcdefghijk/whep/",
            "/v/oabcdefghijk/whepx",
            "/v/oabcdefghijk/whep/index.m3u8",
            "/v/nothing/whep",
            "/t//v/oabcdefghijk/whep",
        ] {
            assert_eq!(WhepPath::parse(path), None, "{path}");
        }
    }
}
