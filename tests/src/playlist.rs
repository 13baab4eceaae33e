//! Playlists as an independent parser (m3u8-rs) reads them, and the media they list.
//!
//! m3u8-rs drops the low-latency tags at a playlist's end; tests of those look at
//! [`MediaPlaylist::text`].

use std::time::{Duration, Instant};

use bytes::Bytes;
use m3u8_rs::{MasterPlaylist, MediaSegment};
use weir_model::VideoId;

use crate::{Answer, Http};

/// A media playlist and where it came from.
#[derive(Clone, Debug)]
pub struct MediaPlaylist {
    /// Path it was fetched from; the URIs in it are relative to this.
    pub path: String,
    /// As served.
    pub text: String,
    /// As m3u8-rs reads it.
    pub parsed: m3u8_rs::MediaPlaylist,
}

/// A segment in a media playlist.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its media sequence number.
    pub msn: u64,
    /// Path of its media.
    pub path: String,
    /// Path of the initialisation segment that goes before it.
    pub init: String,
    /// EXTINF in seconds.
    pub duration: f64,
    /// Whether it is marked EXT-X-GAP.
    pub gap: bool,
    /// Whether EXT-X-DISCONTINUITY stands before it.
    pub discontinuity: bool,
    /// EXT-X-PROGRAM-DATE-TIME in Unix milliseconds.
    pub program_date_time_ms: Option<i64>,
}

/// Fetches and parses the multivariant playlist of a video.
pub async fn multivariant(http: &Http, video: VideoId) -> MasterPlaylist {
    let answer = http
        .get(&format!("/v/{video}/index.m3u8"))
        .await
        .expect_ok();
    let parsed = m3u8_rs::parse_master_playlist_res(&answer.body);
    parsed.unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

impl MediaPlaylist {
    /// Fetches and parses a live media playlist.
    pub async fn live(http: &Http, video: VideoId, rendition: &str) -> Self {
        Self::fetch(http, &format!("/v/{video}/{rendition}/index.m3u8")).await
    }

    /// Fetches and parses the media playlist of a recording.
    pub async fn recording(http: &Http, video: VideoId, rendition: &str) -> Self {
        Self::fetch(http, &format!("/v/{video}/{rendition}/recording.m3u8")).await
    }

    /// Fetches and parses the media playlist at `path`, which may hold a query.
    ///
    /// # Panics
    /// If it is not answered with 200 or is no media playlist.
    pub async fn fetch(http: &Http, path: &str) -> Self {
        let answer = http.get(path).await.expect_ok();
        let parsed = Self::parse(path, &answer);
        parsed.unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
    }

    /// Parses what `path` was answered with.
    ///
    /// # Errors
    /// m3u8-rs's, if it is no media playlist.
    pub fn parse(path: &str, answer: &Answer) -> Result<Self, String> {
        let parsed = m3u8_rs::parse_media_playlist_res(&answer.body);
        Ok(Self {
            path: path.to_owned(),
            text: answer.text(),
            parsed: parsed.map_err(|error| error.to_string())?,
        })
    }

    /// Whether EXT-X-ENDLIST stands at its end.
    pub fn ended(&self) -> bool {
        self.parsed.end_list
    }

    /// Its segments, with what each inherits from those before it.
    pub fn segments(&self) -> Vec<Segment> {
        let mut init = String::new();
        let mut segments = Vec::new();
        for (msn, segment) in (self.parsed.media_sequence..).zip(&self.parsed.segments) {
            if let Some(map) = &segment.map {
                init = resolve(&self.path, &map.uri);
            }
            segments.push(self.segment(msn, segment, init.clone()));
        }
        segments
    }

    fn segment(&self, msn: u64, segment: &MediaSegment, init: String) -> Segment {
        Segment {
            msn,
            path: resolve(&self.path, &segment.uri),
            init,
            duration: f64::from(segment.duration),
            gap: segment.unknown_tags.iter().any(|tag| tag.tag == "X-GAP"),
            discontinuity: segment.discontinuity,
            program_date_time_ms: segment
                .program_date_time
                .map(|time| time.timestamp_millis()),
        }
    }
}

/// Reads a live rendition to its end: every segment that its playlist lists and will list, each
/// once, in order; what is marked GAP comes without bytes.
///
/// # Panics
/// If the playlist has not ended within `deadline`, or if a segment left the window unread.
pub async fn read_to_end(
    http: &Http,
    video: VideoId,
    rendition: &str,
    deadline: Duration,
) -> Vec<(Segment, Bytes)> {
    let start = Instant::now();
    let mut read: Vec<(Segment, Bytes)> = Vec::new();
    loop {
        let playlist = MediaPlaylist::live(http, video, rendition).await;
        for segment in playlist.segments() {
            let next = read.last().map_or(segment.msn, |(last, _)| last.msn + 1);
            assert!(
                segment.msn <= next,
                "segment {next} of {rendition} left the window unread"
            );
            if segment.msn == next {
                let body = if segment.gap {
                    Bytes::new()
                } else {
                    http.body(&segment.path).await
                };
                read.push((segment, body));
            }
        }
        if playlist.ended() {
            return read;
        }
        assert!(
            start.elapsed() < deadline,
            "{rendition} has not ended within {deadline:?}"
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The media of `segments` as one file, each initialisation segment before the first segment that
/// it goes with.
pub async fn join(http: &Http, segments: &[(Segment, Bytes)]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut init = "";
    for (segment, body) in segments {
        if segment.init != init {
            init = &segment.init;
            file.extend_from_slice(&http.body(init).await);
        }
        file.extend_from_slice(body);
    }
    file
}

/// What `reference` means in the document at the path `base` (RFC 3986 section 5.2, as far as
/// playlists of ours use it).
pub fn resolve(base: &str, reference: &str) -> String {
    if reference.starts_with('/') {
        return reference.to_owned();
    }
    let base = base.split('?').next().unwrap_or_default();
    let mut pieces: Vec<&str> = base.split('/').collect();
    pieces.pop();
    for piece in reference.split('/') {
        match piece {
            ".." => drop(pieces.pop()),
            "." => {}
            piece => pieces.push(piece),
        }
    }
    pieces.join("/")
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn resolves_what_our_playlists_hold() {
        let check = |base, reference, expected| assert_eq!(resolve(base, reference), expected);
        check(
            "/v/o/source/index.m3u8",
            "../1/source/4.m4s",
            "/v/o/1/source/4.m4s",
        );
        check(
            "/v/o/index.m3u8?x=/",
            "source/index.m3u8",
            "/v/o/source/index.m3u8",
        );
        check("/v/o/index.m3u8", "/v/p/a.mp4", "/v/p/a.mp4");
    }
}
