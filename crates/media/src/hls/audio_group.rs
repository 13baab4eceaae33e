//! Audio groups of a multivariant playlist (draft-rfc8216bis section 4.4.6.1.1).
//!
//! The encoder's audio tracks are one group, `audio`: languages, commentaries. What the transcoder
//! makes of the first of them in another codec is a group of its own, so that a player that does
//! not know the one codec takes the other. Groups of AAC come first: players that know only that
//! look no further than the first variants.
//!
//! The draft wants the same members in every group. Where an encoder sends several tracks of Opus,
//! the group of AAC has the first alone: sound for everyone counts for more.

use std::fmt::Write;

use super::multivariant::Variant;
use crate::{
    track::{self, TrackIndex},
    unit::TrackKind,
};

/// `GROUP-ID` of the encoder's own tracks.
const TRACKS: &str = "audio";

/// Renditions of which a player chooses one.
#[derive(Clone, Debug)]
pub(super) struct AudioGroup<'a> {
    id: String,
    /// The one that plays unless another is chosen comes first.
    pub(super) members: Vec<&'a Variant>,
}

impl<'a> AudioGroup<'a> {
    /// The groups of the audio renditions among `variants`, in the order in which they are listed.
    pub(super) fn of(variants: &'a [Variant]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for variant in variants {
            if variant.init.kind() != TrackKind::Audio {
                continue;
            }
            let id = match track::of(variant.rendition) {
                Some(_) => TRACKS.to_owned(),
                None => variant.rendition.to_string(),
            };
            match groups.iter_mut().find(|group| group.id == id) {
                Some(group) => group.members.push(variant),
                None => groups.push(Self {
                    id,
                    members: vec![variant],
                }),
            }
        }
        for group in &mut groups {
            group.members.sort_by_key(|member| number(member));
        }
        let is_aac = |group: &Self| group.members.iter().all(|member| is_aac(member));
        groups.sort_by_key(|group| !is_aac(group));
        groups
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Its codecs, each once.
    pub(super) fn codecs(&self) -> Vec<&'a str> {
        let mut codecs: Vec<&str> = Vec::new();
        for member in &self.members {
            if !codecs.contains(&&*member.init.codec) {
                codecs.push(&member.init.codec);
            }
        }
        codecs
    }

    /// Highest peak and highest mean of its members, in bit/s.
    pub(super) fn bit_rate(&self) -> (u64, u64) {
        let most = |of: fn(&Variant) -> u64| self.members.iter().map(|m| of(m)).max();
        let peak = most(|member| member.peak);
        let average = most(|member| member.average);
        (peak.unwrap_or_default(), average.unwrap_or_default())
    }

    /// Writes its `EXT-X-MEDIA` tags. `path` leads to a member's playlist.
    pub(super) fn write(&self, out: &mut String, path: impl Fn(&Variant) -> String) {
        let mut names: Vec<String> = Vec::new();
        let mut languages: Vec<Option<&str>> = Vec::new();
        for (at, member) in self.members.iter().enumerate() {
            let name = self.name(member, &names);
            let language = member.init.language.as_deref();
            let _ = write!(
                out,
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{}\",NAME=\"{name}\",",
                self.id
            );
            if let Some(language) = language {
                let _ = write!(out, "LANGUAGE=\"{language}\",");
            }
            // A player chooses by language by itself, which it can do only where they differ.
            let differs = at == 0 || (language.is_some() && !languages.contains(&language));
            let yes = |flag: bool| if flag { "YES" } else { "NO" };
            let _ = write!(out, "DEFAULT={},AUTOSELECT={},", yes(at == 0), yes(differs));
            if let Some(channels) = member.init.channels {
                let _ = write!(out, "CHANNELS=\"{channels}\",");
            }
            let _ = writeln!(out, "URI=\"{}\"", path(member));
            names.push(name);
            languages.push(language);
        }
    }

    /// What a viewer is shown. Names within a group differ.
    fn name(&self, member: &Variant, taken: &[String]) -> String {
        let number = number(member);
        let numbered = match number {
            1 => "Audio".to_owned(),
            _ => format!("Audio {number}"),
        };
        let told = member.init.name.as_ref().or(member.init.language.as_ref());
        match told {
            None => numbered,
            Some(told) if taken.contains(told) => format!("{told} ({number})"),
            Some(told) => told.clone(),
        }
    }
}

/// The number of an encoder's track, from 1.
fn number(variant: &Variant) -> usize {
    let index = track::of(variant.rendition).map_or(TrackIndex::LEAD, |(_, index)| index);
    index.get() + 1
}

fn is_aac(variant: &Variant) -> bool {
    variant.init.codec.starts_with("mp4a")
}
