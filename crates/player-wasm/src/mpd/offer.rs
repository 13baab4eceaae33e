//! What a manifest lets a viewer choose from, as a multivariant playlist would tell it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::{AdaptationSet, Mpd, Period, Representation};
use crate::command::TrackKind;
use crate::outbox::push_number;
use crate::playlist::{Audio, InvalidPlaylist, Multivariant, Variant};

/// Highest bitrate of sound that is worth its bytes, in bits per second.
const BEST_SOUND: u64 = 256_000;

/// What there is to choose from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offer {
    /// The URI of each variant and audio rendition is `#` and the index of its choice.
    pub multivariant: Multivariant,
    /// What the URIs mean.
    pub choices: Vec<Choice>,
}

/// One rendition through all Periods: in each, the Representation that is most like it.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The `id` of the Representation it was made of.
    pub id: String,
    kind: TrackKind,
    bandwidth: u64,
    codec: String,
    language: Option<String>,
    label: Option<String>,
}

impl Choice {
    fn of(set: &AdaptationSet, representation: &Representation) -> Self {
        Self {
            id: representation.id.clone(),
            kind: set.kind,
            bandwidth: representation.bandwidth,
            codec: family(&representation.codecs).to_owned(),
            language: set.language.clone(),
            label: set.label.clone(),
        }
    }

    /// What plays for it in a Period.
    pub(super) fn find<'a>(&self, period: &'a Period) -> Option<&'a Representation> {
        let mut best = None;
        for set in period.sets.iter().filter(|set| set.kind == self.kind) {
            for representation in &set.representations {
                let likeness = [
                    family(&representation.codecs) == self.codec,
                    set.language == self.language,
                    representation.id == self.id,
                    set.label == self.label,
                ];
                let likeness = likeness
                    .iter()
                    .fold(0, |n, alike| n << 1 | u32::from(*alike));
                let difference = representation.bandwidth.abs_diff(self.bandwidth);
                let better = best.is_none_or(|(most, least, _)| {
                    likeness > most || likeness == most && difference < least
                });
                if better {
                    best = Some((likeness, difference, representation));
                }
            }
        }
        best.map(|(_, _, representation)| representation)
    }
}

impl Mpd {
    /// What there is to choose from: of a recording where it begins, of a live video where it ends.
    pub fn offer(&self) -> Result<Offer, InvalidPlaylist> {
        let mut periods = self.periods.iter().filter(|period| !period.sets.is_empty());
        let period = if self.dynamic {
            periods.next_back()
        } else {
            periods.next()
        };
        let period = period.ok_or(InvalidPlaylist::Malformed("MPD without Representations"))?;
        let of = |kind| period.sets.iter().filter(move |set| set.kind == kind);
        let mut offer = Offer::default();
        let mut groups: Vec<&Representation> = Vec::new();
        if of(TrackKind::Video).next().is_none() {
            for set in of(TrackKind::Audio).take(1) {
                for representation in &set.representations {
                    offer.variant(set, representation, None);
                }
            }
            return Ok(offer);
        }
        for set in of(TrackKind::Audio) {
            let Some(sound) = sound(set) else { continue };
            offer.audio(set, sound);
            let group = family(&sound.codecs);
            if groups.iter().all(|known| family(&known.codecs) != group) {
                groups.push(sound);
            }
        }
        for set in of(TrackKind::Video) {
            for representation in &set.representations {
                for sound in &groups {
                    offer.variant(set, representation, Some(*sound));
                }
                if groups.is_empty() {
                    offer.variant(set, representation, None);
                }
            }
        }
        Ok(offer)
    }
}

impl Offer {
    fn variant(
        &mut self,
        set: &AdaptationSet,
        representation: &Representation,
        sound: Option<&Representation>,
    ) {
        let codecs = match sound {
            Some(sound) => [&*representation.codecs, ",", &*sound.codecs].concat(),
            None => representation.codecs.clone(),
        };
        let variant = Variant {
            uri: self.choice(set, representation),
            bandwidth: representation.bandwidth + sound.map_or(0, |sound| sound.bandwidth),
            codecs,
            height: representation.height,
            audio_group: sound.map(|sound| family(&sound.codecs).to_owned()),
            ..Variant::default()
        };
        self.multivariant.variants.push(variant);
    }

    fn audio(&mut self, set: &AdaptationSet, sound: &Representation) {
        let name = set.label.as_ref().or(set.language.as_ref());
        let audio = Audio {
            uri: self.choice(set, sound),
            group: family(&sound.codecs).to_owned(),
            name: name.unwrap_or(&sound.id).clone(),
            language: set.language.clone(),
            default: set.main,
        };
        self.multivariant.audio.push(audio);
    }

    /// The URI of a choice; a picture that goes with several groups of sound is one.
    fn choice(&mut self, set: &AdaptationSet, representation: &Representation) -> String {
        let choice = Choice::of(set, representation);
        let known = self.choices.iter().position(|known| *known == choice);
        let index = known.unwrap_or_else(|| {
            self.choices.push(choice);
            self.choices.len() - 1
        });
        let mut uri = String::from("#");
        push_number(&mut uri, index as u64);
        uri
    }
}

/// The Representation of a set of sound that plays.
fn sound(set: &AdaptationSet) -> Option<&Representation> {
    let all = || set.representations.iter();
    let affordable = all().filter(|sound| sound.bandwidth <= BEST_SOUND);
    affordable
        .max_by_key(|sound| sound.bandwidth)
        .or(all().min_by_key(|sound| sound.bandwidth))
}

/// What comes before the profile in an RFC 6381 codec: `avc1` of `avc1.64001f`.
fn family(codecs: &str) -> &str {
    codecs.split(['.', ',']).next().unwrap_or_default()
}
