//! What numbers can be broken down by. The table is the definition: validation, the packed form
//! and queries all read it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;
use weir_model::{Country, RenditionId, edge::is_pop_name};

/// What an attribute of an event says.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Dimension {
    /// Which rendition was playing.
    Rendition,
    /// What kind of device played.
    Device,
    /// Where the viewer is.
    Country,
    /// Which point of presence served.
    Pop,
    /// Which browser played.
    Browser,
    /// Which operating system it ran on.
    Os,
}

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DimensionSource)]
pub enum Source {
    /// The player, for each event.
    Event,
    /// The player, once for the batch; where it is silent, its `User-Agent` speaks.
    Player,
    /// The point of presence that signed the request. Nobody else is believed.
    Edge,
}

/// Which words an attribute takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// These; any other word is counted as [`Label::OTHER`].
    Listed(&'static [&'static str]),
    /// An ISO 3166-1 alpha-2 code in capitals.
    Country,
    /// The name of a point of presence.
    Pop,
    /// The name of a rendition.
    Rendition,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DimensionDefinition {
    /// The dimension.
    pub dimension: Dimension,
    /// Its name in JSON and in queries.
    pub name: &'static str,
    /// Its code in the packed form and in stores, never given to another one.
    pub code: u8,
    /// [`crate::schema::VERSION`] that introduced it.
    pub since: u16,
    /// Who sets it.
    pub source: Source,
    /// What it may say.
    pub words: Words,
}

/// Every dimension, in the order of [`Dimension`].
pub static DIMENSIONS: [DimensionDefinition; Dimension::COUNT] = {
    use Dimension as D;
    const fn row(
        dimension: D,
        name: &'static str,
        code: u8,
        source: Source,
        words: Words,
    ) -> DimensionDefinition {
        DimensionDefinition {
            dimension,
            name,
            code,
            since: 2,
            source,
            words,
        }
    }
    [
        row(
            D::Rendition,
            "rendition",
            1,
            Source::Event,
            Words::Rendition,
        ),
        row(
            D::Device,
            "device",
            2,
            Source::Player,
            Words::Listed(&DEVICES),
        ),
        row(D::Country, "country", 3, Source::Edge, Words::Country),
        row(D::Pop, "pop", 4, Source::Edge, Words::Pop),
        row(
            D::Browser,
            "browser",
            5,
            Source::Player,
            Words::Listed(&BROWSERS),
        ),
        row(D::Os, "os", 6, Source::Player, Words::Listed(&SYSTEMS)),
    ]
};

/// Those of [`weir_model::DeviceClass`].
const DEVICES: [&str; 4] = ["desktop", "phone", "tablet", "tv"];

const BROWSERS: [&str; 6] = ["chrome", "edge", "firefox", "opera", "safari", "samsung"];

const SYSTEMS: [&str; 9] = [
    "android", "chromeos", "ios", "linux", "macos", "tizen", "tvos", "webos", "windows",
];

/// A word that can't be a value of its dimension.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidLabel {
    /// It is not a rendition's name.
    #[error("rendition takes 1 to 16 characters of a-z, 0-9 and '-', with a letter among them")]
    Rendition,
    /// It is not a country's code.
    #[error("country takes two capital letters of ISO 3166-1, such as DE")]
    Country,
    /// It is not a point of presence's name.
    #[error("pop takes 1 to 32 characters of a-z, 0-9 and '-'")]
    Pop,
}

/// A word that names no dimension.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a dimension is one of rendition, device, country, pop, browser and os")]
pub struct UnknownDimension;

impl Dimension {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// Every dimension.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Rendition,
        Self::Device,
        Self::Country,
        Self::Pop,
        Self::Browser,
        Self::Os,
    ];

    /// The dimension's row of the table.
    pub fn definition(self) -> &'static DimensionDefinition {
        // `Dimension` counts the rows in their order; a test holds the two together.
        &DIMENSIONS[self as usize]
    }

    /// The name in JSON and in queries.
    pub fn as_str(self) -> &'static str {
        self.definition().name
    }

    /// The dimension with this code of the packed form.
    pub fn from_code(code: u8) -> Option<Self> {
        let mut rows = DIMENSIONS.iter();
        rows.find(|row| row.code == code).map(|row| row.dimension)
    }

    /// Checks a word of this dimension. One that is not in a list is [`Label::OTHER`].
    pub fn label(self, word: &str) -> Result<Label, InvalidLabel> {
        let (holds, invalid) = match self.definition().words {
            Words::Listed(list) => {
                let known = list.iter().find(|known| **known == word);
                return Ok(known.map_or(Label::OTHER, |known| Label::new(known)));
            }
            Words::Rendition => (word.parse::<RenditionId>().is_ok(), InvalidLabel::Rendition),
            Words::Country => (word.parse::<Country>().is_ok(), InvalidLabel::Country),
            Words::Pop => (is_pop_name(word), InvalidLabel::Pop),
        };
        if holds || word == Label::OTHER.as_str() {
            Ok(Label::new(word))
        } else {
            Err(invalid)
        }
    }
}

impl FromStr for Dimension {
    type Err = UnknownDimension;

    fn from_str(s: &str) -> Result<Self, UnknownDimension> {
        let mut rows = DIMENSIONS.iter();
        let row = rows.find(|row| row.name == s).ok_or(UnknownDimension)?;
        Ok(row.dimension)
    }
}

/// A value of a dimension, of at most 32 bytes. The empty one stands for what is not known.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    bytes: [u8; Label::MAX_LEN],
    len: u8,
}

impl Label {
    /// Longest value in bytes.
    pub const MAX_LEN: usize = 32;

    /// Nobody said.
    pub const UNKNOWN: Self = Self {
        bytes: [0; Self::MAX_LEN],
        len: 0,
    };

    /// What is not counted apart: words that are in no list, and names beyond the first ones.
    pub const OTHER: Self = Self::new("other");

    /// What is longer than [`Self::MAX_LEN`] is cut; nothing that was checked is.
    const fn new(word: &str) -> Self {
        let word = word.as_bytes();
        let mut bytes = [0; Self::MAX_LEN];
        let mut len = 0;
        while len < word.len() && len < Self::MAX_LEN {
            bytes[len] = word[len];
            len += 1;
        }
        Self {
            bytes,
            len: len as u8,
        }
    }

    /// The word; empty if it is not known.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }

    /// Whether nobody said.
    pub fn is_unknown(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// What holds for all events of a batch: every dimension but the rendition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes([Label; Dimension::COUNT]);

impl Attributes {
    /// The value of a dimension.
    pub fn get(&self, dimension: Dimension) -> Label {
        self.0[dimension as usize]
    }

    /// Sets the value of a dimension. The rendition is the event's, and stays unknown here.
    pub fn set(&mut self, dimension: Dimension, label: Label) {
        if dimension != Dimension::Rendition {
            self.0[dimension as usize] = label;
        }
    }

    /// Takes over what is not known yet.
    pub fn fill(&mut self, other: &Self) {
        for (label, other) in self.0.iter_mut().zip(other.0) {
            if label.is_unknown() {
                *label = other;
            }
        }
    }

    /// What is known, in the order of the table.
    pub fn known(&self) -> impl Iterator<Item = (Dimension, Label)> {
        let all = Dimension::ALL.into_iter().zip(self.0);
        all.filter(|(_, label)| !label.is_unknown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_enum() {
        for (i, row) in DIMENSIONS.iter().enumerate() {
            assert_eq!(row.dimension as usize, i, "{}", row.name);
            assert_eq!(Dimension::ALL[i], row.dimension);
            assert_eq!(row.name.parse(), Ok(row.dimension));
            assert_eq!(Dimension::from_code(row.code), Some(row.dimension));
            assert_eq!(serde_json::to_value(row.dimension).unwrap(), row.name);
            assert!(row.since <= crate::schema::VERSION);
            if let Words::Listed(list) = row.words {
                assert!(list.is_sorted());
                assert!(list.iter().all(|word| word.len() <= Label::MAX_LEN));
            }
        }
        let known = |class: weir_model::DeviceClass| DEVICES.contains(&class.as_str());
        assert!(weir_model::DeviceClass::ALL.into_iter().all(known));
        let told = UnknownDimension.to_string();
        assert!(
            DIMENSIONS.iter().all(|row| told.contains(row.name)),
            "{told}"
        );
    }

    #[test]
    fn words_are_held_to_their_dimension() {
        let check = |dimension: Dimension, word: &str, expected: Result<&str, &str>| {
            let label = dimension.label(word).map_err(|error| error.to_string());
            let label = label.as_ref().map(Label::as_str);
            assert_eq!(label.map_err(|error| &error[..7]), expected, "{word}");
        };
        check(Dimension::Device, "phone", Ok("phone"));
        check(Dimension::Device, "fridge", Ok("other"));
        check(Dimension::Browser, "", Ok("other"));
        check(Dimension::Os, "tizen", Ok("tizen"));
        check(Dimension::Rendition, "720p", Ok("720p"));
        check(Dimension::Rendition, "720", Err("renditi"));
        check(Dimension::Rendition, "", Err("renditi"));
        check(Dimension::Country, "DE", Ok("DE"));
        check(Dimension::Country, "de", Err("country"));
        check(Dimension::Country, "other", Ok("other"));
        check(Dimension::Pop, "paris-2", Ok("paris-2"));
        check(Dimension::Pop, &"p".repeat(32), Ok(&"p".repeat(32)));
        check(Dimension::Pop, &"p".repeat(33), Err("pop tak"));
    }

    #[test]
    fn attributes_are_filled_where_nothing_is_known() {
        let label = |dimension: Dimension, word| dimension.label(word).unwrap();
        let mut attributes = Attributes::default();
        assert_eq!(attributes.known().count(), 0);
        attributes.set(Dimension::Os, label(Dimension::Os, "linux"));
        attributes.set(Dimension::Rendition, label(Dimension::Rendition, "720p"));
        let mut other = Attributes::default();
        other.set(Dimension::Os, label(Dimension::Os, "ios"));
        other.set(Dimension::Pop, label(Dimension::Pop, "paris"));
        attributes.fill(&other);
        let known: Vec<_> = attributes.known().collect();
        assert_eq!(
            known,
            [
                (Dimension::Pop, label(Dimension::Pop, "paris")),
                (Dimension::Os, label(Dimension::Os, "linux")),
            ]
        );
    }
}
