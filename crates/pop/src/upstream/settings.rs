//! What a PoP is told of its peers.

use std::{io, path::PathBuf, str::FromStr};

use http::{Uri, uri::Scheme};
use thiserror::Error;
use tokio::sync::watch;
use weir_model::edge::EdgeSecrets;

use super::{Member, Policy, Role};

/// Origins, shields, and how they know this PoP.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where origins' viewer planes listen: scheme and authority, such as `http://127.0.0.1:9000`.
    /// At least one. What no video names is asked of the first one that is well.
    pub origins: Vec<Uri>,
    /// Points of presence to ask before origins. Each video has one of them.
    pub shields: Vec<Shield>,
    /// Secrets shared with them, the latest; without one, requests are not signed.
    pub secrets: Option<watch::Receiver<EdgeSecrets>>,
    /// The only authority, in PEM, that certificates of peers are checked against, instead of those
    /// of the system.
    pub ca: Option<PathBuf>,
    /// Bounds of what peers are asked.
    pub policy: Policy,
}

/// Another PoP, between this one and the origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shield {
    /// Where it listens: scheme and authority. Name it alike at every PoP: videos are shared out by
    /// these names.
    pub uri: Uri,
    /// How many videos it takes, against others.
    pub weight: u32,
}

/// Why peers cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// There is no origin.
    #[error("no origin is named")]
    NoOrigin,
    /// The address of a peer has another scheme than `http` and `https`, no authority, or more.
    #[error("an origin or a shield is http://host:port or https://host:port, not {0}")]
    Peer(Uri),
    /// The PoP's name cannot stand in a header field.
    #[error("{0:?} is no name of a PoP: 1 to 32 characters of a-z, 0-9 and '-'")]
    Name(String),
    /// The authority's certificate could not be read.
    #[error("cannot read the authority's certificate from {}: {source}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: tokio_rustls::rustls::pki_types::pem::Error,
    },
    /// The system has no authorities.
    #[error("the system's certificate authorities cannot be read: {0}")]
    SystemAuthorities(io::Error),
    /// TLS refuses an authority, or offers no version.
    #[error("TLS towards origins: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

impl Settings {
    /// One origin, without shields and secrets.
    pub fn of_origin(origin: Uri) -> Self {
        Self {
            origins: vec![origin],
            ..Self::default()
        }
    }

    /// The peers as the router takes them, shields first.
    pub(super) fn members(&self) -> Result<Vec<Member>, SettingsError> {
        if self.origins.is_empty() {
            return Err(SettingsError::NoOrigin);
        }
        let shields = self
            .shields
            .iter()
            .map(|shield| (&shield.uri, Role::Shield, shield.weight));
        let origins = self.origins.iter().map(|uri| (uri, Role::Origin, 1));
        let member = |(uri, role, weight): (&Uri, Role, u32)| {
            check(uri)?;
            let name = uri.to_string().trim_end_matches('/').to_owned();
            Ok(Member { name, role, weight })
        };
        shields.chain(origins).map(member).collect()
    }

    /// Addresses of the peers, in the same order.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &Uri> {
        let shields = self.shields.iter().map(|shield| &shield.uri);
        shields.chain(&self.origins)
    }
}

fn check(uri: &Uri) -> Result<(), SettingsError> {
    let scheme = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    let bare = uri.path() == "/" && uri.query().is_none();
    let authority = uri
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@'));
    match scheme && bare && authority {
        true => Ok(()),
        false => Err(SettingsError::Peer(uri.clone())),
    }
}

/// `URL`, or `URL,weight=N`.
impl FromStr for Shield {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (uri, weight) = text.split_once(",weight=").unwrap_or((text, "1"));
        let uri: Uri = uri.parse().map_err(|e| format!("{uri:?} is no URL: {e}"))?;
        check(&uri).map_err(|e| e.to_string())?;
        let weight = weight
            .parse()
            .ok()
            .filter(|weight| (1..=1000).contains(weight));
        let weight =
            weight.ok_or_else(|| format!("{text:?}: a weight is a number from 1 to 1000"))?;
        Ok(Self { uri, weight })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shields_are_urls_with_or_without_a_weight() {
        let check = |text: &str, weight| {
            let shield: Shield = text.parse().unwrap();
            assert_eq!(
                (shield.weight, shield.uri.host()),
                (weight, Some("s1")),
                "{text}"
            );
        };
        check("https://s1", 1);
        check("http://s1:8080,weight=3", 3);
        for text in [
            "",
            "s1",
            "https://s1/path",
            "ftp://s1",
            "https://s1,weight=0",
            "https://a@s1",
        ] {
            assert!(text.parse::<Shield>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn members_are_named_by_their_addresses() {
        let settings = Settings {
            shields: vec!["https://s1,weight=2".parse().unwrap()],
            ..Settings::of_origin("http://127.0.0.1:9000/".parse().unwrap())
        };
        let members = settings.members().unwrap();
        let named: Vec<_> = members
            .iter()
            .map(|m| (m.name.as_str(), m.role, m.weight))
            .collect();
        let expected = [
            ("https://s1", Role::Shield, 2),
            ("http://127.0.0.1:9000", Role::Origin, 1),
        ];
        assert_eq!(named, expected);
        assert!(matches!(
            Settings::default().members(),
            Err(SettingsError::NoOrigin)
        ));
    }
}
