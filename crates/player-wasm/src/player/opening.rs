//! Playlists as they come in: tracks are made of the multivariant one, and timelines grow.

use super::track::{Rendition, Track};
use super::{Phase, Player, playback};
use crate::command::{Command, TrackKind};
use crate::playlist::{MediaPlaylist, Multivariant, Variant};
use crate::timeline::Update;

impl Player {
    pub(super) fn multivariant(&mut self, now: u64, text: &str) {
        let Ok(playlist) = Multivariant::parse(text) else {
            self.multivariant_retry.failed(now);
            self.set_phase(Phase::Unplayable);
            return;
        };
        self.multivariant_retry.succeeded();
        self.build_tracks(playlist);
        self.set_phase(Phase::Loading);
        self.commands.push_back(Command::Changed);
    }

    /// Makes a track of the variants, and one of their audio group.
    fn build_tracks(&mut self, playlist: Multivariant) {
        // By insertion: there are a handful, and the standard sort is 6 kB of module.
        let mut listed = playlist.variants.clone();
        self.keep_one_group(&mut listed);
        let mut variants: Vec<Variant> = Vec::new();
        for variant in listed {
            if variants.iter().all(|known| known.uri != variant.uri) {
                let at = variants.partition_point(|known| known.bandwidth <= variant.bandwidth);
                variants.insert(at, variant);
            }
        }
        keep_one_codec(&mut variants);
        let Some(first) = variants.first() else {
            return;
        };
        let codecs = variants
            .iter()
            .map(|v| v.codecs.as_str())
            .find(|c| !c.is_empty());
        let codecs = codecs.unwrap_or_default();
        let audio = match first.audio_group.as_deref() {
            Some(group) => self.take_group(&playlist, group, codecs),
            None => Vec::new(),
        };
        let (sound, picture): (Vec<&str>, Vec<&str>) = codecs
            .split(',')
            .map(str::trim)
            .partition(|codec| is_audio(codec));
        let video_codecs = if audio.is_empty() {
            codecs.to_owned()
        } else {
            picture.join(",")
        };
        let sound = sound.first().copied().unwrap_or_default();
        let audio_type = || ["audio/mp4; codecs=\"", sound, "\""].concat();
        self.commands.push_back(Command::Open {
            video: ["video/mp4; codecs=\"", &video_codecs, "\""].concat(),
            audio: (!audio.is_empty()).then(audio_type),
        });
        let renditions = variants.iter().map(|variant| {
            let url = crate::url::resolve(&self.url, &variant.uri);
            Rendition::new(url, variant.bandwidth as f64, variant.height)
        });
        let mut video = Track::new(TrackKind::Video, renditions.collect());
        let rungs = playback::rungs(&video, 0);
        video.active = self
            .chosen
            .filter(|c| *c < rungs.len())
            .unwrap_or(self.abr.begin(&rungs));
        video.wanted = video.active;
        self.tracks.push(video);
        if !audio.is_empty() {
            let renditions = audio
                .iter()
                .map(|audio| Rendition::new(crate::url::resolve(&self.url, &audio.uri), 0.0, None));
            let mut audio = Track::new(TrackKind::Audio, renditions.collect());
            (audio.active, audio.wanted) = (self.sounds.wanted, self.sounds.wanted);
            self.tracks.push(audio);
        }
    }

    pub(super) fn playlist(&mut self, now: u64, track: usize, index: usize, text: &str) {
        let rendition = &mut self.tracks[track].renditions[index];
        let Ok(playlist) = MediaPlaylist::parse(text) else {
            rendition.retry.failed(now);
            return;
        };
        let poll_ms = (playlist.target_duration * 1000.0) as u64;
        match rendition.timeline.update(playlist) {
            Update::Advanced => {
                rendition.retry.succeeded();
                rendition.wants_whole = false;
                rendition.reload_at = now + poll_ms;
                if let Phase::Trouble(_) = self.phase {
                    self.set_phase(Phase::Loading);
                }
            }
            Update::Unchanged => {
                rendition.retry.failed(now);
                rendition.reload_at = now + poll_ms / 2;
            }
            Update::Mismatch => {
                rendition.retry.failed(now);
                rendition.reload_at = now;
                rendition.wants_whole = true;
            }
        }
        let rendition = &mut self.tracks[track].renditions[index];
        if rendition.timeline.control.can_block_reload {
            rendition.reload_at = now;
        }
        self.confirm(track);
        self.tracks[track].settle_cursor();
    }
}

/// Leaves the variants that are coded like the lowest: a SourceBuffer takes one codec. Of a ladder
/// below a source in HEVC or AV1 that is the one more browsers have.
fn keep_one_codec(variants: &mut Vec<Variant>) {
    let told = variants.iter().find_map(|v| picture_codec(&v.codecs));
    let Some(kept) = told.map(str::to_owned) else {
        return;
    };
    variants.retain(|v| picture_codec(&v.codecs).is_none_or(|codec| codec == kept));
}

/// The name of the picture's codec without its profile.
fn picture_codec(codecs: &str) -> Option<&str> {
    let codec = codecs.split(',').map(str::trim).find(|c| !is_audio(c))?;
    codec.split('.').next().filter(|name| !name.is_empty())
}

pub(super) fn is_audio(codec: &str) -> bool {
    ["mp4a", "Opus", "opus", "ac-3", "ec-3", "fLaC"]
        .iter()
        .any(|audio| codec.starts_with(audio))
}
