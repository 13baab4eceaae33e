//! Multivariant playlists (RFC 8216 section 4.3.4).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::attributes::Attributes;
use super::{InvalidPlaylist, Line, MAX_RENDITIONS, lines, scalar};

/// What a multivariant playlist offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Multivariant {
    /// The variants, as listed.
    pub variants: Vec<Variant>,
    /// Audio renditions with a playlist of their own.
    pub audio: Vec<Audio>,
    /// `TIME-OFFSET` of `EXT-X-START` in seconds: where to begin, from the end if negative.
    pub start_s: Option<f64>,
}

/// `EXT-X-STREAM-INF`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variant {
    /// The media playlist, relative to the multivariant playlist.
    pub uri: String,
    /// Peak bits per second, audio included.
    pub bandwidth: u64,
    /// Mean bits per second, if told.
    pub average_bandwidth: Option<u64>,
    /// RFC 6381 codecs, separated by commas.
    pub codecs: String,
    /// Lines of the picture, if told.
    pub height: Option<u32>,
    /// Group of its audio renditions.
    pub audio_group: Option<String>,
}

/// `EXT-X-MEDIA` with `TYPE=AUDIO` and a URI.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audio {
    /// The media playlist, relative to the multivariant playlist.
    pub uri: String,
    /// The group it belongs to.
    pub group: String,
    /// What a viewer is shown.
    pub name: String,
    /// Language tag (RFC 5646), if told.
    pub language: Option<String>,
    /// Whether it plays unless another is chosen.
    pub default: bool,
}

impl Multivariant {
    /// Reads the text of a multivariant playlist.
    pub fn parse(text: &str) -> Result<Self, InvalidPlaylist> {
        let mut playlist = Self::default();
        let mut pending: Option<Variant> = None;
        for line in lines(text)? {
            match line {
                Line::Tag("EXT-X-STREAM-INF", list) => pending = Some(variant(list)?),
                Line::Tag("EXT-X-MEDIA", list) => playlist.audio.extend(audio(list)),
                Line::Tag("EXT-X-START", list) => playlist.start_s = super::start(list),
                Line::Tag("EXT-X-DEFINE", _) => {
                    return Err(InvalidPlaylist::Unsupported("EXT-X-DEFINE"));
                }
                Line::Tag("EXT-X-TARGETDURATION", _) => {
                    return Err(InvalidPlaylist::MediaPlaylist);
                }
                Line::Tag(..) => {}
                Line::Uri(text) => {
                    let variant = pending
                        .take()
                        .ok_or(InvalidPlaylist::Malformed("variant"))?;
                    playlist.variants.push(Variant {
                        uri: text.to_owned(),
                        ..variant
                    });
                }
            }
            if playlist.variants.len().max(playlist.audio.len()) > MAX_RENDITIONS {
                return Err(InvalidPlaylist::TooLarge("renditions"));
            }
        }
        if playlist.variants.is_empty() {
            return Err(InvalidPlaylist::Malformed(
                "multivariant playlist without variants",
            ));
        }
        Ok(playlist)
    }
}

fn variant(list: &str) -> Result<Variant, InvalidPlaylist> {
    let mut variant = Variant::default();
    for (name, value) in Attributes::of(list) {
        match name {
            "BANDWIDTH" => variant.bandwidth = scalar::integer(value).unwrap_or(0),
            "AVERAGE-BANDWIDTH" => variant.average_bandwidth = scalar::integer(value),
            "CODECS" => variant.codecs = value.to_owned(),
            "AUDIO" => variant.audio_group = Some(value.to_owned()),
            "RESOLUTION" => {
                let height = value.split_once('x').and_then(|(_, h)| scalar::integer(h));
                variant.height = height.and_then(|h| u32::try_from(h).ok());
            }
            _ => {}
        }
    }
    if variant.bandwidth == 0 {
        return Err(InvalidPlaylist::Malformed("EXT-X-STREAM-INF"));
    }
    Ok(variant)
}

fn audio(list: &str) -> Option<Audio> {
    let mut audio = Audio::default();
    let mut is_audio = false;
    for (name, value) in Attributes::of(list) {
        match name {
            "TYPE" => is_audio = value == "AUDIO",
            "URI" => audio.uri = value.to_owned(),
            "GROUP-ID" => audio.group = value.to_owned(),
            "NAME" => audio.name = value.to_owned(),
            "LANGUAGE" => audio.language = Some(value.to_owned()),
            "DEFAULT" => audio.default = value == "YES",
            _ => {}
        }
    }
    (is_audio && !audio.uri.is_empty()).then_some(audio)
}
