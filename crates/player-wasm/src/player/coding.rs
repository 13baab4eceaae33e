//! How renditions are coded, and what of it a browser plays. A SourceBuffer takes one coding at a
//! time; where renditions differ, or one changes in its midst, its type is changed before the
//! initialisation segment that begins the other.

use alloc::string::String;
use alloc::vec::Vec;

use super::Player;
use crate::boxes;
use crate::command::{Command, TrackKind};
use crate::playlist::Variant;

impl Player {
    /// Makes SourceBuffers for the active renditions, in place of any before.
    pub(super) fn open(&mut self) {
        let mut types = self.tracks.iter_mut().map(|track| {
            track.offset = None;
            track.map = None;
            track.mime = track.rendition().mime.clone();
            track.mime.clone()
        });
        let video = types.next().unwrap_or_default();
        let audio = types.next();
        self.commands.push(Command::Open { video, audio });
    }

    /// Before an initialisation segment of another coding than the one before it is appended,
    /// changes the type of the SourceBuffer. The segment itself knows best how it is coded.
    pub(super) fn recode(&mut self, t: usize, r: usize, init: &[u8]) {
        let track = &mut self.tracks[t];
        let told = boxes::codecs(init);
        let readable = !told.is_empty() && told.iter().all(|codec| !codec.starts_with("enc"));
        let mime = if readable {
            mime_type(track.kind, &told.join(","))
        } else {
            track.renditions[r].mime.clone()
        };
        let has = |coding: &str| codings(&track.mime).any(|other| other == coding);
        if !codings(&mime).all(has) {
            track.mime.clone_from(&mime);
            let track = track.kind;
            self.commands.push(Command::Type { track, mime });
        }
    }
}

/// A MIME type with these codecs (RFC 6381).
pub(super) fn mime_type(kind: TrackKind, codecs: &str) -> String {
    let kind = match kind {
        TrackKind::Video => "video",
        TrackKind::Audio => "audio",
    };
    [kind, "/mp4; codecs=\"", codecs, "\""].concat()
}

/// Leaves the variants that can be played and are worth it: of two codings, one that costs more for
/// no more lines is not.
pub(super) fn keep_worthwhile(variants: &mut Vec<Variant>, lacks: &[String]) {
    let lacked = |v: &Variant| {
        let coding = picture_coding(&v.codecs).unwrap_or_default();
        lacks.iter().any(|lacked| lacked == coding)
    };
    if variants.iter().all(lacked) {
        // Nothing fits: the browser is the one to say so.
        return;
    }
    variants.retain(|v| !lacked(v));
    let outdone = |v: &Variant| {
        variants.iter().any(|other| {
            picture_coding(&other.codecs) != picture_coding(&v.codecs)
                && v.height.is_some()
                && other.height >= v.height
                && other.bandwidth < v.bandwidth
        })
    };
    let mut outdone = variants.iter().map(outdone).collect::<Vec<_>>().into_iter();
    variants.retain(|_| !outdone.next().unwrap_or_default());
}

/// The picture's codecs of a list, or the sound's.
pub(super) fn codecs_of(codecs: &str, kind: TrackKind) -> String {
    let of_kind = |codec: &&str| is_audio(codec) == (kind == TrackKind::Audio);
    let kept = codecs.split(',').map(str::trim_ascii).filter(of_kind);
    match kind {
        // Where a group has sound in several codecs, which member has which is not told.
        TrackKind::Audio => kept.take(1).collect(),
        TrackKind::Video => kept.collect::<Vec<_>>().join(","),
    }
}

pub(super) fn is_audio(codec: &str) -> bool {
    ["mp4a", "Opus", "opus", "ac-3", "ec-3", "fLaC"]
        .iter()
        .any(|audio| codec.starts_with(audio))
}

/// The name of the picture's codec without its profile.
fn picture_coding(codecs: &str) -> Option<&str> {
    let codec = codecs
        .split(',')
        .map(str::trim_ascii)
        .find(|c| !is_audio(c))?;
    codec.split('.').next().filter(|name| !name.is_empty())
}

/// The names of codecs in a MIME type, without their profiles.
fn codings(mime: &str) -> impl Iterator<Item = &str> {
    let list = mime.split('"').nth(1).unwrap_or_default();
    let names = list
        .split(',')
        .map(|codec| codec.trim_ascii().split('.').next());
    names.map(Option::unwrap_or_default)
}
