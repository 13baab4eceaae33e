//! What points of presence and origins say to each other: who asks, by which way, and which origin
//! has which video.
//!
//! # Who asks
//!
//! Every request from a point of presence carries `Weir-Pop`, the names of the points of presence
//! that it came through, the last one its sender: `paris, frankfurt` ([`Hops`]). Where a secret is
//! shared it also carries
//!
//! ```text
//! Weir-Edge: t=1795367096, m=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! ```
//!
//! `t` is the sender's time in Unix seconds, `m` is HMAC-SHA256 (RFC 2104) in lower-case
//! hexadecimal, under one of the shared secrets, of these lines, each ended by a line feed:
//!
//! | line | such as |
//! | --- | --- |
//! | `weir-edge-1` | `weir-edge-1` |
//! | method | `GET` |
//! | path and query | `/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7` |
//! | `t` | `1795367096` |
//! | `Weir-Pop`, or nothing | `paris, frankfurt` |
//! | `Weir-Country`, or nothing | `FR` |
//!
//! Thus the secret itself never travels, and what an eavesdropper or a log gets hold of opens one
//! target for [`WINDOW_S`] to each side of `t`. Bodies are not signed: TLS is for those.

use std::{fmt, sync::Arc};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;

use crate::{
    Epoch, VideoId,
    key::Secret,
    ticket::{TicketKey, TicketKeys},
};

/// Names of the points of presence that a request came through.
pub const POP_HEADER: &str = "weir-pop";
/// Proof that it comes from one.
pub const EDGE_HEADER: &str = "weir-edge";
/// The viewer's country, as the first of them believes.
pub const COUNTRY_HEADER: &str = "weir-country";

/// How far the clocks of two machines may be apart, in seconds.
pub const WINDOW_S: u64 = 60;
/// Most points of presence that a request may come through.
pub const MAX_HOPS: usize = 4;
/// Most videos in one [`Leases`] that a point of presence takes.
pub const MAX_LEASES: usize = 100_000;

/// Where an origin tells which videos it has.
pub const LEASES_PATH: &str = "/edge/leases";
/// How long an origin holds a request for leases that have not changed, in seconds.
pub const LEASES_WAIT_S: u64 = 20;

/// Which videos are on air at an origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leases {
    /// Changes with the list. Asked for with `?since={version}`, the origin answers once its own
    /// is another one.
    pub version: u64,
    /// The videos, in no order.
    pub videos: Vec<Lease>,
}

/// A video at an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Which one.
    pub video: VideoId,
    /// Its current or last epoch there, if it ever was on air.
    pub epoch: Option<Epoch>,
}

/// The points of presence that a request came through, the nearest to the viewer first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hops(Vec<String>);

/// Why a request's way is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidHops {
    /// Something that is no name of a point of presence.
    #[error("a point of presence is called by 1 to 32 characters of a-z, 0-9 and '-'")]
    Name,
    /// Too many of them.
    #[error("a request comes through at most {MAX_HOPS} points of presence")]
    TooMany,
}

impl Hops {
    /// Reads the value of `Weir-Pop`.
    pub fn parse(value: &str) -> Result<Self, InvalidHops> {
        let mut hops = Self::default();
        for name in value.split(',').map(str::trim) {
            hops = hops.through(name)?;
        }
        Ok(hops)
    }

    /// The way that goes on through the point of presence `name`.
    pub fn through(&self, name: &str) -> Result<Self, InvalidHops> {
        if !is_pop_name(name) {
            return Err(InvalidHops::Name);
        }
        if self.0.len() == MAX_HOPS {
            return Err(InvalidHops::TooMany);
        }
        let mut hops = self.0.clone();
        hops.push(name.to_owned());
        Ok(Self(hops))
    }

    /// Whether it came through `name` before.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|hop| hop == name)
    }

    /// Whether it comes from a viewer.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Hops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// Whether a point of presence may be called `name`.
pub fn is_pop_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(allowed)
}

/// The part of a request that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path and query.
    pub target: &'a str,
    /// Its `Weir-Pop`, or empty.
    pub pop: &'a str,
    /// Its `Weir-Country`, or empty.
    pub country: &'a str,
}

/// Secrets that origins and their points of presence share: one, or two while one takes the place
/// of the other. The first one signs, each of them proves.
#[derive(Clone)]
pub struct EdgeSecrets(Arc<[Hmac<Sha256>]>);

/// Why a text holds no secrets.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidEdgeSecrets {
    /// None at all.
    #[error("there is no secret in it")]
    None,
    /// One that could be guessed.
    #[error("a secret has at least {MIN_SECRET} characters, not {0}")]
    TooShort(usize),
    /// More than a rotation needs.
    #[error("there are more than {MAX_SECRETS} secrets in it")]
    TooMany,
}

/// Shortest secret, in characters.
pub const MIN_SECRET: usize = 32;
/// Most secrets at a time.
pub const MAX_SECRETS: usize = 2;

/// Why a request is not taken for one of a point of presence.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotOfAnEdge {
    /// It is not signed, or not so that it could be read.
    #[error("the request carries no Weir-Edge")]
    Unsigned,
    /// It is too old, or too new; by so many seconds.
    #[error(
        "the request was signed {0} s away from the time here; {WINDOW_S} s are allowed: set the clocks"
    )]
    OutOfTime(u64),
    /// It was signed for something else, or with a secret that is not shared.
    #[error("the request is signed with a secret that is not shared with this server")]
    WrongSecret,
}

impl EdgeSecrets {
    /// Reads secrets, one a line. Empty lines and those that begin with `#` are skipped.
    pub fn parse(text: &str) -> Result<Self, InvalidEdgeSecrets> {
        let mut secrets = Vec::new();
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if line.len() < MIN_SECRET {
                return Err(InvalidEdgeSecrets::TooShort(line.len()));
            }
            // HMAC takes keys of any length.
            secrets.extend(Hmac::new_from_slice(line.as_bytes()).ok());
        }
        match secrets.len() {
            0 => Err(InvalidEdgeSecrets::None),
            1..=MAX_SECRETS => Ok(Self(secrets.into())),
            _ => Err(InvalidEdgeSecrets::TooMany),
        }
    }

    /// What session tickets are signed with where nobody named other keys: HMAC-SHA256 of
    /// `weir-ticket-key-1` under each secret, in their order. Whoever shares the secrets has them, and
    /// no key has to travel.
    pub fn ticket_keys(&self) -> TicketKeys {
        let keys = self.0.iter().map(|secret| {
            let mut mac = secret.clone();
            mac.update(b"weir-ticket-key-1");
            TicketKey::new(Secret(mac.finalize().into_bytes().to_vec()))
        });
        // None is shorter than a key has to be.
        keys.flatten().collect()
    }

    /// The value of `Weir-Edge` for a request that is sent at `now_s`, in Unix seconds.
    pub fn sign(&self, signed: &Signed<'_>, now_s: u64) -> String {
        let mac = self.0.first().map(|secret| {
            let mac = mac(secret, signed, now_s).finalize().into_bytes();
            HEXLOWER.encode(&mac)
        });
        format!("t={now_s}, m={}", mac.unwrap_or_default())
    }

    /// Whether `value`, of `Weir-Edge`, proves that a request came from one who shares a secret. The
    /// time that this takes tells nothing of the secrets.
    pub fn verify(
        &self,
        signed: &Signed<'_>,
        value: Option<&str>,
        now_s: u64,
    ) -> Result<(), NotOfAnEdge> {
        let (time, presented) = value.and_then(read_proof).ok_or(NotOfAnEdge::Unsigned)?;
        // Every secret is tried, whichever fits.
        let mut proved = false;
        for secret in self.0.iter() {
            proved |= mac(secret, signed, time).verify_slice(&presented).is_ok();
        }
        if !proved {
            return Err(NotOfAnEdge::WrongSecret);
        }
        match time.abs_diff(now_s) {
            0..=WINDOW_S => Ok(()),
            away => Err(NotOfAnEdge::OutOfTime(away)),
        }
    }
}

impl fmt::Debug for EdgeSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EdgeSecrets({} of them)", self.0.len())
    }
}

fn mac(secret: &Hmac<Sha256>, signed: &Signed<'_>, time: u64) -> Hmac<Sha256> {
    let Signed {
        method,
        target,
        pop,
        country,
    } = signed;
    let mut mac = secret.clone();
    mac.update(format!("weir-edge-1\n{method}\n{target}\n{time}\n{pop}\n{country}\n").as_bytes());
    mac
}

/// `t=…, m=…`.
fn read_proof(value: &str) -> Option<(u64, [u8; 32])> {
    let (time, mac) = value.split_once(',')?;
    let time = time.trim().strip_prefix("t=")?;
    let digits = time.bytes().all(|b| b.is_ascii_digit());
    let time = digits.then(|| time.parse().ok()).flatten()?;
    let mac = HEXLOWER
        .decode(mac.trim().strip_prefix("m=")?.as_bytes())
        .ok()?;
    Some((time, mac.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "an old secret, of 32 characters.";
    const NEW: &str = "a new secret, of 32 characters...";
    const NOW: u64 = 1_795_367_096;

    fn secrets(text: &str) -> EdgeSecrets {
        EdgeSecrets::parse(text).unwrap()
    }

    fn signed() -> Signed<'static> {
        Signed {
            method: "GET",
            target: "/v/oabcdefghijk/480p/index.m3u8?_HLS_msn=7",
            pop: "paris, frankfurt",
            country: "FR",
        }
    }

    /// For other implementations of the same.
    #[test]
    fn ticket_keys_are_made_of_secrets() {
        let keys = secrets(&format!("{OLD}\n{NEW}")).ticket_keys();
        let bytes: Vec<_> = keys.iter().map(|key| &key.secret().0).collect();
        assert_eq!(
            HEXLOWER.encode(bytes[0]),
            "f1538036f02425553c7ca803cd42cd7c071b9c48b405885dfab43638b207ab24"
        );
        assert_eq!(secrets(NEW).ticket_keys().first(), keys.iter().nth(1));
    }

    /// For other implementations of the same.
    #[test]
    fn a_known_request_has_this_signature() {
        assert_eq!(
            secrets(OLD).sign(&signed(), NOW),
            "t=1795367096, \
             m=6f6d07d41fe79f8028ef910f4592003e52ee5e82e2803f568f60ba7c92c34efd"
        );
    }

    #[test]
    fn both_secrets_prove_during_a_rotation() {
        let (old, new) = (secrets(OLD), secrets(NEW));
        let both = secrets(&format!("# rotated on Monday\n{NEW}\n\n{OLD}\n"));
        let check = |by: &EdgeSecrets, of: &EdgeSecrets, expected| {
            let value = of.sign(&signed(), NOW);
            assert_eq!(by.verify(&signed(), Some(&value), NOW), expected);
        };
        check(&both, &old, Ok(()));
        check(&both, &new, Ok(()));
        check(&new, &both, Ok(()));
        check(&old, &both, Err(NotOfAnEdge::WrongSecret));
    }

    #[test]
    fn a_signature_is_for_one_request_and_a_while() {
        let secrets = secrets(OLD);
        let value = secrets.sign(&signed(), NOW);
        let verify = |signed: Signed<'_>, now| secrets.verify(&signed, Some(&value), now);
        assert_eq!(verify(signed(), NOW + WINDOW_S), Ok(()));
        assert_eq!(verify(signed(), NOW - WINDOW_S), Ok(()));
        let late = NOW + WINDOW_S + 1;
        assert_eq!(verify(signed(), late), Err(NotOfAnEdge::OutOfTime(61)));
        for other in [
            Signed {
                method: "POST",
                ..signed()
            },
            Signed {
                target: "/",
                ..signed()
            },
            Signed {
                pop: "paris",
                ..signed()
            },
            Signed {
                country: "",
                ..signed()
            },
        ] {
            assert_eq!(
                verify(other, NOW),
                Err(NotOfAnEdge::WrongSecret),
                "{other:?}"
            );
        }
        for nonsense in [
            None,
            Some(""),
            Some("t=1"),
            Some("t=+1, m=00"),
            Some("t=1, m=0G"),
        ] {
            let refused = secrets.verify(&signed(), nonsense, NOW);
            assert_eq!(refused, Err(NotOfAnEdge::Unsigned), "{nonsense:?}");
        }
    }

    #[test]
    fn secrets_are_long_and_few() {
        let error = |text: &str| EdgeSecrets::parse(text).unwrap_err();
        assert_eq!(error("\n# nothing\n"), InvalidEdgeSecrets::None);
        assert_eq!(error("short"), InvalidEdgeSecrets::TooShort(5));
        let three = format!("{OLD}\n{NEW}\n{OLD}");
        assert_eq!(error(&three), InvalidEdgeSecrets::TooMany);
        assert_eq!(format!("{:?}", secrets(OLD)), "EdgeSecrets(1 of them)");
    }

    #[test]
    fn a_way_is_read_and_written_and_has_an_end() {
        let hops = Hops::parse("paris,  frankfurt").unwrap();
        assert!(hops.contains("paris") && !hops.contains("par"));
        let further = hops.through("eu-1").unwrap();
        assert_eq!(further.to_string(), "paris, frankfurt, eu-1");
        let full = further.through("eu-2").unwrap();
        assert_eq!(full.through("eu-3"), Err(InvalidHops::TooMany));
        for nonsense in ["", "a,", "A", "a b", "a\u{e9}", &"a".repeat(33)] {
            assert_eq!(
                Hops::parse(nonsense),
                Err(InvalidHops::Name),
                "{nonsense:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_is_a_way_reads_back(value in "[a-z0-9, -]{0,80}") {
            if let Ok(hops) = Hops::parse(&value) {
                prop_assert_eq!(Hops::parse(&hops.to_string()), Ok(hops));
            }
        }

        #[test]
        fn no_value_proves_by_chance(value in "(t=[0-9]{1,3}, m=)?[0-9a-f]{0,70}") {
            prop_assert!(secrets(OLD).verify(&signed(), Some(&value), NOW).is_err());
        }
    }
}
