//! An LL-HLS origin on a virtual clock: 2 s segments of six parts, the way `weir-media` packages.

use std::fmt::Write;

pub(crate) const SEGMENT_MS: u64 = 2000;
pub(crate) const PARTS: u64 = 6;
/// Segments kept in a live playlist.
const WINDOW: u64 = 30;

/// One rendition and its faults.
pub(crate) struct Rendition {
    pub(crate) name: &'static str,
    pub(crate) bits_per_s: u64,
    /// How long after the fact its parts are there, in ms.
    pub(crate) lag_ms: u64,
    /// Segments that are missing.
    pub(crate) gaps: Vec<u64>,
}

/// What sound there is to choose from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sounds {
    One,
    /// `audio` in English, `audio-2` in French.
    Languages,
    /// `audio` in AAC, `opus` in Opus.
    Codecs,
}

/// A video from its first segment on.
pub(crate) struct Origin {
    /// When segment 0 begins.
    pub(crate) start_ms: u64,
    pub(crate) renditions: Vec<Rendition>,
    /// How the pictures of the best rendition are coded.
    pub(crate) source_codec: &'static str,
    pub(crate) sounds: Sounds,
    /// At this segment a new epoch begins: media time starts again.
    pub(crate) epoch_at: Option<u64>,
    /// The number of segments there will ever be.
    pub(crate) ends_at: Option<u64>,
    pub(crate) recorded: bool,
    /// From then on playlists tell nothing new.
    pub(crate) stuck_at: Option<u64>,
    /// Renditions that this holds for; all, if there are none.
    pub(crate) stuck: Vec<&'static str>,
    /// Whether it counts from the beginning again, so that viewers ask for what is far ahead.
    pub(crate) restarted: bool,
    /// Playlists without dates.
    pub(crate) undated: bool,
    /// Playlists without parts, of a server that does not block.
    pub(crate) plain: bool,
    /// Segments of a live playlist.
    pub(crate) window: u64,
    /// From this segment on the source is coded otherwise, under the same epoch's numbers.
    pub(crate) recoded_at: Option<(u64, &'static str)>,
    /// Media of these segments are shorter or longer by this many ms than is told.
    pub(crate) misfits: Vec<(u64, i64)>,
    pub(crate) skips_served: u32,
}

/// What an address leads to.
#[derive(Debug)]
pub(crate) enum Answer {
    Text(String),
    /// The coding of an initialisation segment.
    Init(&'static str),
    Media(Media),
    /// Ask again at this time.
    Wait(u64),
    Status(u16),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Media {
    /// When its first frame was due, in Unix ms.
    pub(crate) date_ms: u64,
    /// The same on the epoch's media timeline.
    pub(crate) decode_ms: u64,
    pub(crate) duration_ms: u64,
    pub(crate) bytes: u64,
}

impl Origin {
    pub(crate) fn live(start_ms: u64) -> Self {
        let rendition = |name, bits_per_s, lag_ms| Rendition {
            name,
            bits_per_s,
            lag_ms,
            gaps: vec![],
        };
        Self {
            start_ms,
            renditions: vec![
                rendition("source", 3_000_000, 30),
                rendition("480p", 900_000, 120),
                rendition("audio", 128_000, 30),
                rendition("audio-2", 128_000, 30),
                rendition("opus", 96_000, 30),
            ],
            source_codec: "avc1.64001f",
            sounds: Sounds::One,
            epoch_at: None,
            ends_at: None,
            recorded: false,
            stuck_at: None,
            stuck: vec![],
            restarted: false,
            undated: false,
            plain: false,
            window: WINDOW,
            recoded_at: None,
            misfits: vec![],
            skips_served: 0,
        }
    }

    pub(crate) fn rendition(&mut self, name: &str) -> &mut Rendition {
        self.renditions.iter_mut().find(|r| r.name == name).unwrap()
    }

    /// Makes segments missing everywhere.
    pub(crate) fn away(&mut self, msns: std::ops::Range<u64>) {
        self.renditions
            .iter_mut()
            .for_each(|r| r.gaps.extend(msns.clone()));
    }

    /// Answers a request that comes at `now`.
    pub(crate) fn answer(&mut self, now: u64, url: &str) -> Answer {
        let path = url
            .strip_prefix("http://h/v/o/")
            .unwrap_or_else(|| panic!("{url}"));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let names: Vec<&str> = path.split('/').collect();
        match names[..] {
            _ if now < self.start_ms => Answer::Status(404),
            ["index.m3u8"] => Answer::Text(self.multivariant()),
            [rendition, "index.m3u8"] => self.playlist(now, rendition, query),
            [_, rendition, file] => self.media(now, rendition, file),
            _ => panic!("{url}"),
        }
    }

    fn multivariant(&self) -> String {
        let mut text = String::from("#EXTM3U\n");
        let mut media = |group: &str, rest: &str, uri: &str| {
            let _ = writeln!(
                text,
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",{rest},URI=\"{uri}/index.m3u8\""
            );
        };
        let mut groups = vec![("a", "mp4a.40.2")];
        match self.sounds {
            Sounds::One => media("a", "NAME=\"A\",DEFAULT=YES", "audio"),
            Sounds::Languages => {
                let english = "NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES";
                media("a", english, "audio");
                let french = "NAME=\"Français\",LANGUAGE=\"fr-CA\",DEFAULT=NO";
                media("a", french, "audio-2");
            }
            Sounds::Codecs => {
                media("a", "NAME=\"A\",DEFAULT=YES", "audio");
                media("o", "NAME=\"A\",DEFAULT=YES", "opus");
                groups.push(("o", "Opus"));
            }
        }
        for (group, sound) in groups {
            for (uri, codec, bits, size) in [
                ("source", self.source_codec, 3_128_000, "1280x720"),
                ("480p", "avc1.64001e", 1_028_000, "854x480"),
            ] {
                let _ = writeln!(
                    text,
                    "#EXT-X-STREAM-INF:BANDWIDTH={bits},CODECS=\"{codec},{sound}\",\
                     RESOLUTION={size},AUDIO=\"{group}\"\n{uri}/index.m3u8"
                );
            }
        }
        text
    }

    /// How an initialisation segment of this name is coded.
    fn coding(&self, name: &str, file: &str) -> &'static str {
        match (name, self.recoded_at) {
            ("source", Some((_, coding))) if file == "init-1.mp4" => coding,
            ("source", _) => &self.source_codec[..4],
            ("480p", _) => "avc1",
            ("opus", _) => "Opus",
            _ => "mp4a",
        }
    }

    fn epoch(&self, msn: u64) -> u64 {
        u64::from(self.epoch_at.is_some_and(|at| msn >= at))
    }

    fn segment_ms(&self, msn: u64) -> u64 {
        self.start_ms + msn * SEGMENT_MS
    }

    /// How many segments are complete, and how many parts of the next.
    fn edge(&self, now: u64, rendition: &Rendition) -> (u64, u64) {
        let since = now.saturating_sub(self.start_ms + rendition.lag_ms);
        let (segments, into) = (since / SEGMENT_MS, since % SEGMENT_MS);
        match self.ends_at {
            Some(end) if segments >= end => (end, 0),
            _ if rendition.gaps.contains(&segments) => (segments, 0),
            _ => (segments, into * PARTS / SEGMENT_MS),
        }
    }

    fn playlist(&mut self, now: u64, name: &str, query: &str) -> Answer {
        let rendition = self.renditions.iter().find(|r| r.name == name).unwrap();
        let stuck = self.stuck.is_empty() || self.stuck.contains(&name);
        let stuck_at = self.stuck_at.filter(|at| stuck && now > *at);
        let (segments, parts) = self.edge(stuck_at.unwrap_or(now), rendition);
        let ended = self.recorded || self.ends_at == Some(segments);
        let directive = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name));
            value.map(|value| value.parse::<u64>().unwrap())
        };
        if let Some(msn) = directive("_HLS_msn=").filter(|_| !ended) {
            let part = directive("_HLS_part=").unwrap_or(PARTS - 1);
            let far_ahead = msn > segments + 2;
            assert!(
                !far_ahead || self.restarted,
                "too far ahead: {query} at {segments}.{parts}"
            );
            if far_ahead {
                return Answer::Status(400);
            }
            let (msn, part) = if part >= PARTS {
                (msn + 1, 0)
            } else {
                (msn, part)
            };
            if (msn, part + 1) > (segments, parts) {
                let given_up = stuck_at.is_some_and(|at| (now - at) % 12_000 < 5);
                return match given_up {
                    // The way servers give up after three target durations.
                    true => Answer::Status(503),
                    false => Answer::Wait(now + 5),
                };
            }
        } else if segments == 0 && parts == 0 {
            return Answer::Status(404);
        }
        let first = if self.recorded {
            0
        } else {
            segments.saturating_sub(self.window)
        };
        let skipped = segments.saturating_sub(12).saturating_sub(first);
        let skip = query.contains("_HLS_skip=YES") && !ended && skipped > 0;
        let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:4\n");
        if !self.plain {
            text += "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24,PART-HOLD-BACK=1.05\n";
            text += "#EXT-X-PART-INF:PART-TARGET=0.35\n";
        }
        writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{first}").unwrap();
        writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.epoch(first)).unwrap();
        let mut from = first;
        if skip {
            writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}").unwrap();
            from += skipped;
        }
        for msn in from..=segments {
            let open = msn == segments;
            let listed = if open { parts } else { PARTS };
            if open && (listed == 0 || self.plain) {
                break;
            }
            let epoch = self.epoch(msn);
            let recoded = self
                .recoded_at
                .filter(|(at, _)| msn >= *at && name == "source");
            let begins = msn > first
                && (Some(msn) == self.epoch_at || recoded.is_some_and(|(at, _)| msn == at));
            if begins {
                text += "#EXT-X-DISCONTINUITY\n";
            }
            if begins || msn == first {
                let number = u64::from(recoded.is_some());
                writeln!(
                    text,
                    "#EXT-X-MAP:URI=\"../{epoch}/{name}/init-{number}.mp4\""
                )
                .unwrap();
            }
            if !self.undated {
                let date = rfc3339(self.segment_ms(msn));
                writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{date}").unwrap();
            }
            let gap = rendition.gaps.contains(&msn);
            if msn + 4 > segments && !gap && !self.recorded && !self.plain {
                for part in 0..listed {
                    let independent = if part == 0 || name == "audio" {
                        ",INDEPENDENT=YES"
                    } else {
                        ""
                    };
                    writeln!(
                        text,
                        "#EXT-X-PART:DURATION=0.33333,URI=\"../{epoch}/{name}/{msn}.{part}.m4s\"{independent}"
                    )
                    .unwrap();
                }
            }
            if !open {
                let gap = if gap { "#EXT-X-GAP\n" } else { "" };
                writeln!(text, "#EXTINF:2.00000,\n{gap}../{epoch}/{name}/{msn}.m4s").unwrap();
            }
        }
        if ended {
            text += "#EXT-X-ENDLIST\n";
        } else if !self.plain {
            let epoch = self.epoch(segments);
            writeln!(
                text,
                "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"../{epoch}/{name}/{segments}.{parts}.m4s\""
            )
            .unwrap();
            for other in self.renditions.iter().filter(|other| other.name != name) {
                let (msn, parts) = self.edge(now, other);
                let (msn, part) = if parts > 0 {
                    (msn, parts - 1)
                } else {
                    (msn.max(1) - 1, PARTS - 1)
                };
                writeln!(
                    text,
                    "#EXT-X-RENDITION-REPORT:URI=\"../{}/index.m3u8\",LAST-MSN={msn},LAST-PART={part}",
                    other.name
                )
                .unwrap();
            }
        }
        self.skips_served += u32::from(skip);
        Answer::Text(text)
    }

    fn media(&self, now: u64, name: &str, file: &str) -> Answer {
        if file.starts_with("init-") {
            return Answer::Init(self.coding(name, file));
        }
        let rendition = self.renditions.iter().find(|r| r.name == name).unwrap();
        let file = file.strip_suffix(".m4s").unwrap();
        let (msn, part) = file
            .split_once('.')
            .map_or((file, None), |(msn, part)| (msn, Some(part)));
        let msn: u64 = msn.parse().unwrap();
        let part: Option<u64> = part.map(|part| part.parse().unwrap());
        if rendition.gaps.contains(&msn) || self.ends_at.is_some_and(|end| msn >= end) {
            return Answer::Status(404);
        }
        let edge = self.edge(now, rendition);
        let there = part.map_or(msn < edge.0, |part| (msn, part + 1) <= edge);
        if !there {
            return Answer::Wait(now + 5);
        }
        let (from, to) = match part {
            Some(part) => (part * SEGMENT_MS / PARTS, (part + 1) * SEGMENT_MS / PARTS),
            None => (0, SEGMENT_MS),
        };
        let misfit = self
            .misfits
            .iter()
            .find(|(of, _)| *of == msn && part.is_none());
        let misfit_ms = misfit.map_or(0, |(_, ms)| *ms);
        let epoch_start = self.epoch_at.filter(|at| msn >= *at).unwrap_or(0);
        Answer::Media(Media {
            date_ms: self.segment_ms(msn) + from,
            decode_ms: (msn - epoch_start) * SEGMENT_MS + from,
            duration_ms: (to - from).saturating_add_signed(misfit_ms),
            bytes: rendition.bits_per_s * (to - from) / 8000,
        })
    }
}

/// The simulation plays on the first day of 2026.
pub(crate) const DAY_MS: u64 = 1_767_225_600_000;

fn rfc3339(ms: u64) -> String {
    let of_day = ms - DAY_MS;
    let (s, ms) = (of_day / 1000, of_day % 1000);
    format!(
        "2026-01-01T{:02}:{:02}:{:02}.{ms:03}Z",
        s / 3600,
        s / 60 % 60,
        s % 60
    )
}
