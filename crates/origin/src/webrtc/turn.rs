//! An operator's TURN servers, and credentials for them that expire (the REST API that coturn
//! knows as `use-auth-secret`, draft-uberti-behave-turn-rest): the server and we share a secret,
//! the user name is when it ends, and the password is the user name's HMAC-SHA1.

use std::{fmt, str::FromStr, time::Duration};

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use thiserror::Error;
use weir_model::WallTime;

/// How long credentials last: a TURN server asks for them again when an allocation is refreshed,
/// so that they have to outlive a broadcast.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A STUN or TURN URL (RFC 7064, RFC 7065).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnUrl(String);

/// What is no such URL.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no URL of a TURN server, such as turns:turn.example.org:443?transport=tcp")]
pub struct InvalidTurnUrl(String);

impl FromStr for TurnUrl {
    type Err = InvalidTurnUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = ["turn:", "turns:", "stun:", "stuns:"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or_default();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-:[]?=".contains(&b);
        match !rest.is_empty() && rest.bytes().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidTurnUrl(text.to_owned())),
        }
    }
}

/// What is shared with the TURN servers.
#[derive(Clone)]
pub struct TurnSecret(hmac::Key);

impl TurnSecret {
    /// From its text, as it stands in the TURN server's configuration.
    pub fn new(secret: &str) -> Self {
        // The algorithm is the protocol's; HMAC does not suffer from SHA-1's collisions.
        let algorithm = hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
        Self(hmac::Key::new(algorithm, secret.as_bytes()))
    }
}

impl fmt::Debug for TurnSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TurnSecret(..)")
    }
}

/// The servers that clients are told of.
#[derive(Clone, Debug, Default)]
pub struct TurnServers {
    /// Where they are.
    pub urls: Vec<TurnUrl>,
    /// For credentials; without one they take anyone.
    pub secret: Option<TurnSecret>,
}

impl TurnServers {
    /// Values of `Link` fields, as RFC 9725 section 4.6 has them.
    pub(crate) fn links(&self, now: WallTime) -> Vec<String> {
        let credentials = self.secret.as_ref().map(|secret| {
            let username = (now.plus(LIFETIME).0 / 1000).to_string();
            let tag = hmac::sign(&secret.0, username.as_bytes());
            (username, BASE64.encode(tag.as_ref()))
        });
        let link = |TurnUrl(url): &TurnUrl| {
            let plain = format!("<{url}>; rel=\"ice-server\"");
            match &credentials {
                Some((username, credential)) if url.starts_with("turn") => format!(
                    "{plain}; username=\"{username}\"; credential=\"{credential}\"; \
                     credential-type=\"password\""
                ),
                _ => plain,
            }
        };
        self.urls.iter().map(link).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_what_coturn_makes_of_the_same_secret() {
        let servers = TurnServers {
            urls: vec![
                "turn:turn.example.org".parse().unwrap(),
                "stun:stun.example.org".parse().unwrap(),
            ],
            secret: Some(TurnSecret::new("north")),
        };
        let links = servers.links(WallTime(1_433_895_918_506 - 86_400_000));
        assert_eq!(
            links,
            [
                "<turn:turn.example.org>; rel=\"ice-server\"; username=\"1433895918\"; \
                 credential=\"3dkl8uIBelQlraT8v9eCSJTyt+U=\"; credential-type=\"password\"",
                "<stun:stun.example.org>; rel=\"ice-server\""
            ]
        );
    }

    #[test]
    fn urls_can_break_no_header_field() {
        for url in [
            "turn:",
            "http://a",
            "turn:a>; rel=\"b\"",
            "turn:a\r\nx: y",
            "",
        ] {
            assert!(url.parse::<TurnUrl>().is_err(), "{url}");
        }
        for url in [
            "turns:turn.example.org:443?transport=tcp",
            "turn:[::1]:3478",
        ] {
            assert!(url.parse::<TurnUrl>().is_ok(), "{url}");
        }
    }
}
