//! Device classes, and the renditions that each has use for.
//!
//! | class | most lines |
//! | --- | --- |
//! | phone | 1080 |
//! | tablet | 1440 |
//! | desktop, tv | no bound |
//!
//! Lines are counted across a picture's shorter side. A screen held in the hand shows no more of
//! them; a browser window or a television may be of any size.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

/// What kind of screen a viewer holds; it bounds the renditions worth sending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceClass {
    /// A phone: up to 1080 lines.
    Phone,
    /// A tablet: up to 1440 lines.
    Tablet,
    /// A desktop browser: every rendition.
    #[default]
    Desktop,
    /// A television: every rendition.
    Tv,
}

/// A word that names no device class.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a device is one of phone, tablet, desktop and tv")]
pub struct UnknownDevice;

impl DeviceClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Phone, Self::Tablet, Self::Desktop, Self::Tv];

    /// The written form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Tablet => "tablet",
            Self::Desktop => "desktop",
            Self::Tv => "tv",
        }
    }

    /// Most lines of video worth sending to this class; `None` is no bound.
    pub fn max_lines(self) -> Option<u32> {
        match self {
            Self::Phone => Some(1080),
            Self::Tablet => Some(1440),
            Self::Desktop | Self::Tv => None,
        }
    }
}

impl FromStr for DeviceClass {
    type Err = UnknownDevice;

    fn from_str(s: &str) -> Result<Self, UnknownDevice> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == s)
            .ok_or(UnknownDevice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_back() {
        for class in [
            DeviceClass::Phone,
            DeviceClass::Tablet,
            DeviceClass::Desktop,
            DeviceClass::Tv,
        ] {
            assert_eq!(class.as_str().parse(), Ok(class));
        }
        assert_eq!("fridge".parse::<DeviceClass>(), Err(UnknownDevice));
    }
}
