//! The player with what other people's servers send, on a virtual clock: which requests follow from
//! it, and where the media is put.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use weir_player_wasm::{Body, Command, Config, Phase, Player, RequestId, Transfer};

const SHAKA_TIMES: &str = include_str!("manifests/shaka-times.mpd");
const SHAKA_INDEXED: &str = include_str!("manifests/shaka-indexed.mpd");
const SHAKA_ENCRYPTED: &str = include_str!("manifests/shaka-encrypted.mpd");
const START: u64 = 1_795_000_000_000;

/// A player and what it has asked for.
struct Page {
    now: u64,
    player: Player,
    asked: Vec<(RequestId, String, Body)>,
    others: Vec<Command>,
}

impl Page {
    fn open(url: &str) -> Self {
        let config = Config {
            url: url.to_owned(),
            ..Config::default()
        };
        let mut page = Self {
            now: START,
            player: Player::new(START, config),
            asked: Vec::new(),
            others: Vec::new(),
        };
        page.settle();
        page
    }

    fn settle(&mut self) {
        while let Some(command) = self.player.poll_command() {
            match command {
                Command::Fetch { id, url, body } => self.asked.push((id, url, body)),
                Command::Abort { id } => self.asked.retain(|(asked, ..)| *asked != id),
                other => self.others.push(other),
            }
        }
    }

    /// Takes the request for the URL that ends like this.
    fn take(&mut self, ending: &str) -> (RequestId, String) {
        let at = self
            .asked
            .iter()
            .position(|(_, url, _)| url.ends_with(ending));
        let at = at.unwrap_or_else(|| panic!("{ending} was not asked for: {:?}", self.asked));
        let (id, url, _) = self.asked.remove(at);
        (id, url)
    }

    fn text(&mut self, ending: &str, text: &str) {
        let (id, _) = self.take(ending);
        self.player.text(self.now, id, text);
        self.settle();
    }

    fn bytes(&mut self, ending: &str, bytes: &[u8]) {
        let (id, _) = self.take(ending);
        self.player.bytes_came(self.now, id, bytes);
        self.settle();
    }

    /// A body comes in whole.
    fn body(&mut self, ending: &str) {
        let (id, _) = self.take(ending);
        assert!(self.player.head(id, &[]));
        self.player.completed(self.now, id, Transfer::default());
        self.settle();
    }

    fn at(&mut self, ms: u64) {
        self.now = START + ms;
        self.player.handle_timeout(self.now);
        self.settle();
    }

    fn urls(&self) -> Vec<&str> {
        self.asked.iter().map(|(_, url, _)| url.as_str()).collect()
    }

    /// MIME types of the SourceBuffers.
    fn opened(&self) -> Option<(&str, Option<&str>)> {
        self.others.iter().find_map(|command| match command {
            Command::Open { video, audio } => Some((video.as_str(), audio.as_deref())),
            _ => None,
        })
    }

    fn offsets(&self) -> Vec<f64> {
        let offset = |command: &Command| match command {
            Command::Offset { seconds, .. } => Some(*seconds),
            _ => None,
        };
        self.others.iter().filter_map(offset).collect()
    }
}

#[test]
fn plays_a_manifest_to_its_end() {
    let mut page = Page::open("http://h/v/manifest.mpd");
    page.text("manifest.mpd", SHAKA_TIMES);
    let (video, audio) = page.opened().unwrap();
    assert!(
        video.starts_with("video/mp4; codecs=\"avc1.4d40"),
        "{video}"
    );
    assert_eq!(audio, Some("audio/mp4; codecs=\"mp4a.40.2\""));
    let names: Vec<_> = page
        .player
        .renditions()
        .map(|(name, height, _)| (name.to_owned(), height))
        .collect();
    assert_eq!(
        names,
        [("0".to_owned(), Some(180)), ("1".to_owned(), Some(360))]
    );
    let languages: Vec<_> = page
        .player
        .sounds()
        .iter()
        .map(|sound| sound.name.clone())
        .collect();
    assert_eq!(languages, ["en", "fr"]);
    let (start, end) = page.player.window_s().unwrap();
    assert!(start == 0.0 && (end - 12.0).abs() < 1e-9, "{end}");
    let folder = if page.urls().iter().any(|url| url.contains("v360")) {
        "v360"
    } else {
        "v180"
    };
    page.body(&format!("{folder}/init.mp4"));
    page.body("aen/init.mp4");
    for k in 0..6 {
        page.body(&format!("/{}.m4s", 25_600 * k));
    }
    for time in [0, 96_256, 192_512, 288_768, 384_000, 480_256] {
        page.body(&format!("aen/{time}.m4s"));
    }
    assert_eq!(page.offsets(), [0.0, 0.0]);
    assert!(page.others.contains(&Command::EndOfStream));
    assert!(page.asked.is_empty(), "{:?}", page.asked);
}

#[test]
fn reads_the_index_before_the_media() {
    let mut page = Page::open("http://h/v/manifest.mpd");
    page.text("manifest.mpd", SHAKA_INDEXED);
    assert!(
        page.asked.iter().all(|(.., body)| *body == Body::Bytes),
        "{:?}",
        page.asked
    );
    let mut sidx = b"\0\0\0\x38sidx\0\0\0\0\0\0\0\x01\0\0\x32\0\0\0\0\0\0\0\0\0\0\0\0\x02".to_vec();
    for _ in 0..2 {
        sidx.extend(b"\0\0\0\x64\0\0\x64\0\x90\0\0\0");
    }
    let (picture, first) = match page.urls().iter().any(|url| url.contains("v360")) {
        true => ("v360.mp4#bytes=870-973", "v360.mp4#bytes=974-1073"),
        false => ("v180.mp4#bytes=871-974", "v180.mp4#bytes=975-1074"),
    };
    page.bytes(picture, &sidx);
    page.bytes("aen.mp4#bytes=833-936", &sidx);
    page.body("aen.mp4#bytes=0-832");
    page.body(first);
    page.body("aen.mp4#bytes=937-1036");
}

/// Segments of two seconds since the Unix epoch that grow in chunks of half a second.
const GROWING: &str = r#"<MPD type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z" minimumUpdatePeriod="PT2S" timeShiftBufferDepth="PT20S">
<ServiceDescription><Latency target="2000"/></ServiceDescription>
<Period id="1" start="PT0S"><AdaptationSet mimeType="video/mp4"><SegmentTemplate duration="2" startNumber="0" initialization="i" media="$Number$.m4s" availabilityTimeOffset="1.5" availabilityTimeComplete="false"/>
<Representation id="source" bandwidth="3000000" codecs="avc1.64001f"/></AdaptationSet></Period>
<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-xsdate:2014" value="http://h/time"/></MPD>"#;

#[test]
fn fetches_a_segment_that_grows_by_the_servers_clock() {
    let mut page = Page::open("http://h/v/manifest.mpd");
    page.text("manifest.mpd", GROWING);
    // Nothing says that the viewer's clock is right, and it is an hour fast.
    assert_eq!(page.urls(), ["http://h/time"]);
    page.at(100);
    page.text("time", "2026-11-18T10:06:40.600Z");
    // The one in which the server is can be fetched, and playing begins two seconds before now.
    let newest = (START / 1000 - 3600) / 2;
    let first = newest - 1;
    assert!(
        page.urls().contains(&&*format!("http://h/v/{first}.m4s")),
        "{:?}",
        page.asked
    );
    page.body("/i");
    page.body(&format!("/{first}.m4s"));
    assert_eq!(page.offsets().len(), 1);
    page.body(&format!("/{newest}.m4s"));
    // The next begins at 42 s, and is there half a second later.
    page.at(1900);
    assert!(
        !page.urls().iter().any(|url| url.ends_with(".m4s")),
        "{:?}",
        page.asked
    );
    page.at(2300);
    page.take(&format!("/{}.m4s", newest + 1));
    page.text("manifest.mpd", GROWING);
    assert!(page.player.is_live());
}

const MEDIA: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MAP:URI=\"film.mp4\",BYTERANGE=\"10@0\"\n\
    #EXTINF:6,\n#EXT-X-BYTERANGE:100@10\nfilm.mp4\n#EXTINF:6,\n#EXT-X-BYTERANGE:50\nfilm.mp4\n";

#[test]
fn learns_the_codec_of_a_media_playlist_alone() {
    let mut page = Page::open("http://h/v/index.m3u8?q=/x");
    page.text("q=/x", &[MEDIA, "#EXT-X-ENDLIST\n"].concat());
    assert_eq!(page.opened(), None);
    assert_eq!(page.urls(), ["http://h/v/film.mp4#bytes=0-9"]);
    page.bytes("#bytes=0-9", &init(b"Opus"));
    assert_eq!(page.opened(), Some(("video/mp4; codecs=\"Opus\"", None)));
    page.body("#bytes=0-9");
    page.body("#bytes=10-109");
    page.body("#bytes=110-159");
    assert!(page.others.contains(&Command::EndOfStream));
}

#[test]
fn begins_where_the_stream_wants() {
    let check = |start: &str, first: &str| {
        let mut page = Page::open("http://h/index.m3u8");
        let playlist = MEDIA.replace(
            "#EXT-X-MAP",
            &format!("#EXT-X-START:TIME-OFFSET={start}\n#EXT-X-MAP"),
        );
        page.text("index.m3u8", &[&playlist, "#EXT-X-ENDLIST\n"].concat());
        page.bytes("#bytes=0-9", &init(b"Opus"));
        page.take(first);
    };
    check("1.5", "#bytes=10-109");
    check("7", "#bytes=110-159");
    check("-2.5", "#bytes=110-159");
    check("-99", "#bytes=10-109");
}

#[test]
fn resolves_by_where_an_answer_came_from() {
    let mut page = Page::open("http://h/short");
    let (id, _) = page.take("short");
    page.player
        .redirected(id, "https://cdn/a/b/master.m3u8".to_owned());
    let text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.1\"\n../c/index.m3u8\n";
    page.player.text(page.now, id, text);
    page.settle();
    let (id, url) = page.take("index.m3u8");
    assert_eq!(url, "https://cdn/a/c/index.m3u8");
    page.player
        .redirected(id, "https://other/d/index.m3u8".to_owned());
    page.player
        .text(page.now, id, &[MEDIA, "#EXT-X-ENDLIST\n"].concat());
    page.settle();
    assert!(
        page.urls()
            .contains(&"https://other/d/film.mp4#bytes=10-109"),
        "{:?}",
        page.asked
    );
}

#[test]
fn says_what_it_cannot_play() {
    let check = |texts: &[&str], what: &str| {
        let mut page = Page::open("http://h/first");
        for (text, ending) in texts.iter().zip(["first", "second"]) {
            page.text(ending, text);
        }
        assert_eq!(
            (page.player.phase(), page.player.refused()),
            (Phase::Unplayable, Some(what))
        );
        page.at(60_000);
        assert!(page.asked.is_empty(), "{:?}", page.asked);
    };
    let variant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nsecond\n";
    let ts = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n0.ts\n";
    check(&[ts], "MPEG-TS or packed audio");
    check(&[variant, ts], "MPEG-TS or packed audio");
    let locked = MEDIA.replace("#EXTINF", "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n#EXTINF");
    check(&[variant, &locked], "encrypted media (EXT-X-KEY)");
    check(&[SHAKA_ENCRYPTED], "encrypted media (ContentProtection)");
}

/// An initialisation segment with one track of sound.
fn init(kind: &[u8; 4]) -> Vec<u8> {
    let boxed = |kind: &[u8; 4], payload: &[u8]| {
        let size = (payload.len() as u32 + 8).to_be_bytes();
        [&size[..], kind, payload].concat()
    };
    let stsd = [vec![0, 0, 0, 0, 0, 0, 0, 1], boxed(kind, &[0; 28])].concat();
    let stbl = boxed(b"stbl", &boxed(b"stsd", &stsd));
    let mdhd = boxed(
        b"mdhd",
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbb, 0x80],
    );
    let mdia = boxed(b"mdia", &[mdhd, boxed(b"minf", &stbl)].concat());
    boxed(b"moov", &boxed(b"trak", &mdia))
}
