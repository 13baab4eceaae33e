//! A reader of live media playlists, apart from the writer.

use std::collections::BTreeMap;

/// A media playlist as a player reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Playlist {
    pub(crate) media_sequence: u64,
    pub(crate) discontinuity_sequence: u64,
    pub(crate) part_target: f64,
    pub(crate) skipped: u64,
    pub(crate) segments: Vec<Segment>,
    /// Parts of the segment that grows.
    pub(crate) open: Segment,
    pub(crate) hint: Option<String>,
    /// URI, LAST-MSN, LAST-PART.
    pub(crate) reports: Vec<(String, u64, Option<u64>)>,
    pub(crate) ended: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Segment {
    pub(crate) msn: u64,
    pub(crate) uri: String,
    pub(crate) duration: f64,
    pub(crate) gap: bool,
    pub(crate) discontinuity: bool,
    /// The `EXT-X-MAP` that holds for it.
    pub(crate) map: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) uri: String,
    pub(crate) duration: f64,
    pub(crate) independent: bool,
    pub(crate) gap: bool,
}

impl Playlist {
    pub(crate) fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"), "{text}");
        let mut playlist = Self::default();
        let mut segment = Segment::default();
        for line in lines {
            assert!(!playlist.ended, "something follows EXT-X-ENDLIST: {text}");
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            let attributes = attributes(value);
            let attribute = |name: &str| attributes.get(name).cloned();
            let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("{line}"));
            match tag {
                "#EXT-X-VERSION" => assert_eq!(value, "9"),
                "#EXT-X-TARGETDURATION" => assert_eq!(value, "4"),
                "#EXT-X-SERVER-CONTROL" => {
                    assert_eq!(attribute("CAN-BLOCK-RELOAD").unwrap(), "YES");
                }
                "#EXT-X-PART-INF" => {
                    playlist.part_target = attribute("PART-TARGET").unwrap().parse().unwrap();
                }
                "#EXT-X-MEDIA-SEQUENCE" => playlist.media_sequence = number(),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => playlist.discontinuity_sequence = number(),
                "#EXT-X-SKIP" => {
                    playlist.skipped = attribute("SKIPPED-SEGMENTS").unwrap().parse().unwrap();
                }
                "#EXT-X-DISCONTINUITY" => segment.discontinuity = true,
                "#EXT-X-MAP" => segment.map = attribute("URI"),
                "#EXT-X-PROGRAM-DATE-TIME" => segment.date = Some(value.to_owned()),
                "#EXT-X-GAP" => segment.gap = true,
                "#EXT-X-PART" => segment.parts.push(Part {
                    uri: attribute("URI").unwrap(),
                    duration: attribute("DURATION").unwrap().parse().unwrap(),
                    independent: attribute("INDEPENDENT").is_some(),
                    gap: attribute("GAP").is_some(),
                }),
                "#EXTINF" => segment.duration = value.trim_end_matches(',').parse().unwrap(),
                "#EXT-X-PRELOAD-HINT" => playlist.hint = attribute("URI"),
                "#EXT-X-RENDITION-REPORT" => playlist.reports.push((
                    attribute("URI").unwrap(),
                    attribute("LAST-MSN").unwrap().parse().unwrap(),
                    attribute("LAST-PART").map(|part| part.parse().unwrap()),
                )),
                "#EXT-X-ENDLIST" => playlist.ended = true,
                _ if tag.starts_with('#') => panic!("unknown tag: {line}"),
                _ => {
                    segment.uri = line.to_owned();
                    segment.msn =
                        playlist.media_sequence + playlist.skipped + playlist.segments.len() as u64;
                    playlist.segments.push(std::mem::take(&mut segment));
                }
            }
        }
        playlist.open = segment;
        playlist.carry_maps(None);
        playlist
    }

    /// What a player makes of this delta update and the playlist that it had.
    pub(crate) fn applied_to(mut self, old: &Self) -> Self {
        let from = (self.media_sequence - old.media_sequence) as usize;
        let mut segments: Vec<Segment> = old.segments[from..][..self.skipped as usize].to_vec();
        let map = segments.last().and_then(|segment| segment.map.clone());
        segments.append(&mut self.segments);
        let mut applied = Self {
            segments,
            skipped: 0,
            ..self
        };
        applied.carry_maps(map);
        applied
    }

    /// Gives each segment the `EXT-X-MAP` that holds for it, `map` for the first ones.
    fn carry_maps(&mut self, mut map: Option<String>) {
        for segment in self.segments.iter_mut().chain([&mut self.open]) {
            segment.map = segment.map.take().or(map);
            map = segment.map.clone();
        }
    }
}

fn attributes(list: &str) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    let mut rest = list;
    while let Some((name, value)) = rest.split_once('=') {
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').unwrap();
                (value, after.strip_prefix(',').unwrap_or(after))
            }
            None => value.split_once(',').unwrap_or((value, "")),
        };
        attributes.insert(name.to_owned(), value.to_owned());
        rest = after;
    }
    attributes
}
