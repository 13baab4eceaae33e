//! Reads every playlist and every segment of a broadcast, and notes what must never happen.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hyper::StatusCode;
use weir_model::VideoId;

use crate::{
    Http,
    playlist::{MediaPlaylist, Segment},
};

/// From one look at the playlist to the next.
const LOOKS_EVERY: Duration = Duration::from_millis(500);

/// A violation is told this many times; after that it is only counted.
const TOLD: usize = 20;

/// What one viewer of one rendition saw.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Of which rendition.
    pub rendition: &'static str,
    /// Segments with media, all of them fetched.
    pub segments: u64,
    /// Segments without.
    pub gaps: u64,
    /// Bytes of media.
    pub bytes: u64,
    /// Longest time without a new segment in the playlist.
    pub longest_wait: Duration,
    /// How many discontinuities there have been up to a segment, it included.
    pub discontinuities: BTreeMap<u64, u64>,
    /// What must never happen, and did.
    pub violations: Vec<String>,
}

/// Watches until `end`.
pub async fn watch(http: Http, video: VideoId, rendition: &'static str, end: Instant) -> View {
    let mut viewer = Viewer {
        view: View {
            rendition,
            ..View::default()
        },
        listed: BTreeMap::new(),
        before: None,
        advanced: Instant::now(),
    };
    let path = format!("/v/{video}/{rendition}/index.m3u8");
    while Instant::now() < end {
        let answer = http.get(&path).await;
        if answer.status == StatusCode::OK {
            match MediaPlaylist::parse(&path, &answer) {
                Ok(playlist) => viewer.look(&http, &playlist).await,
                Err(error) => viewer.violated(format!("the playlist can't be parsed: {error}")),
            }
        } else {
            viewer.violated(format!("the playlist answers {}", answer.status));
        }
        tokio::time::sleep(LOOKS_EVERY).await;
    }
    viewer.view
}

/// What all viewers together must have seen: a discontinuity is one in every rendition.
pub fn compare(views: &[View]) -> Vec<String> {
    let mut violations: Vec<String> = views
        .iter()
        .flat_map(|view| view.violations.iter().cloned())
        .collect();
    let Some((first, others)) = views.split_first() else {
        return violations;
    };
    for other in others {
        let differs = other.discontinuities.iter().find(|(msn, count)| {
            let here = first.discontinuities.get(msn);
            here.is_some_and(|here| here != *count)
        });
        if let Some((msn, count)) = differs {
            violations.push(format!(
                "segment {msn} comes after {count} discontinuities in {}, after {} in {}",
                other.rendition, first.discontinuities[msn], first.rendition,
            ));
        }
    }
    violations
}

struct Viewer {
    view: View,
    /// Path and length of what was listed, by media sequence number.
    listed: BTreeMap<u64, (String, f64, bool)>,
    before: Option<Header>,
    advanced: Instant,
}

#[derive(Clone, Copy)]
struct Header {
    media_sequence: u64,
    discontinuity_sequence: u64,
    target_duration: u64,
}

impl Viewer {
    fn violated(&mut self, what: String) {
        if self.view.violations.len() < TOLD {
            let what = format!("{}: {what}", self.view.rendition);
            self.view.violations.push(what);
        }
    }

    async fn look(&mut self, http: &Http, playlist: &MediaPlaylist) {
        let now = Header {
            media_sequence: playlist.parsed.media_sequence,
            discontinuity_sequence: playlist.parsed.discontinuity_sequence,
            target_duration: playlist.parsed.target_duration,
        };
        if let Some(before) = self.before.replace(now) {
            if now.media_sequence < before.media_sequence {
                self.violated(format!(
                    "EXT-X-MEDIA-SEQUENCE went back from {} to {}",
                    before.media_sequence, now.media_sequence
                ));
            }
            if now.discontinuity_sequence < before.discontinuity_sequence {
                self.violated(format!(
                    "EXT-X-DISCONTINUITY-SEQUENCE went back from {} to {}",
                    before.discontinuity_sequence, now.discontinuity_sequence
                ));
            }
            if now.target_duration != before.target_duration {
                self.violated(format!(
                    "EXT-X-TARGETDURATION went from {} to {}",
                    before.target_duration, now.target_duration
                ));
            }
        }
        if playlist.ended() {
            self.violated("EXT-X-ENDLIST stands in it while the broadcast goes on".to_owned());
        }
        let mut discontinuities = now.discontinuity_sequence;
        for segment in playlist.segments() {
            discontinuities += u64::from(segment.discontinuity);
            let known = self
                .view
                .discontinuities
                .insert(segment.msn, discontinuities);
            if known.is_some_and(|known| known != discontinuities) {
                self.violated(format!(
                    "segment {} came after {} discontinuities, now after {discontinuities}",
                    segment.msn,
                    known.unwrap_or_default(),
                ));
            }
            self.take(http, segment).await;
        }
        let silent = self.advanced.elapsed();
        self.view.longest_wait = self.view.longest_wait.max(silent);
    }

    /// A segment that is listed: the same as before, or new and then there.
    async fn take(&mut self, http: &Http, segment: Segment) {
        let facts = (segment.path.clone(), segment.duration, segment.gap);
        if let Some(known) = self.listed.get(&segment.msn) {
            if *known != facts {
                self.violated(format!(
                    "segment {} was {known:?}, is {facts:?}",
                    segment.msn
                ));
            }
            return;
        }
        if let Some((&newest, _)) = self.listed.last_key_value()
            && segment.msn != newest + 1
        {
            self.violated(format!("segment {} comes after {newest}", segment.msn));
        }
        let msn = segment.msn;
        self.listed.insert(msn, facts);
        self.view.longest_wait = self.view.longest_wait.max(self.advanced.elapsed());
        self.advanced = Instant::now();
        if segment.gap {
            self.view.gaps += 1;
            return;
        }
        let answer = http.get(&segment.path).await;
        if answer.status != StatusCode::OK || answer.body.is_empty() {
            let len = answer.body.len();
            self.violated(format!(
                "segment {msn} answers {} with {len} bytes",
                answer.status
            ));
        }
        self.view.segments += 1;
        self.view.bytes += answer.body.len() as u64;
    }
}
