//! Which sound to play: the group whose codec the browser has, and of it the viewer's language.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::Player;
use super::coding::is_audio;
use crate::command::Command;
use crate::playlist::{Audio, Multivariant, Variant};

/// One of the audio renditions that a viewer can choose from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// What a viewer is shown.
    pub name: String,
    /// Language tag (RFC 5646), if told.
    pub language: Option<String>,
}

/// What sound there is, and which is wanted.
#[derive(Debug, Default)]
pub(super) struct Sounds {
    list: Vec<Sound>,
    /// The one to play if it is there.
    pub(super) wanted: usize,
}

impl Player {
    /// Leaves the variants of one audio group: of the first, among those whose sound the browser
    /// can play if there are any. Each picture is listed once for every group.
    pub(super) fn keep_one_group(&self, variants: &mut Vec<Variant>) {
        let lacked = |codec: &str| self.lacks.iter().any(|lacked| codec.starts_with(&**lacked));
        let plays = |variant: &&Variant| !audio_codecs(&variant.codecs).any(lacked);
        let kept = variants.iter().find(plays).or(variants.first());
        let Some(group) = kept.map(|variant| variant.audio_group.clone()) else {
            return;
        };
        variants.retain(|variant| variant.audio_group == group);
    }

    /// The audio renditions of a group as the viewer can choose them; notes the one that plays
    /// unless they do. `codecs` are those of a variant with the group.
    pub(super) fn take_group<'a>(
        &mut self,
        playlist: &'a Multivariant,
        group: &str,
        codecs: &str,
    ) -> Vec<&'a Audio> {
        let in_group = playlist.audio.iter().filter(|audio| audio.group == group);
        let mut members: Vec<&Audio> = in_group.collect();
        self.sounds.wanted = members.iter().position(|audio| audio.default).unwrap_or(0);
        // A SourceBuffer takes one codec, and which member has which is not told.
        if audio_codecs(codecs).count() > 1 && self.sounds.wanted < members.len() {
            members = vec![members[self.sounds.wanted]];
            self.sounds.wanted = 0;
        }
        let sound = |audio: &&Audio| Sound {
            name: audio.name.clone(),
            language: audio.language.clone(),
        };
        self.sounds.list = members.iter().map(sound).collect();
        members
    }

    /// What there is to choose from; the index is for [`Self::choose_sound`].
    pub fn sounds(&self) -> &[Sound] {
        &self.sounds.list
    }

    /// Index of the sound being fetched. Where the one that was chosen is missing, another fills
    /// its place.
    pub fn active_sound(&self) -> Option<usize> {
        self.tracks.get(1).map(|audio| audio.active)
    }

    /// Plays this sound of the list that [`Self::sounds`] gives, from the next segment that is
    /// fetched on.
    pub fn choose_sound(&mut self, now: u64, sound: usize) {
        if sound < self.sounds.list.len() {
            self.sounds.wanted = sound;
            self.commands.push(Command::Changed);
            self.plan(now);
        }
    }

    /// Plays the first sound in this language, whatever its region: `pt` and `pt-BR` are one.
    /// Answers whether there is one.
    pub fn choose_language(&mut self, now: u64, language: &str) -> bool {
        let wanted = primary(language);
        let speaks = |sound: &Sound| {
            let spoken = sound.language.as_deref().map(primary);
            spoken.is_some_and(|spoken| spoken.eq_ignore_ascii_case(wanted))
        };
        let found = self.sounds.list.iter().position(speaks);
        if let Some(sound) = found {
            self.choose_sound(now, sound);
        }
        found.is_some()
    }

    /// Goes back to what was chosen once it is there again.
    pub(super) fn want_sound(&mut self, now: u64) {
        let Some(audio) = self.tracks.get_mut(1) else {
            return;
        };
        if audio.hole_since.is_some() {
            return;
        }
        let wanted = self.sounds.wanted;
        let rendition = audio.renditions.get(wanted);
        let usable = rendition.is_some_and(|rendition| now >= rendition.absent_until);
        audio.wanted = if usable { wanted } else { audio.active };
    }
}

fn audio_codecs(codecs: &str) -> impl Iterator<Item = &str> {
    codecs
        .split(',')
        .map(str::trim_ascii)
        .filter(|codec| is_audio(codec))
}

/// The language itself of a tag (RFC 5646 section 2.2.1).
fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or_default()
}
