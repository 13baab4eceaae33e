//! What is under way: requests with a purpose and patience, and what becomes of their answers.

use alloc::boxed::Box;
use alloc::string::String;

use super::track::Item;
use super::{Failure, Player, Transfer};
use crate::abr::Sample;
use crate::boxes;
use crate::command::{Body, Command, RequestId, TrackKind};

/// A silence this long, in ms, means that the page slept: it is looked after every 250 ms.
const SLEEP_MS: u64 = 5000;
/// A correction of the clock that matters, in ms.
const CLOCK_MS: f64 = 500.0;
/// How long a request that was under way while the page slept may still take, in ms: what had come
/// by then is handed over at once, and a connection of before is most likely dead.
const AWAKE_MS: u64 = 500;

/// What a request is for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    Multivariant,
    /// The manifest of a DASH source, again.
    Manifest,
    /// What time it is.
    Clock,
    /// The `sidx` at a URL, for a rendition.
    Index {
        track: usize,
        rendition: usize,
        url: String,
    },
    /// An initialisation segment, to learn how the media is coded.
    Probe {
        track: usize,
    },
    Playlist {
        track: usize,
        rendition: usize,
    },
    Init {
        track: usize,
        rendition: usize,
        url: String,
    },
    Media {
        track: usize,
        item: Box<Item>,
    },
}

impl Purpose {
    /// The track whose SourceBuffer gets the body.
    pub(super) fn append_track(&self) -> Option<usize> {
        match self {
            Self::Init { track, .. } | Self::Media { track, .. } => Some(*track),
            _ => None,
        }
    }

    /// What becomes of the body; `kind` is of [`Self::append_track`].
    fn body(&self, kind: Option<TrackKind>) -> Body {
        match (self, kind) {
            (_, Some(kind)) => Body::Append(kind),
            (Self::Index { .. } | Self::Probe { .. }, _) => Body::Bytes,
            _ => Body::Text,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) purpose: Purpose,
    /// How long it may go without a sign of life, in ms.
    pub(super) patience_ms: u64,
    pub(super) deadline: u64,
    pub(super) sent_at: u64,
    /// When the first bytes of the body came, and how many.
    pub(super) first: Option<(u64, u64)>,
    /// Bytes of the body come so far.
    pub(super) bytes: u64,
    /// Bytes of the whole body, if told.
    pub(super) length: Option<u64>,
    /// The page slept while it was under way: that it fails now is nobody's fault.
    pub(super) excused: bool,
}

impl Request {
    /// What it tells about the network.
    pub(super) fn sample(&self, item: &Item, transfer: Transfer) -> Sample {
        let waited = |(at, _): (u64, u64)| at.saturating_sub(self.sent_at) as f64;
        Sample {
            bytes: transfer.bytes,
            first_bytes: transfer.first_bytes,
            body_ms: transfer.body_ms,
            live_pace_ms: item.hinted.then_some(item.duration * 1000.0),
            // What was announced may have waited to be made.
            wait_ms: self.first.filter(|_| !item.hinted).map(waited),
        }
    }
}

impl Player {
    /// The text that a [`Body::Text`] request brought.
    pub fn text(&mut self, now: u64, id: RequestId, text: &str) {
        self.alive_at = now;
        let Some(request) = self.take_request(id) else {
            return;
        };
        match request.purpose {
            Purpose::Multivariant => self.multivariant(now, text),
            Purpose::Playlist { track, rendition } => self.playlist(now, track, rendition, text),
            Purpose::Manifest => self.manifest(now, text),
            Purpose::Clock => self.clock_answered(now, request.sent_at, Some(text)),
            _ => {}
        }
        self.plan(now);
    }

    /// The answer to a request came from another URL than was asked, and is about to be handed over:
    /// what it refers to lies there.
    pub fn redirected(&mut self, id: RequestId, url: String) {
        let request = self.requests.iter().find(|request| request.id == id);
        match request.map(|request| &request.purpose) {
            Some(Purpose::Multivariant) => self.url = url,
            Some(&Purpose::Playlist { track, rendition }) => {
                self.tracks[track].renditions[rendition].base = url;
            }
            _ => {}
        }
    }

    /// What a [`Body::Bytes`] request brought.
    pub fn bytes_came(&mut self, now: u64, id: RequestId, bytes: &[u8]) {
        self.alive_at = now;
        let Some(request) = self.take_request(id) else {
            return;
        };
        match request.purpose {
            Purpose::Index { url, .. } => self.indexed(now, url, bytes),
            Purpose::Probe { track } => self.probed(now, track, bytes),
            _ => {}
        }
        self.plan(now);
    }

    /// The first [`boxes::HEAD`] bytes (or all, if they are fewer) of a body that is about to be
    /// appended. Everything requested before it for the same track has been appended. Answers
    /// whether it may be appended now; if not, [`Command::Release`] or [`Command::Abort`] follows.
    #[must_use]
    pub fn head(&mut self, id: RequestId, head: &[u8]) -> bool {
        let Some(request) = self.requests.iter().find(|request| request.id == id) else {
            return true;
        };
        match &request.purpose {
            Purpose::Init {
                track,
                rendition,
                url,
            } => {
                let (track, rendition) = (*track, *rendition);
                let known = self.timescales.iter().any(|(known, _)| known == url);
                if let Some(scale) = boxes::timescale(head).filter(|_| !known) {
                    self.timescales.push((url.clone(), scale));
                }
                self.recode(track, rendition, head);
            }
            Purpose::Media { track, item } if self.tracks[*track].foresees(item) => return false,
            Purpose::Media { track, item } if item.media_s.is_some() => {
                let (track, item) = (*track, item.clone());
                self.place_as_told(track, &item, item.media_s.unwrap_or_default());
            }
            Purpose::Media { track, item } => {
                if let Some(decode_time) = boxes::decode_time(head) {
                    let (track, item) = (*track, item.clone());
                    return self.place(track, &item, decode_time);
                }
            }
            _ => {}
        }
        true
    }

    /// More of a body has come: `bytes` of it by now, of `length` if that is known.
    pub fn progress(&mut self, now: u64, id: RequestId, bytes: u64, length: Option<u64>) {
        self.alive_at = now;
        if let Some(request) = self.requests.iter_mut().find(|request| request.id == id) {
            request.deadline = now + request.patience_ms;
            request.first.get_or_insert((now, bytes));
            (request.bytes, request.length) = (bytes, length);
            self.consider_abandoning(now);
        }
    }

    /// A [`Body::Append`] request is through and all of it is appended.
    pub fn completed(&mut self, now: u64, id: RequestId, transfer: Transfer) {
        self.alive_at = now;
        let Some(request) = self.take_request(id) else {
            return;
        };
        self.bytes += transfer.bytes;
        if let Purpose::Media { track, item } = &request.purpose {
            let sample = request.sample(item, transfer);
            self.abr.throughput.add(sample);
            self.weighed(*track, item, transfer.bytes);
            self.media_arrived(now, *track, item);
        }
        self.plan(now);
    }

    /// A request brought nothing, or not all of it.
    pub fn failed(&mut self, now: u64, id: RequestId, failure: Failure) {
        self.alive_at = now;
        self.request_failed(now, id, failure);
        self.plan(now);
    }

    /// An answer told its server's time, in Unix ms: HTTP's `Date`.
    pub fn dated(&mut self, now: u64, server_ms: f64) {
        let before_ms = self.clock.server_ms(now);
        self.clock.dated(now, server_ms);
        self.heed_clock(now, before_ms);
    }

    /// What was made of arrivals while the clock was taken to be right is worth nothing once it turns
    /// out to be wrong.
    pub(super) fn heed_clock(&mut self, now: u64, before_ms: f64) {
        if (self.clock.server_ms(now) - before_ms).abs() > CLOCK_MS {
            self.latency.reset_arrivals();
        }
    }

    /// The network is there again: nothing waits any longer to be asked for again.
    pub fn online(&mut self, now: u64) {
        self.multivariant_retry.hurry();
        self.post_retry.hurry();
        for track in &mut self.tracks {
            track.retry.hurry();
            for rendition in &mut track.renditions {
                rendition.retry.hurry();
            }
        }
        self.plan(now);
    }

    /// Notes that the page is awake, and after a sleep waits for nothing of before.
    pub(super) fn wake(&mut self, now: u64) {
        if now > self.alive_at + SLEEP_MS {
            for request in &mut self.requests {
                request.excused = true;
                request.deadline = now + AWAKE_MS;
            }
        }
        self.alive_at = now;
    }

    pub(super) fn fetch(
        &mut self,
        now: u64,
        url: String,
        purpose: Purpose,
        patience_ms: u64,
    ) -> RequestId {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        let body = purpose.body(purpose.append_track().map(|track| self.tracks[track].kind));
        self.requests.push(Request {
            id,
            purpose,
            patience_ms,
            deadline: now + patience_ms,
            sent_at: now,
            first: None,
            bytes: 0,
            length: None,
            excused: false,
        });
        self.commands.push(Command::Fetch { id, url, body });
        id
    }

    /// Takes a request off the list. An answer to one that is not on it was overtaken by an abort.
    pub(super) fn take_request(&mut self, id: RequestId) -> Option<Request> {
        let index = self.requests.iter().position(|request| request.id == id)?;
        let request = self.requests.remove(index);
        if let Purpose::Playlist { track, rendition }
        | Purpose::Index {
            track, rendition, ..
        } = request.purpose
        {
            self.tracks[track].renditions[rendition].reload = None;
        }
        Some(request)
    }

    pub(super) fn abort(&mut self, id: RequestId) {
        if let Some(request) = self.take_request(id) {
            self.waste(&request);
            self.commands.push(Command::Abort { id });
        }
    }

    /// Counts what a request brought that is of no use.
    pub(super) fn waste(&mut self, request: &Request) {
        self.bytes += request.bytes;
        self.wasted += request.bytes;
    }
}
