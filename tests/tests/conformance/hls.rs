//! The rules of HLS.

use std::{collections::BTreeMap, panic};

use weir_media::fmp4::read;
use weir_tests::probe::{self, MediaFile};

use super::{
    Rule,
    reading::{List, Reading, State, attribute, tag},
};

/// Each takes a process of its own, so that of many only some are looked at.
const I_FRAMES_LOOKED_AT: usize = 24;

pub(crate) const RULES: &[Rule] = &[
    rule("bis 4", "hls-parser reads every playlist", |reading| {
        Some(reading.readers.hls.clone())
    }),
    rule(
        "bis 4.4.1",
        "A playlist begins with EXTM3U and has one EXT-X-VERSION",
        |reading| {
            each(reading, |list| {
                let text = &list.playlist.text;
                let versions = text.matches("#EXT-X-VERSION:").count();
                wrong_if(
                    !text.starts_with("#EXTM3U\n") || versions != 1,
                    list,
                    "head",
                )
            })
        },
    ),
    rule(
        "bis 4.4.6.2",
        "BANDWIDTH is the peak of the served segments, within 10%",
        |reading| bandwidth(reading, "BANDWIDTH", peak),
    ),
    rule(
        "bis 4.4.6.2",
        "AVERAGE-BANDWIDTH is their mean, within 10%",
        |reading| bandwidth(reading, "AVERAGE-BANDWIDTH", mean),
    ),
    rule(
        "Apple",
        "Every variant tells CODECS, RESOLUTION and FRAME-RATE",
        |reading| {
            let variants = reading.multivariant.lines();
            let variants = variants.filter(|line| line.starts_with("#EXT-X-STREAM-INF:"));
            let lacks = |line: &&str| {
                !["CODECS=", "RESOLUTION=", "FRAME-RATE="]
                    .iter()
                    .all(|name| line.contains(name))
            };
            Some(variants.filter(lacks).map(str::to_owned).collect())
        },
    ),
    rule(
        "Apple",
        "I-frame playlists are offered, and each entry decodes to one picture",
        |reading| {
            if reading.is_live() {
                return None;
            }
            let mut wrong = Vec::new();
            if reading.i_frames.is_empty() {
                wrong.push("there are none".to_owned());
            }
            let step = reading.i_frames.len().div_ceil(I_FRAMES_LOOKED_AT).max(1);
            for (n, entry) in reading.i_frames.iter().enumerate().step_by(step) {
                let pictures = pictures_of_prefix(entry);
                if pictures != 1 {
                    wrong.push(format!("entry {n} has {pictures} pictures"));
                }
            }
            Some(wrong)
        },
    ),
    rule(
        "bis 4.4.3.1",
        "EXTINF, rounded, is at most EXT-X-TARGETDURATION",
        |reading| {
            each(reading, |list| {
                let target: f64 = list.tag("EXT-X-TARGETDURATION").unwrap().parse().unwrap();
                let long = |(s, _): &&(_, _)| duration(s).round() > target;
                list.segments
                    .iter()
                    .filter(long)
                    .map(|(s, _)| about(list, s.msn))
                    .collect()
            })
        },
    ),
    rule(
        "bis 4.4.3.1",
        "All playlists have the same target duration",
        |reading| {
            same(reading, |list| {
                list.tag("EXT-X-TARGETDURATION").map(str::to_owned)
            })
        },
    ),
    rule(
        "bis 4.4.4.1",
        "EXTINF is as long as the samples are, within 1 ms",
        |reading| {
            each_segment(reading, |segment, body| {
                let timescale = if segment.path.contains("/audio/") {
                    48_000.0
                } else {
                    90_000.0
                };
                let fragments = read::fragments(body).unwrap();
                let ticks: u64 = fragments.iter().map(read::Fragment::duration).sum();
                (ticks as f64 / timescale - segment.duration).abs() < 0.001
            })
        },
    ),
    rule(
        "bis 6.2.1",
        "Segments of one number start at one time in all renditions",
        |reading| {
            let mut starts: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
            for list in &reading.lists {
                let media = list.segments.iter().map(|(segment, _)| !segment.gap);
                for ((msn, at), has_media) in starts_of(list).into_iter().zip(media) {
                    // A GAP begins where the media before it ended.
                    if has_media {
                        starts.entry(msn).or_default().push(at);
                    }
                }
            }
            let apart = |at: &Vec<i64>| at.iter().max().unwrap() - at.iter().min().unwrap();
            let wrong = starts.iter().filter(|(_, at)| apart(at) > 100);
            Some(
                wrong
                    .map(|(msn, at)| format!("segment {msn}: {at:?}"))
                    .collect(),
            )
        },
    ),
    rule(
        "bis 6.2.4",
        "Discontinuities stand at the same numbers in all renditions",
        |reading| {
            same(reading, |list| {
                let broken = list.segments.iter().filter(|(s, _)| s.discontinuity);
                Some(format!(
                    "{:?}",
                    broken.map(|(s, _)| s.msn).collect::<Vec<_>>()
                ))
            })
        },
    ),
    rule(
        "bis 6.2.1",
        "EXT-X-MEDIA-SEQUENCE never goes back",
        |reading| {
            each(reading, |list| {
                let (before, after) = (&list.playlist.parsed, &list.later.parsed);
                wrong_if(
                    after.media_sequence < before.media_sequence,
                    list,
                    "goes back",
                )
            })
        },
    ),
    rule(
        "bis 4.4.3.4",
        "EXT-X-ENDLIST stands in a recording, and not before",
        |reading| {
            let ended = reading.state == State::Recording;
            each(reading, |list| {
                wrong_if(list.playlist.ended() != ended, list, "end")
            })
        },
    ),
    rule(
        "bis 4.4.3.5",
        "EXT-X-PLAYLIST-TYPE is VOD in a recording alone",
        |reading| {
            let expected = (reading.state == State::Recording).then_some("VOD");
            each(reading, |list| {
                wrong_if(list.tag("EXT-X-PLAYLIST-TYPE") != expected, list, "type")
            })
        },
    ),
    rule(
        "bis 4.4.4.5",
        "Every segment with media has an EXT-X-MAP",
        |reading| each_segment(reading, |segment, _| segment.init.ends_with(".mp4")),
    ),
    rule(
        "bis 4.4.4.6",
        "The first segment has EXT-X-PROGRAM-DATE-TIME",
        |reading| {
            each(reading, |list| {
                let first = list.segments.first();
                let dated = first.is_some_and(|(s, _)| s.program_date_time_ms.is_some());
                wrong_if(!dated, list, "not dated")
            })
        },
    ),
    rule(
        "bis 3.1.2",
        "Segments are served as video/mp4 and audio/mp4",
        |reading| {
            each(reading, |list| {
                let expected = if list.is_video() {
                    "video/mp4"
                } else {
                    "audio/mp4"
                };
                wrong_if(
                    list.content_types.iter().any(|t| t != expected),
                    list,
                    "type",
                )
            })
        },
    ),
    rule(
        "CMAF 7.3",
        "A segment is chunks of moof and mdat, and nothing else",
        |reading| {
            each_segment(reading, |_, body| {
                let names: Vec<[u8; 4]> = read::boxes(body).map(|b| b.unwrap().name).collect();
                let chunk = |pair: &[[u8; 4]]| pair == [*b"moof", *b"mdat"];
                !names.is_empty() && names.chunks(2).all(chunk)
            })
        },
    ),
    rule(
        "CMAF 7.3",
        "Decode times follow each other without a hole within a segment",
        |reading| {
            each_segment(reading, |_, body| {
                let fragments = read::fragments(body).unwrap();
                fragments.windows(2).all(|pair| {
                    pair[0].base_media_decode_time + pair[0].duration()
                        == pair[1].base_media_decode_time
                })
            })
        },
    ),
    rule(
        "bis 4.4.2.1",
        "Every segment of video begins with an IDR picture",
        |reading| {
            each_segment(reading, |segment, body| {
                let fragments = read::fragments(body).unwrap();
                segment.path.contains("/audio/") || fragments[0].samples[0].keyframe
            })
        },
    ),
    rule(
        "bis 3.1",
        "ffmpeg decodes every rendition of video without a word",
        |reading| {
            each(reading, |list| {
                if !list.is_video() {
                    return Vec::new();
                }
                let file = MediaFile::new("rendition.mp4", &list.file);
                let path = file.path().to_owned();
                let decoded = panic::catch_unwind(|| probe::decode(&path).len());
                wrong_if(decoded.unwrap_or(0) == 0, list, "does not decode")
            })
        },
    ),
    rule(
        "bis 3.1",
        "FFmpeg 9 decodes every rendition without a word",
        |reading| {
            each(reading, |list| {
                let file = MediaFile::new("rendition.mp4", &list.file);
                let said = probe::decode_with_ffmpeg_9(file.path());
                wrong_if(!said.is_empty(), list, &said)
            })
        },
    ),
    rule(
        "CMAF 7.3",
        "mp4box reads every box, and samples as long as EXTINF",
        |reading| Some(reading.readers.mp4.clone()),
    ),
    rule(
        "bis 4.4.3.7",
        "No part is longer than PART-TARGET",
        |reading| parts(reading, |target, length, _| length <= target + 1e-9),
    ),
    rule(
        "bis 4.4.3.7",
        "No part but a segment's last is shorter than 85% of it",
        |reading| {
            parts(reading, |target, length, last| {
                last || length >= 0.85 * target - 1e-9
            })
        },
    ),
    rule(
        "bis 4.4.4.9",
        "The parts of a segment are its bytes",
        |reading| {
            live(reading, |list| {
                let differs = |(segment, body): &&(weir_tests::playlist::Segment, bytes::Bytes)| {
                    let parts = list.parts.get(&segment.path);
                    parts.is_some_and(|parts| parts[..] != body[..])
                };
                list.segments
                    .iter()
                    .filter(differs)
                    .map(|(s, _)| about(list, s.msn))
                    .collect()
            })
        },
    ),
    rule(
        "bis 4.4.3.8",
        "PART-HOLD-BACK is three PART-TARGETs or more",
        |reading| {
            live(reading, |list| {
                let hold_back = number(list, "EXT-X-SERVER-CONTROL", "PART-HOLD-BACK");
                let target = number(list, "EXT-X-PART-INF", "PART-TARGET");
                wrong_if(hold_back < 3.0 * target - 1e-9, list, "hold back")
            })
        },
    ),
    rule(
        "bis 4.4.3.8",
        "HOLD-BACK is three target durations or more, CAN-SKIP-UNTIL six",
        |reading| {
            live(reading, |list| {
                let target: f64 = list.tag("EXT-X-TARGETDURATION").unwrap().parse().unwrap();
                let hold_back = number(list, "EXT-X-SERVER-CONTROL", "HOLD-BACK");
                let skip = number(list, "EXT-X-SERVER-CONTROL", "CAN-SKIP-UNTIL");
                wrong_if(
                    hold_back < 3.0 * target || skip < 6.0 * target,
                    list,
                    "server control",
                )
            })
        },
    ),
    rule(
        "Apple",
        "Blocking reload, a preload hint and a report on each other rendition",
        |reading| {
            let others = reading.lists.len() - 1;
            live(reading, |list| {
                let text = &list.playlist.text;
                let reports = text.matches("#EXT-X-RENDITION-REPORT:").count();
                let hints = text.matches("#EXT-X-PRELOAD-HINT:TYPE=PART").count();
                let blocks = text.contains("CAN-BLOCK-RELOAD=YES");
                wrong_if(
                    !blocks || hints != 1 || reports != others,
                    list,
                    "low latency",
                )
            })
        },
    ),
];

const fn rule(
    source: &'static str,
    says: &'static str,
    check: fn(&Reading) -> Option<Vec<String>>,
) -> Rule {
    Rule {
        source,
        says,
        check,
    }
}

type Segment = weir_tests::playlist::Segment;

fn each(reading: &Reading, check: impl Fn(&List) -> Vec<String>) -> Option<Vec<String>> {
    Some(reading.lists.iter().flat_map(check).collect())
}

fn live(reading: &Reading, check: impl Fn(&List) -> Vec<String>) -> Option<Vec<String>> {
    reading.is_live().then(|| each(reading, check)).flatten()
}

/// Of the segments with media.
fn each_segment(
    reading: &Reading,
    holds: impl Fn(&Segment, &bytes::Bytes) -> bool,
) -> Option<Vec<String>> {
    each(reading, |list| {
        let media = list.segments.iter().filter(|(segment, _)| !segment.gap);
        let wrong = media.filter(|(segment, body)| !holds(segment, body));
        wrong.map(|(segment, _)| about(list, segment.msn)).collect()
    })
}

fn same(reading: &Reading, value: impl Fn(&List) -> Option<String>) -> Option<Vec<String>> {
    let values: Vec<_> = reading.lists.iter().map(value).collect();
    let differs = values.windows(2).any(|pair| pair[0] != pair[1]);
    Some(differs.then(|| format!("{values:?}")).into_iter().collect())
}

fn wrong_if(wrong: bool, list: &List, what: &str) -> Vec<String> {
    let text = || format!("{}: {what}: {}", list.rendition, list.playlist.text);
    wrong.then(text).into_iter().collect()
}

fn about(list: &List, msn: u64) -> String {
    format!("{} segment {msn}", list.rendition)
}

fn duration(segment: &Segment) -> f64 {
    segment.duration
}

fn number(list: &List, name: &str, of: &str) -> f64 {
    let value = list.tag(name).and_then(|list| attribute(list, of));
    value.and_then(|value| value.parse().ok()).unwrap_or(0.0)
}

/// Unix milliseconds at which segments start, counted on from the last one with a date.
fn starts_of(list: &List) -> Vec<(u64, i64)> {
    let mut at = 0;
    let mut starts = Vec::new();
    for (segment, _) in &list.segments {
        at = segment.program_date_time_ms.unwrap_or(at);
        starts.push((segment.msn, at));
        at += (segment.duration * 1000.0).round() as i64;
    }
    starts
}

/// Compares what each variant tells with what its served segments come to, audio included.
fn bandwidth(reading: &Reading, name: &str, of: fn(&List) -> f64) -> Option<Vec<String>> {
    let audio = reading
        .lists
        .iter()
        .find(|list| !list.is_video())
        .map_or(0.0, of);
    let mut wrong = Vec::new();
    let mut told = None;
    for line in reading.multivariant.lines() {
        if let Some(list) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            told = attribute(list, name);
        } else if let Some(told) = told.take() {
            let rendition = line.split('/').next().unwrap_or_default();
            let list = reading
                .lists
                .iter()
                .find(|list| list.rendition == rendition);
            let served = list.map_or(0.0, of) + audio;
            let told: f64 = told.parse().unwrap_or(0.0);
            if (told / served - 1.0).abs() > 0.1 {
                wrong.push(format!("{rendition}: {told} told, {served:.0} served"));
            }
        }
    }
    Some(wrong)
}

/// bis 4.4.6.2: of contiguous segments of half to one and a half target durations.
fn peak(list: &List) -> f64 {
    let mut peak = 0.0_f64;
    for first in 0..list.segments.len() {
        let (mut bits, mut seconds) = (0.0, 0.0);
        for (segment, body) in &list.segments[first..] {
            if segment.gap || seconds + segment.duration > 6.0 {
                break;
            }
            bits += body.len() as f64 * 8.0;
            seconds += segment.duration;
            if seconds > 1.998 {
                peak = peak.max(bits / seconds);
            }
        }
    }
    peak
}

fn mean(list: &List) -> f64 {
    let media = || list.segments.iter().filter(|(segment, _)| !segment.gap);
    let bits: f64 = media().map(|(_, body)| body.len() as f64 * 8.0).sum();
    bits / media().map(|(segment, _)| segment.duration).sum::<f64>()
}

/// `holds` is asked with PART-TARGET, a part's length, and whether it is its segment's last.
fn parts(reading: &Reading, holds: fn(f64, f64, bool) -> bool) -> Option<Vec<String>> {
    live(reading, |list| {
        let inf = tag(&list.playlist.text, "EXT-X-PART-INF").unwrap_or_default();
        let target: f64 = attribute(inf, "PART-TARGET").unwrap().parse().unwrap();
        let lines: Vec<&str> = list.playlist.text.lines().collect();
        let mut wrong = Vec::new();
        for (i, line) in lines.iter().enumerate() {
            let Some(part) = line.strip_prefix("#EXT-X-PART:") else {
                continue;
            };
            let length: f64 = attribute(part, "DURATION").unwrap().parse().unwrap();
            // What an encoder was killed over is followed by parts without media, if by any.
            let next = lines.get(i + 1).copied().unwrap_or_default();
            let last = !next.starts_with("#EXT-X-PART:") || next.contains("GAP=YES");
            if !part.contains("GAP=YES") && !holds(target, length, last) {
                wrong.push(format!("{}: {part}, then {next}", list.rendition));
            }
        }
        wrong
    })
}

/// How many pictures ffmpeg finds in an initialisation segment and the beginning of a segment. What
/// the rest of the `moof` tells of is not there, of which it complains.
fn pictures_of_prefix(entry: &[u8]) -> usize {
    let file = MediaFile::new("entry.mp4", entry);
    let mut ffmpeg = std::process::Command::new("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "fatal", "-i"])
        .arg(file.path());
    ffmpeg.args([
        "-map",
        "0:v:0",
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ]);
    let output = ffmpeg.output().expect("ffmpeg runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter(|line| !line.starts_with('#')).count()
}
