//! A viewer who follows a live playlist by blocking reloads, through whatever happens on the way.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{Method, StatusCode};
use tokio::task::JoinHandle;
use weir_model::VideoId;

use crate::{
    Http, eventually,
    playlist::{MediaPlaylist, Segment},
};

/// Longer than any position may block.
const LONGEST: Duration = Duration::from_secs(40);
/// A player's pause after what is no playlist.
const PAUSE: Duration = Duration::from_millis(250);

/// Follows until it is dropped.
#[derive(Debug)]
pub struct Follower {
    seen: Arc<Mutex<Seen>>,
    following: JoinHandle<()>,
}

/// What a viewer met with.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Every segment that was listed, by media sequence number.
    pub segments: BTreeMap<u64, Segment>,
    /// When a playlist with a new segment came, and the number of its newest one.
    pub arrivals: Vec<(Instant, u64)>,
    /// EXT-X-MEDIA-SEQUENCE of each playlist.
    pub media_sequences: Vec<u64>,
    /// Answers that were no playlist, after the first that was one; `None` for connections that broke.
    /// A stream that has yet to begin has none, and says so rightly.
    pub refusals: Vec<Option<StatusCode>>,
}

impl Seen {
    /// Number of the newest segment.
    pub fn newest(&self) -> u64 {
        self.segments.last_key_value().map_or(0, |(msn, _)| *msn)
    }

    fn refused(&mut self, status: Option<StatusCode>) {
        if !self.media_sequences.is_empty() {
            self.refusals.push(status);
        }
    }

    /// The longest time without a new segment.
    pub fn longest_wait(&self) -> Duration {
        let pairs = self.arrivals.windows(2);
        let waits = pairs.map(|pair| pair[1].0.duration_since(pair[0].0));
        waits.max().unwrap_or_default()
    }

    /// Checks that nothing went back and nothing was missed: the media sequence only grew, and each
    /// segment's number follows its predecessor's.
    ///
    /// # Panics
    /// If it is not so.
    pub fn assert_it_went_on(&self) {
        assert!(
            self.media_sequences.is_sorted(),
            "{:?}",
            self.media_sequences
        );
        let numbers: Vec<u64> = self.segments.keys().copied().collect();
        let follow = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(follow, "segments {numbers:?}");
    }
}

impl Follower {
    /// Follows `rendition` of `video` at `http`.
    pub fn start(http: &Http, video: VideoId, rendition: &str) -> Self {
        let seen = Arc::default();
        let path = format!("/v/{video}/{rendition}/index.m3u8");
        let following = tokio::spawn(follow(http.clone(), path, Arc::clone(&seen)));
        Self { seen, following }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        let seen = self.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until `count` segments beyond those seen so far have come.
    pub async fn further(&self, count: u64, deadline: Duration) {
        let wanted = self.seen().newest() + count;
        eventually(&format!("segment {wanted}"), deadline, async || {
            (self.seen().newest() >= wanted).then_some(())
        })
        .await;
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn follow(http: Http, path: String, seen: Arc<Mutex<Seen>>) {
    let mut newest: Option<u64> = None;
    loop {
        let target = match newest {
            None => path.clone(),
            Some(msn) => format!("{path}?_HLS_msn={}", msn + 1),
        };
        let asked = http.try_send(Method::GET, &target, &[], Bytes::new());
        let answer = tokio::time::timeout(LONGEST, asked).await;
        let answer = answer.ok().and_then(Result::ok);
        let status = answer.as_ref().map(|answer| answer.status);
        let playlist = answer
            .filter(|answer| answer.status == StatusCode::OK)
            .and_then(|answer| MediaPlaylist::parse(&target, &answer).ok());
        let Some(playlist) = playlist else {
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .refused(status);
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let segments = playlist.segments();
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.media_sequences.push(playlist.parsed.media_sequence);
            if let Some(last) = segments
                .last()
                .filter(|last| newest.is_none_or(|n| last.msn > n))
            {
                seen.arrivals.push((Instant::now(), last.msn));
                newest = Some(last.msn);
            }
            seen.segments
                .extend(segments.into_iter().map(|segment| (segment.msn, segment)));
        }
        if newest.is_none() || playlist.ended() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
