//! What a viewer gets of a video in one of its states.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use weir_model::VideoId;
use weir_tests::{
    Http, Weir, browser, manifest,
    playlist::{self, MediaPlaylist, Segment},
};

use super::players::{self, Plays};

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Live,
    AfterDiscontinuity,
    Dvr,
    Recording,
}

/// Everything that was fetched.
pub(crate) struct Reading {
    pub(crate) state: State,
    pub(crate) multivariant: String,
    pub(crate) lists: Vec<List>,
    /// Byte ranges of I-frame playlists with their initialisation segments.
    pub(crate) i_frames: Vec<Bytes>,
    pub(crate) manifest: String,
    /// What the schemas say against the manifest.
    pub(crate) schema_breaches: Vec<String>,
    /// Paths that the manifest names, with their status.
    pub(crate) named: BTreeMap<String, u16>,
    pub(crate) time: String,
    pub(crate) readers: Readers,
    pub(crate) plays: Plays,
}

/// A media playlist, and a later state of it.
pub(crate) struct List {
    pub(crate) rendition: String,
    pub(crate) playlist: MediaPlaylist,
    pub(crate) later: MediaPlaylist,
    pub(crate) segments: Vec<(Segment, Bytes)>,
    pub(crate) content_types: Vec<String>,
    /// The whole, with initialisation segments.
    pub(crate) file: Vec<u8>,
    /// Bytes of the parts of each segment that lists them, joined, by the segment's path.
    pub(crate) parts: BTreeMap<String, Vec<u8>>,
}

/// What other readers refuse.
#[derive(Deserialize)]
pub(crate) struct Readers {
    pub(crate) hls: Vec<String>,
    pub(crate) dash: Vec<String>,
    /// What mp4box finds wrong with initialisation segments and segments.
    pub(crate) mp4: Vec<String>,
}

impl Reading {
    /// With the players of all browsers but after a discontinuity: it would have left the window of a
    /// slow machine before the second one came to it.
    pub(crate) async fn take(weir: &Weir, id: VideoId, state: State) -> Self {
        let name = if state == State::Dvr {
            "dvr.m3u8"
        } else {
            "index.m3u8"
        };
        let browsers = match state {
            State::AfterDiscontinuity => &players::BROWSERS[..1],
            _ => &players::BROWSERS[..],
        };
        let plays = players::play(weir, id, state, name, browsers);
        let (plays, reading) = tokio::join!(plays, Self::fetch(weir, id, state, name));
        Self { plays, ..reading }
    }

    /// All but the players.
    async fn fetch(weir: &Weir, id: VideoId, state: State, name: &str) -> Self {
        let http = weir.viewer();
        let path = format!("/v/{id}/{name}");
        let multivariant = http.get(&path).await.expect_ok().text();
        let mut lists = Vec::new();
        for uri in uris(&multivariant, "EXT-X-STREAM-INF", "EXT-X-MEDIA:") {
            lists.push(List::take(http, &playlist::resolve(&path, &uri)).await);
        }
        let mut i_frames = Vec::new();
        let mut read = vec![http.url(&path)];
        read.extend(lists.iter().map(|list| http.url(&list.playlist.path)));
        for uri in uris(&multivariant, "", "EXT-X-I-FRAME-STREAM-INF") {
            let path = playlist::resolve(&path, &uri);
            read.push(http.url(&path));
            i_frames.extend(take_i_frames(http, &path).await);
        }
        let at = format!("/v/{id}/manifest.mpd");
        let manifest = http.get(&at).await.expect_ok().text();
        let mut named = BTreeMap::new();
        for path in named_by(&manifest, &at) {
            let status = http.get(&path).await.status.as_u16();
            named.insert(path, status);
        }
        let input = json!({ "playlists": read, "manifest": http.url(&at) });
        Self {
            state,
            multivariant,
            lists,
            i_frames,
            schema_breaches: manifest::breaches(&manifest),
            manifest,
            named,
            time: http.get("/api/v1/time").await.expect_ok().text(),
            readers: browser::run("readers", &input, weir_tests::wait::PATIENCE),
            plays: Plays::new(),
        }
    }

    /// Parts are listed, and the playlist goes on.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, State::Live | State::AfterDiscontinuity)
    }
}

impl List {
    async fn take(http: &Http, path: &str) -> Self {
        let playlist = MediaPlaylist::fetch(http, path).await;
        let mut parts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut open = Vec::new();
        for line in playlist.text.lines() {
            if let Some(part) = line.strip_prefix("#EXT-X-PART:") {
                if !part.contains("GAP=YES") {
                    let uri = attribute(part, "URI").expect("a part has an address");
                    open.extend(http.body(&playlist::resolve(path, &uri)).await);
                }
            } else if !line.starts_with('#') && !open.is_empty() {
                parts.insert(playlist::resolve(path, line), std::mem::take(&mut open));
            }
        }
        let (mut segments, mut content_types) = (Vec::new(), Vec::new());
        for segment in playlist.segments() {
            let mut body = Bytes::new();
            if !segment.gap {
                let answer = http.get(&segment.path).await.expect_ok();
                content_types.push(answer.header("content-type").unwrap_or_default().to_owned());
                body = answer.body;
            }
            segments.push((segment, body));
        }
        let held: Vec<_> = segments.iter().filter(|(s, _)| !s.gap).cloned().collect();
        Self {
            rendition: path.split('/').rev().nth(1).unwrap_or_default().to_owned(),
            file: playlist::join(http, &held).await,
            later: MediaPlaylist::fetch(http, path).await,
            playlist,
            segments,
            content_types,
            parts,
        }
    }

    pub(crate) fn is_video(&self) -> bool {
        self.rendition != "audio"
    }

    /// The value behind a tag that stands once, such as `EXT-X-TARGETDURATION`.
    pub(crate) fn tag(&self, name: &str) -> Option<&str> {
        tag(&self.playlist.text, name)
    }
}

/// The value behind a tag that stands once.
pub(crate) fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("#{name}:");
    text.lines().find_map(|line| line.strip_prefix(&start))
}

/// An attribute of an attribute list, without its quotes.
pub(crate) fn attribute(list: &str, name: &str) -> Option<String> {
    let mut quoted = false;
    let split = |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    let value = list.split(split).find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then_some(value)
    })?;
    Some(value.trim_matches('"').to_owned())
}

/// URIs on the line after `before` tags, and in the attributes of `within` tags.
fn uris(text: &str, before: &str, within: &str) -> Vec<String> {
    let mut uris = Vec::new();
    let mut follows = false;
    for line in text.lines() {
        if let Some(tag) = line.strip_prefix('#') {
            follows = !before.is_empty() && tag.starts_with(before);
            if tag.starts_with(within) {
                let list = tag.split_once(':').map_or("", |(_, list)| list);
                uris.extend(attribute(list, "URI"));
            }
        } else if std::mem::take(&mut follows) {
            uris.push(line.to_owned());
        }
    }
    uris
}

/// Every entry of an I-frame playlist, each behind its initialisation segment.
async fn take_i_frames(http: &Http, path: &str) -> Vec<Bytes> {
    let text = http.get(path).await.expect_ok().text();
    let (mut init, mut range, mut frames) = (Bytes::new(), None, Vec::new());
    for line in text.lines() {
        if let Some(map) = line.strip_prefix("#EXT-X-MAP:") {
            let uri = attribute(map, "URI").expect("a map has an address");
            init = http.body(&playlist::resolve(path, &uri)).await;
        } else if let Some(bytes) = line.strip_prefix("#EXT-X-BYTERANGE:") {
            let (length, from) = bytes.split_once('@').expect("a range has a start");
            let (length, from): (u64, u64) = (length.parse().unwrap(), from.parse().unwrap());
            range = Some(format!("bytes={from}-{}", from + length - 1));
        } else if !line.starts_with('#')
            && let Some(range) = range.take()
        {
            let path = playlist::resolve(path, line);
            let answer = http.get_with(&path, &[("range", &range)]).await;
            assert_eq!(answer.status, 206, "{path}");
            frames.push([&init[..], &answer.body[..]].concat().into());
        }
    }
    frames
}

/// Initialisation segments, and the first segment of each Period and Representation.
fn named_by(manifest: &str, at: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for template in manifest.split("<SegmentTemplate").skip(1) {
        let value = |name: &str| manifest::values(template, name).first().copied();
        paths.extend(value("initialization").map(|init| playlist::resolve(at, init)));
        if let (Some(media), Some(number)) = (value("media"), value("startNumber")) {
            paths.push(playlist::resolve(at, &media.replace("$Number$", number)));
        }
    }
    paths
}
