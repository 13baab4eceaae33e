//! Viewers that look at every state of every playlist. What must hold at any time, whatever the
//! encoder does, is asserted here.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use weir_media::live::{Live, MediaAnswer, State};
use weir_model::{MediaPath, RenditionId, Resource, Skip};

use crate::playlist::{Playlist, Segment};

/// Delta updates are for players whose playlist is younger than half the skip boundary.
const DELTA_OF_UP_TO_MS: u64 = 12_000;

#[derive(Debug, Default)]
pub(crate) struct Viewer {
    /// The life of the video that is on air. What earlier ones named comes from the spool.
    pub(crate) epoch: u32,
    looks: u64,
    /// Names of what was stored.
    pub(crate) spool: BTreeSet<String>,
    names: BTreeMap<String, Bytes>,
    playlists: BTreeMap<RenditionId, Followed>,
    /// Parts seen that break the part rules though they need not.
    pub(crate) bad_parts: Vec<String>,
    /// Hints that did not come true.
    pub(crate) broken_hints: Vec<String>,
}

#[derive(Debug, Default)]
struct Followed {
    /// Every playlist seen of late, with its time.
    history: Vec<(u64, Playlist)>,
    /// Every segment ever listed, as first seen complete.
    segments: BTreeMap<u64, Segment>,
    hints: BTreeSet<String>,
}

impl Viewer {
    pub(crate) fn of_epoch(epoch: u32) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    /// Looks at everything.
    pub(crate) fn look(&mut self, live: &Live, now_ms: u64) {
        self.looks += 1;
        let names = live.status().renditions;
        let mut listed: Vec<(RenditionId, Playlist)> = Vec::new();
        for rendition in names.iter().map(|status| status.rendition) {
            let Some(playlist) = self.follow(live, rendition, now_ms) else {
                continue;
            };
            listed.push((rendition, playlist));
        }
        in_step(&listed);
    }

    fn follow(&mut self, live: &Live, rendition: RenditionId, now_ms: u64) -> Option<Playlist> {
        let text = live.playlist(rendition, Skip::No)?;
        let playlist = Playlist::parse(&text);
        // m3u8-rs drops what is new in LL-HLS, but must read the rest.
        let (_, other) = m3u8_rs::parse_media_playlist(text.as_bytes())
            .unwrap_or_else(|e| panic!("m3u8-rs refuses: {e}\n{text}"));
        assert_eq!(other.media_sequence, playlist.media_sequence);
        assert_eq!(
            other.segments.iter().filter(|s| !s.uri.is_empty()).count(),
            playlist.segments.len()
        );

        let followed = self.playlists.entry(rendition).or_default();
        followed.goes_on(&playlist);
        followed.delta_agrees(live, rendition, &playlist, now_ms);
        followed.history.push((now_ms, playlist.clone()));
        followed
            .history
            .retain(|(at, _)| at + DELTA_OF_UP_TO_MS >= now_ms);
        let fulfilled: Vec<String> = followed.hints.iter().cloned().collect();
        for hint in fulfilled {
            match fetch(live, rendition, &hint) {
                MediaAnswer::Ready(_) => drop(followed.hints.remove(&hint)),
                MediaAnswer::Wait => {}
                MediaAnswer::Gone => {
                    followed.hints.remove(&hint);
                    self.broken_hints.push(hint);
                }
            }
        }
        if let Some(hint) = &playlist.hint {
            let answer = fetch(live, rendition, hint);
            assert_eq!(answer, MediaAnswer::Wait, "{hint} is hinted:\n{text}");
            followed.hints.insert(hint.clone());
        }
        self.fetch_all(live, rendition, &playlist);
        self.part_rules(&playlist);
        if live.status().state == State::Ended {
            assert!(playlist.ended && playlist.hint.is_none());
        }
        Some(playlist)
    }

    /// Whatever is listed can be had, and never changes.
    fn fetch_all(&mut self, live: &Live, rendition: RenditionId, playlist: &Playlist) {
        let newest = playlist.media_sequence + playlist.segments.len() as u64;
        for segment in playlist.segments.iter().chain([&playlist.open]) {
            // The older ones are asked for again now and then.
            if segment.msn + 2 < newest && !(segment.msn + self.looks).is_multiple_of(16) {
                continue;
            }
            if !segment.uri.starts_with(&format!("../{}/", self.epoch)) && !segment.uri.is_empty() {
                assert!(
                    segment.gap || self.spool.contains(&segment.uri),
                    "{}",
                    segment.uri
                );
                continue;
            }
            let mut whole = Vec::new();
            for part in &segment.parts {
                let answer = fetch(live, rendition, &part.uri);
                match (part.gap, answer) {
                    (false, MediaAnswer::Ready(bytes)) => {
                        whole.extend_from_slice(&bytes.concat());
                        self.keep(&part.uri, bytes.concat().into());
                    }
                    (true, MediaAnswer::Gone) => {}
                    (_, answer) => panic!("{}: {answer:?}", part.uri),
                }
            }
            if segment.uri.is_empty() {
                continue;
            }
            match (segment.gap, fetch(live, rendition, &segment.uri)) {
                (false, MediaAnswer::Ready(bytes)) => {
                    let bytes = bytes.concat();
                    if !segment.parts.is_empty() {
                        assert_eq!(whole, bytes, "{} is its parts", segment.uri);
                    }
                    self.keep(&segment.uri, bytes.into());
                    let map = segment.map.as_ref();
                    let map = map.unwrap_or_else(|| panic!("{} has no map", segment.uri));
                    let MediaAnswer::Ready(init) = fetch(live, rendition, map) else {
                        panic!("{map}");
                    };
                    self.keep(map, init.concat().into());
                }
                (true, MediaAnswer::Gone) => {}
                (_, answer) => panic!("{}: {answer:?}", segment.uri),
            }
        }
    }

    fn keep(&mut self, name: &str, bytes: Bytes) {
        let known = self
            .names
            .entry(name.to_owned())
            .or_insert_with(|| bytes.clone());
        assert_eq!(*known, bytes, "{name} got other bytes");
    }

    fn part_rules(&mut self, playlist: &Playlist) {
        if playlist.ended {
            return;
        }
        let target = playlist.part_target;
        for segment in &playlist.segments {
            for (i, part) in segment.parts.iter().enumerate() {
                let short = part.duration < 0.85 * target - 1e-4 && i + 1 < segment.parts.len();
                // A part before a GAP is what an encoder left behind.
                if (short || part.duration > target + 1e-4) && !segment.gap {
                    self.bad_parts
                        .push(format!("{} lasts {}", part.uri, part.duration));
                }
            }
        }
    }

    /// Segments of `rendition` ever listed.
    pub(crate) fn segments(&self, rendition: &str) -> Vec<&Segment> {
        let followed = self
            .playlists
            .iter()
            .find(|(id, _)| id.as_str() == rendition);
        followed
            .map(|(_, followed)| followed.segments.values().collect())
            .unwrap_or_default()
    }
}

impl Followed {
    /// A playlist only goes forwards, and what was listed stays as it was.
    fn goes_on(&mut self, new: &Playlist) {
        if let Some((_, old)) = self.history.last() {
            assert!(new.media_sequence >= old.media_sequence);
            assert!(new.discontinuity_sequence >= old.discontinuity_sequence);
            let end =
                |playlist: &Playlist| playlist.media_sequence + playlist.segments.len() as u64;
            assert!(end(new) >= end(old), "segments went away");
            let removed = self.segments.range(old.media_sequence..new.media_sequence);
            let discontinuities =
                removed.filter(|(_, segment)| segment.discontinuity).count() as u64;
            assert_eq!(
                new.discontinuity_sequence,
                old.discontinuity_sequence + discontinuities
            );
            let grown = new.segments.iter().chain([&new.open]);
            for segment in grown.filter(|s| {
                s.parts
                    .first()
                    .is_some_and(|p| Some(&p.uri) == old.open.parts.first().map(|p| &p.uri))
            }) {
                assert!(segment.parts.starts_with(&old.open.parts), "parts changed");
                assert_eq!(segment.date, old.open.date);
            }
        }
        for segment in &new.segments {
            assert!(segment.duration < 4.5, "{segment:?}");
            let known = self
                .segments
                .entry(segment.msn)
                .or_insert_with(|| segment.clone());
            assert_eq!(
                (
                    &known.uri,
                    known.duration,
                    known.gap,
                    known.discontinuity,
                    &known.date
                ),
                (
                    &segment.uri,
                    segment.duration,
                    segment.gap,
                    segment.discontinuity,
                    &segment.date
                ),
            );
        }
        for (a, b) in new.segments.iter().zip(new.segments.iter().skip(1)) {
            assert!(a.date <= b.date, "time goes back: {a:?} {b:?}");
        }
    }

    fn delta_agrees(&self, live: &Live, rendition: RenditionId, full: &Playlist, now_ms: u64) {
        let delta = live.playlist(rendition, Skip::Yes).expect("a delta update");
        let delta = Playlist::parse(&delta);
        let young = self
            .history
            .iter()
            .filter(|(at, _)| at + DELTA_OF_UP_TO_MS >= now_ms);
        for (_, old) in young.clone().take(1).chain(young.rev().take(1)) {
            // Media time that leaps ahead outdates a playlist before its time.
            let known = old.media_sequence + old.segments.len() as u64;
            if delta.media_sequence + delta.skipped > known {
                continue;
            }
            let applied = delta.clone().applied_to(old);
            assert_eq!(applied.segments.len(), full.segments.len());
            assert_eq!(applied.hint, full.hint);
            for (a, b) in applied.segments.iter().zip(&full.segments) {
                // Parts that have aged away are still in the player's memory, and a GAP needs no
                // map.
                let bare = |segment: &Segment| Segment {
                    parts: Vec::new(),
                    map: segment.map.clone().filter(|_| !segment.gap),
                    ..segment.clone()
                };
                assert_eq!(bare(a), bare(b));
            }
        }
    }
}

/// Renditions list the same segments at the same time, but for what is being awaited.
fn in_step(listed: &[(RenditionId, Playlist)]) {
    let Some((_, first)) = listed.first() else {
        return;
    };
    for (rendition, playlist) in listed {
        assert_eq!(playlist.media_sequence, first.media_sequence, "{rendition}");
        assert_eq!(
            playlist.discontinuity_sequence, first.discontinuity_sequence,
            "{rendition}"
        );
        for (a, b) in first.segments.iter().zip(&playlist.segments) {
            assert_eq!(
                (a.msn, a.discontinuity),
                (b.msn, b.discontinuity),
                "{rendition}"
            );
        }
        for (uri, msn, part) in &playlist.reports {
            let (_, other) = listed
                .iter()
                .find(|(id, _)| *uri == format!("../{id}/index.m3u8"))
                .unwrap();
            let complete = other.media_sequence + other.segments.len() as u64;
            let last = match other.open.parts.len() {
                0 => complete - 1,
                _ => complete,
            };
            assert_eq!(*msn, last, "{rendition} about {uri}");
            if let Some(part) = part.filter(|_| !other.open.parts.is_empty()) {
                assert_eq!(part, other.open.parts.len() as u64 - 1);
            }
        }
    }
}

/// Asks for an address as it stands in the playlist of `rendition`.
pub(crate) fn fetch(live: &Live, rendition: RenditionId, uri: &str) -> MediaAnswer {
    let path = format!("/v/oabcdefghijk/{}", uri.strip_prefix("../").unwrap());
    match MediaPath::parse(&path)
        .unwrap_or_else(|| panic!("{uri}"))
        .resource
    {
        Resource::Init {
            epoch,
            rendition: of,
            n,
        } if of == rendition => live.init(epoch, of, n),
        Resource::Segment {
            epoch,
            rendition: of,
            msn,
        } if of == rendition => live.segment(epoch, of, msn),
        Resource::Part {
            epoch,
            rendition: of,
            msn,
            part,
        } if of == rendition => live.part(epoch, of, msn, part),
        resource => panic!("{rendition} lists {resource:?}"),
    }
}
