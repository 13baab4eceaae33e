//! Countries.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// An ISO 3166-1 alpha-2 country code in capitals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// What is no country code.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a country is two capital letters of ISO 3166-1, such as DE")]
pub struct InvalidCountry;

impl Country {
    /// The country with this code; `None` unless it is two capital letters.
    pub fn new(code: [u8; 2]) -> Option<Self> {
        code.iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(code))
    }

    /// The two letters.
    pub fn code(self) -> [u8; 2] {
        self.0
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Country {
    type Err = InvalidCountry;

    fn from_str(text: &str) -> Result<Self, InvalidCountry> {
        let code = text.as_bytes().try_into().ok();
        code.and_then(Self::new).ok_or(InvalidCountry)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_capitals_are_a_country() {
        assert_eq!(
            "IS".parse::<Country>().map(|c| c.to_string()),
            Ok("IS".into())
        );
        for text in ["", "I", "is", "ISL", "1S", "É"] {
            assert_eq!(text.parse::<Country>(), Err(InvalidCountry), "{text}");
        }
    }
}
