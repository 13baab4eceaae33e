//! Keys as files: JSON Web Keys (RFC 7517), `oct` for HS256 and `OKP` with `Ed25519` (RFC 8037) for
//! EdDSA.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    jws::{decoded, encoded},
    key::{Algorithm, InvalidKey, Key, Secret, SigningKey},
};

/// A JSON Web Key. Members that are not named here are passed over.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    kty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    /// The shared secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<String>,
    /// The public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    /// The private key's seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<String>,
}

/// A JSON Web Key that cannot be used as what it is meant for.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InvalidJwk {
    /// Neither of the two kinds.
    #[error("kty is {kty:?} and alg {alg:?}; known are oct with HS256, and OKP with EdDSA")]
    Kind {
        /// What `kty` says.
        kty: String,
        /// What `alg` says.
        alg: Option<String>,
    },
    /// Of another curve than Ed25519.
    #[error("crv is {0:?}; known is Ed25519")]
    Curve(Option<String>),
    /// A member that is needed is missing or no base64url.
    #[error("{0} is missing, or no base64url without padding")]
    Member(&'static str),
    /// It has no `kid`, by which tokens would name it.
    #[error("kid is missing")]
    Unnamed,
    /// It can sign where it is only to verify.
    #[error("this is a private key (it has d); an edge is to have the public one alone")]
    Private,
    /// Its bytes are no such key.
    #[error(transparent)]
    Key(#[from] InvalidKey),
}

impl Jwk {
    /// The whole key, which can sign.
    pub fn signing_key(key: &SigningKey) -> Result<Self, InvalidKey> {
        let public = Self::verifying_key(&key.verifying()?);
        Ok(match key.algorithm {
            Algorithm::Hs256 => public,
            Algorithm::EdDsa => Self {
                d: Some(encoded(&key.secret.0)),
                ..public
            },
        })
    }

    /// What verifies; of HS256 that is the whole key.
    pub fn verifying_key(key: &Key) -> Self {
        let named = Self {
            alg: Some(key.algorithm.as_str().to_owned()),
            kid: Some(key.kid.clone()),
            ..Self::default()
        };
        let bytes = Some(encoded(&key.key.0));
        match key.algorithm {
            Algorithm::Hs256 => Self {
                kty: "oct".to_owned(),
                k: bytes,
                ..named
            },
            Algorithm::EdDsa => Self {
                kty: "OKP".to_owned(),
                crv: Some("Ed25519".to_owned()),
                x: bytes,
                ..named
            },
        }
    }

    /// The key to sign with.
    pub fn to_signing(&self) -> Result<SigningKey, InvalidJwk> {
        let algorithm = self.algorithm()?;
        let key = SigningKey {
            kid: self.kid.clone().ok_or(InvalidJwk::Unnamed)?,
            algorithm,
            secret: match algorithm {
                Algorithm::Hs256 => member("k", self.k.as_deref())?,
                Algorithm::EdDsa => member("d", self.d.as_deref())?,
            },
        };
        key.check()?;
        Ok(key)
    }

    /// The key to verify with.
    pub fn to_verifying(&self) -> Result<Key, InvalidJwk> {
        let algorithm = self.algorithm()?;
        if self.d.is_some() {
            return Err(InvalidJwk::Private);
        }
        let key = Key {
            kid: self.kid.clone().ok_or(InvalidJwk::Unnamed)?,
            algorithm,
            key: match algorithm {
                Algorithm::Hs256 => member("k", self.k.as_deref())?,
                Algorithm::EdDsa => member("x", self.x.as_deref())?,
            },
        };
        key.check()?;
        Ok(key)
    }

    fn algorithm(&self) -> Result<Algorithm, InvalidJwk> {
        match (self.kty.as_str(), self.alg.as_deref()) {
            ("oct", Some("HS256")) => Ok(Algorithm::Hs256),
            ("OKP", None | Some("EdDSA")) => match self.crv.as_deref() {
                Some("Ed25519") => Ok(Algorithm::EdDsa),
                _ => Err(InvalidJwk::Curve(self.crv.clone())),
            },
            _ => Err(InvalidJwk::Kind {
                kty: self.kty.clone(),
                alg: self.alg.clone(),
            }),
        }
    }
}

fn member(name: &'static str, value: Option<&str>) -> Result<Secret, InvalidJwk> {
    let bytes = value.and_then(|text| decoded(text).ok());
    bytes.map(Secret).ok_or(InvalidJwk::Member(name))
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("kty", &self.kty)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8037 appendix A.1.
    const PRIVATE: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"a",
        "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn jwk(json: &str) -> Jwk {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn keys_return() {
        let key = jwk(PRIVATE).to_signing().unwrap();
        assert_eq!(jwk(PRIVATE).to_verifying(), Err(InvalidJwk::Private));
        let public = Jwk::verifying_key(&key.verifying().unwrap());
        assert_eq!(
            public.x.as_deref(),
            Some("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
        );
        assert_eq!(public.to_verifying(), Ok(key.verifying().unwrap()));
        assert_eq!(public.to_signing(), Err(InvalidJwk::Member("d")));
        assert_eq!(Jwk::signing_key(&key).unwrap().to_signing(), Ok(key));
        assert!(!format!("{:?}", jwk(PRIVATE)).contains("nWGx"));

        let shared = SigningKey {
            kid: "b".to_owned(),
            algorithm: Algorithm::Hs256,
            secret: Secret(vec![7; 32]),
        };
        let file = serde_json::to_string(&Jwk::signing_key(&shared).unwrap()).unwrap();
        assert_eq!(jwk(&file).to_verifying(), Ok(shared.verifying().unwrap()));
        assert_eq!(jwk(&file).to_signing(), Ok(shared));
    }

    #[test]
    fn other_keys_are_refused() {
        let check = |json, expected| assert_eq!(jwk(json).to_verifying(), Err(expected), "{json}");
        check(
            r#"{"kty":"RSA","alg":"RS256","kid":"a"}"#,
            InvalidJwk::Kind {
                kty: "RSA".to_owned(),
                alg: Some("RS256".to_owned()),
            },
        );
        check(
            r#"{"kty":"OKP","crv":"X25519","kid":"a","x":"AA"}"#,
            InvalidJwk::Curve(Some("X25519".to_owned())),
        );
        check(
            r#"{"kty":"oct","alg":"HS256","k":"AA"}"#,
            InvalidJwk::Unnamed,
        );
        check(
            r#"{"kty":"oct","alg":"HS256","kid":"a","k":"A="}"#,
            InvalidJwk::Member("k"),
        );
        check(
            r#"{"kty":"oct","alg":"HS256","kid":"a","k":"AAAA"}"#,
            InvalidJwk::Key(InvalidKey::ShortSecret(3)),
        );
    }
}
