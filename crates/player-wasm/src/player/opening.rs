//! Playlists as they come in: tracks are made of the multivariant one, and timelines grow.

use alloc::vec::Vec;

use super::coding::{codecs_of, keep_worthwhile, mime_type};
use super::dash::is_manifest;
use super::source::alone;
use super::track::{Rendition, Track};
use super::{Phase, Player};
use crate::command::{Command, TrackKind};
use crate::playlist::{InvalidPlaylist, MediaPlaylist, Multivariant, Variant};
use crate::timeline::{Timeline, Update};

impl Player {
    pub(super) fn multivariant(&mut self, now: u64, text: &str) {
        let offered = if is_manifest(text) {
            self.first_manifest(now, text)
        } else {
            Multivariant::parse(text)
        };
        let is_media = offered == Err(InvalidPlaylist::MediaPlaylist);
        let playlist = match offered {
            Ok(playlist) => playlist,
            Err(_) if is_media => alone(&self.url),
            Err(why) => return self.refuse(now, why),
        };
        self.multivariant_retry.succeeded();
        self.source.start_s = playlist.start_s;
        self.build_tracks(playlist);
        self.name_renditions();
        self.set_phase(Phase::Loading);
        self.commands.push(Command::Changed);
        if is_media && !self.tracks.is_empty() {
            self.playlist(now, 0, 0, text);
        }
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
        keep_worthwhile(&mut variants, &self.lacks);
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
        let renditions = variants.iter().map(|variant| {
            let url = crate::url::resolve(&self.url, &variant.uri);
            let told = if variant.codecs.is_empty() {
                codecs
            } else {
                &*variant.codecs
            };
            let mime = if audio.is_empty() {
                mime_type(TrackKind::Video, told)
            } else {
                mime_type(TrackKind::Video, &codecs_of(told, TrackKind::Video))
            };
            let mean = variant.average_bandwidth.unwrap_or(variant.bandwidth);
            Rendition {
                mime,
                mean_bits_per_s: mean as f64,
                ..Rendition::new(url, variant.bandwidth as f64, variant.height)
            }
        });
        self.tracks
            .push(Track::new(TrackKind::Video, renditions.collect()));
        let rungs = self.rungs(0);
        let chosen = self.chosen.filter(|c| *c < rungs.len());
        let first = chosen.unwrap_or(self.abr.begin(&rungs));
        (self.tracks[0].active, self.tracks[0].wanted) = (first, first);
        if !audio.is_empty() {
            let mime = mime_type(TrackKind::Audio, &codecs_of(codecs, TrackKind::Audio));
            let renditions = audio.iter().map(|audio| Rendition {
                mime: mime.clone(),
                ..Rendition::new(crate::url::resolve(&self.url, &audio.uri), 0.0, None)
            });
            let mut audio = Track::new(TrackKind::Audio, renditions.collect());
            (audio.active, audio.wanted) = (self.sounds.wanted, self.sounds.wanted);
            self.tracks.push(audio);
        }
        self.open_or_probe();
    }

    pub(super) fn playlist(&mut self, now: u64, track: usize, index: usize, text: &str) {
        match MediaPlaylist::parse(text) {
            Ok(playlist) if playlist.is_bare() => {
                self.refuse(now, InvalidPlaylist::Unsupported("MPEG-TS or packed audio"));
            }
            Ok(playlist) => {
                self.source.start_s = playlist.start_s.or(self.source.start_s);
                self.listed(now, track, index, playlist);
            }
            Err(why @ InvalidPlaylist::Unsupported(_)) => self.refuse(now, why),
            Err(_) => self.tracks[track].renditions[index].retry.failed(now),
        }
    }

    /// Takes in what there is of a rendition.
    pub(super) fn listed(&mut self, now: u64, track: usize, index: usize, playlist: MediaPlaylist) {
        let rendition = &mut self.tracks[track].renditions[index];
        let poll_ms = (playlist.target_duration * 1000.0) as u64;
        let first = rendition.timeline.is_empty();
        let edge = rendition.timeline.edge();
        match rendition.timeline.update(playlist) {
            Update::Advanced => {
                rendition.retry.succeeded();
                rendition.advanced_at = now;
                rendition.repeats = false;
                rendition.astray = false;
                rendition.wants_whole = false;
                rendition.reload_at = now + poll_ms;
                if let Phase::Trouble(_) = self.phase {
                    self.set_phase(Phase::Loading);
                }
            }
            Update::Unchanged => {
                rendition.retry.failed(now);
                rendition.reload_at = now + poll_ms / 2;
                rendition.repeats = true;
            }
            Update::Mismatch => {
                rendition.retry.failed(now);
                rendition.reload_at = now;
                rendition.wants_whole = true;
            }
        }
        if self.tracks[track].renditions[index].timeline.edge() < edge {
            self.forget_numbers();
        }
        if first {
            self.align(track, index);
        } else {
            self.tell_time(now, track, index);
        }
        let rendition = &mut self.tracks[track].renditions[index];
        if rendition.timeline.control.can_block_reload {
            rendition.reload_at = now;
        }
        self.confirm(track);
        self.tracks[track].settle_cursor();
    }

    /// The server counts from the beginning again: what was known of renditions that are not played
    /// now bears numbers of before.
    fn forget_numbers(&mut self) {
        for track in &mut self.tracks {
            for (r, rendition) in track.renditions.iter_mut().enumerate() {
                if r != track.active {
                    rendition.timeline = Timeline::default();
                }
            }
        }
    }

    /// A live playlist without dates that has just become known is laid beside one that is played.
    fn align(&mut self, track: usize, index: usize) {
        let timeline = &self.tracks[track].renditions[index].timeline;
        if timeline.dated || timeline.ended {
            return;
        }
        let beside = |t: usize| {
            let other = &self.tracks[t];
            let played = other.timeline();
            let itself = (t, other.active) == (track, index);
            let known = !itself && !played.is_empty() && !played.dated;
            known.then(|| timeline.lies_before(played)).flatten()
        };
        let by_ms = beside(track).or_else(|| (0..self.tracks.len()).find_map(beside));
        if let Some(by_ms) = by_ms {
            self.tracks[track].renditions[index].timeline.shift(by_ms);
        }
    }

    /// What has just come to be listed of a live stream tells what time it is.
    fn tell_time(&mut self, now: u64, track: usize, index: usize) {
        let rendition = &self.tracks[track].renditions[index];
        let timeline = &rendition.timeline;
        let tells = timeline.dated && !timeline.ended && !timeline.ends_in_gap();
        if let Some(end_ms) = timeline.end_ms().filter(|_| tells && !rendition.repeats) {
            let before_ms = self.clock.server_ms(now);
            self.clock.listed(now, end_ms);
            self.heed_clock(now, before_ms);
        }
    }
}
