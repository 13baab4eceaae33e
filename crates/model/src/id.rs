//! Identifiers. Each has one spelling, so that a name is also a cache key.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A string that is not the identifier it was given as.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidId {
    /// A video id is `o` or `p` followed by eleven characters of `a-z2-7`.
    #[error("a video id is 'o' or 'p' and eleven characters of a-z and 2-7")]
    Video,
    /// A rendition id is 1 to 16 characters of `a-z0-9-`, holds a letter, and is not `span`.
    #[error("a rendition id is 1 to 16 characters of a-z, 0-9 and '-', with a letter among them")]
    Rendition,
}

/// Who may play a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Anyone who knows the id.
    Open,
    /// Only with a playback token.
    Protected,
}

/// One item, live or recorded: `o` (open) or `p` (protected) and eleven characters of RFC 4648
/// base32 in lower case. Its form says whether a token is needed, so that an edge can refuse
/// without asking anyone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VideoId([u8; VideoId::LEN]);

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl VideoId {
    /// Length of the written form in bytes.
    pub const LEN: usize = 12;

    /// Makes an id of 55 of the 64 random bits given.
    pub fn from_random(bits: u64, access: Access) -> Self {
        let mut id = [0; Self::LEN];
        id[0] = match access {
            Access::Open => b'o',
            Access::Protected => b'p',
        };
        for (i, byte) in id[1..].iter_mut().enumerate() {
            *byte = BASE32[(bits >> (5 * i)) as usize & 31];
        }
        Self(id)
    }

    /// Whether playing needs a token.
    pub fn access(&self) -> Access {
        if self.0[0] == b'p' {
            Access::Protected
        } else {
            Access::Open
        }
    }

    /// The written form.
    pub fn as_str(&self) -> &str {
        // Every constructor checks that the bytes are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for VideoId {
    type Err = InvalidId;

    fn from_str(s: &str) -> Result<Self, InvalidId> {
        let id: [u8; Self::LEN] = s.as_bytes().try_into().map_err(|_| InvalidId::Video)?;
        let known = matches!(id[0], b'o' | b'p') && id[1..].iter().all(|b| BASE32.contains(b));
        if known {
            Ok(Self(id))
        } else {
            Err(InvalidId::Video)
        }
    }
}

/// One encoding of one elementary stream, such as `source`, `480p` or `audio`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenditionId {
    bytes: [u8; RenditionId::MAX_LEN],
    len: u8,
}

impl RenditionId {
    /// Longest written form in bytes.
    pub const MAX_LEN: usize = 16;

    /// The written form.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl FromStr for RenditionId {
    type Err = InvalidId;

    fn from_str(s: &str) -> Result<Self, InvalidId> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (1..=Self::MAX_LEN).contains(&s.len())
            && s.bytes().all(allowed)
            && s.bytes().any(|b| b.is_ascii_lowercase())
            && s != "span";
        if !fits {
            return Err(InvalidId::Rendition);
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..s.len()].copy_from_slice(s.as_bytes());
        Ok(Self {
            bytes,
            len: s.len() as u8,
        })
    }
}

/// One uninterrupted life of a video on one origin. It stands in every media URL, so that a name
/// never gets other bytes.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct Epoch(pub u32);

/// Media sequence number of a segment (RFC 8216 section 3); the same in every rendition.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct Msn(pub u64);

impl Msn {
    /// The msn that follows.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Position of a part within its segment, from 0.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct PartIndex(pub u32);

macro_rules! text_form {
    ($id:ty) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}
text_form!(VideoId);
text_form!(RenditionId);

/// In the OpenAPI document ids are strings with a pattern.
macro_rules! text_schema {
    ($id:ty, $pattern:literal) => {
        impl utoipa::PartialSchema for $id {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .pattern(Some($pattern))
                    .into()
            }
        }
        impl utoipa::ToSchema for $id {}
    };
}
text_schema!(VideoId, "^[op][a-z2-7]{11}$");
text_schema!(RenditionId, "^[a-z0-9-]{1,16}$");

macro_rules! number_form {
    ($id:ty) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
number_form!(Epoch);
number_form!(Msn);
number_form!(PartIndex);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn made_video_ids_parse_back(bits: u64, protected: bool) {
            let access = if protected { Access::Protected } else { Access::Open };
            let id = VideoId::from_random(bits, access);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.access(), access);
        }

        #[test]
        fn any_text_is_an_id_in_one_spelling_or_refused(text in "\\PC{0,20}") {
            if let Ok(id) = text.parse::<VideoId>() {
                prop_assert_eq!(id.as_str(), &text);
            }
            if let Ok(id) = text.parse::<RenditionId>() {
                prop_assert_eq!(id.as_str(), &text);
            }
        }
    }

    #[test]
    fn refuses_what_is_no_rendition() {
        for text in [
            "",
            "480",
            "span",
            "Source",
            "a/b",
            "..",
            "abcdefghijklmnopq",
        ] {
            assert_eq!(
                text.parse::<RenditionId>(),
                Err(InvalidId::Rendition),
                "{text}"
            );
        }
    }

    #[test]
    fn ids_are_json_strings() {
        let id: VideoId = "oabcdefghijk".parse().unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"oabcdefghijk\"");
        assert_eq!(
            serde_json::from_str::<VideoId>("\"oabcdefghijk\"").unwrap(),
            id
        );
        assert!(serde_json::from_str::<VideoId>("\"../../etc/pas\"").is_err());
    }
}
