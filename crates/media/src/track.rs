//! Which of an encoder's tracks: their numbers, what renditions they become, what they are called.
//!
//! The first video and the first audio track lead: they become `source` and `audio`. A further
//! track has a rendition of its own, named after its number from 2 on: `source-2`, `audio-3`. Its
//! height or its language would not do as a name, as either may change, and two may be the same.

use weir_model::RenditionId;

use crate::{
    live::{AUDIO, SOURCE},
    unit::{Media, TrackKind},
};

/// The number of a track among those of its kind, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackIndex(u8);

impl TrackIndex {
    /// How many tracks of a kind are taken.
    pub const COUNT: usize = 8;

    /// The track that leads.
    pub const LEAD: Self = Self(0);

    /// `None` for a track that is one too many.
    pub fn new(index: u8) -> Option<Self> {
        (usize::from(index) < Self::COUNT).then_some(Self(index))
    }

    /// From 0.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }

    /// Whether it is the first of its kind.
    pub fn is_lead(self) -> bool {
        self == Self::LEAD
    }
}

/// The rendition that a track becomes.
pub fn rendition(kind: TrackKind, index: TrackIndex) -> RenditionId {
    let lead = match kind {
        TrackKind::Video => SOURCE,
        TrackKind::Audio => AUDIO,
    };
    let name = match index.0 {
        0 => lead.to_owned(),
        further => format!("{lead}-{}", further + 1),
    };
    name.parse().expect("a word and a digit")
}

/// The track that a rendition passes on; `None` for one that the transcoder makes.
pub fn of(rendition: RenditionId) -> Option<(TrackKind, TrackIndex)> {
    let name = rendition.as_str();
    let kinds = [(SOURCE, TrackKind::Video), (AUDIO, TrackKind::Audio)];
    let (rest, kind) = kinds
        .into_iter()
        .find_map(|(lead, kind)| Some((name.strip_prefix(lead)?, kind)))?;
    let index = match rest {
        "" => TrackIndex::LEAD,
        _ => {
            let number: u8 = rest.strip_prefix('-')?.parse().ok()?;
            TrackIndex::new(number.checked_sub(1)?).filter(|index| !index.is_lead())?
        }
    };
    // Of the spellings of a number only the shortest is a name.
    (self::rendition(kind, index) == rendition).then_some((kind, index))
}

/// What an encoder brings beside the media of the two tracks that lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromTrack {
    /// What a track is called, those that lead among them. It comes before the configuration.
    Label {
        /// What the track carries.
        kind: TrackKind,
        /// Which track.
        index: TrackIndex,
        /// What is told of it.
        label: TrackLabel,
    },
    /// Media of a further track, on the clock of those that lead.
    Media {
        /// Which track of its kind.
        index: TrackIndex,
        /// A configuration or a unit.
        media: Media,
    },
}

/// What an encoder tells of a track beside its coding. Whatever would not fit into a playlist is
/// left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackLabel {
    /// A language tag (RFC 5646), such as `en` or `pt-BR`.
    pub language: Option<String>,
    /// For people.
    pub name: Option<String>,
}

/// Longest language tag, in bytes (RFC 5646 section 4.4.1).
const MAX_LANGUAGE: usize = 35;

/// Longest name, in characters.
const MAX_NAME: usize = 48;

impl TrackLabel {
    /// From texts of an encoder. A language that is no tag counts as none, and so does `und`. A
    /// name loses control characters and quotation marks, which no playlist can hold, and what
    /// makes it too long.
    pub fn new(language: Option<&str>, name: Option<&str>) -> Self {
        let language = language.filter(|tag| is_language(tag) && *tag != "und");
        let legible = |c: &char| !c.is_control() && *c != '"';
        let name = name.map(|name| name.trim().chars().filter(legible).take(MAX_NAME).collect());
        Self {
            language: language.map(str::to_owned),
            name: name.filter(|name: &String| !name.is_empty()),
        }
    }

    /// Whether nothing is told.
    pub fn is_empty(&self) -> bool {
        self.language.is_none() && self.name.is_none()
    }
}

/// The shape of RFC 5646: subtags of up to eight letters and digits, the first one of letters.
fn is_language(tag: &str) -> bool {
    let subtag = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let first = tag.split('-').next().unwrap_or_default();
    tag.len() <= MAX_LANGUAGE
        && tag.split('-').all(subtag)
        && first.len() >= 2
        && first.bytes().all(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tracks_and_renditions_are_one_to_one() {
        for kind in [TrackKind::Video, TrackKind::Audio] {
            for index in (0..8).filter_map(TrackIndex::new) {
                assert_eq!(of(rendition(kind, index)), Some((kind, index)));
            }
        }
        assert_eq!(TrackIndex::new(8), None);
        let further = TrackIndex::new(2).unwrap();
        assert_eq!(rendition(TrackKind::Audio, further).as_str(), "audio-3");
        for name in [
            "720p",
            "audio-aac",
            "source-0",
            "source-1",
            "source-02",
            "source-9",
            "sources",
            "audio2",
        ] {
            assert_eq!(of(name.parse().unwrap()), None, "{name}");
        }
    }

    #[test]
    fn labels_are_what_playlists_can_hold() {
        let check = |language, expected: Option<&str>| {
            let label = TrackLabel::new(Some(language), None);
            assert_eq!(label.language.as_deref(), expected, "{language}");
        };
        check("en", Some("en"));
        check("pt-BR", Some("pt-BR"));
        check("eng", Some("eng"));
        for none in [
            "",
            "und",
            "e",
            "12",
            "en_US",
            "en-",
            "en\",X=\"",
            "englishlanguage",
        ] {
            check(none, None);
        }
        let name = TrackLabel::new(None, Some(" Fran\u{e7}ais \"2\"\n ")).name;
        assert_eq!(name.as_deref(), Some("Fran\u{e7}ais 2"));
        assert!(TrackLabel::new(None, Some("\"\u{7}")).is_empty());
    }

    proptest! {
        #[test]
        fn no_text_breaks_out_of_a_quoted_string(language in "\\PC{0,50}", name in any::<String>()) {
            let label = TrackLabel::new(Some(&language), Some(&name));
            for text in label.language.iter().chain(&label.name) {
                prop_assert!(!text.is_empty() && !text.contains(['"', '\n', '\r']));
                prop_assert!(text.chars().count() <= MAX_NAME);
            }
        }
    }
}
