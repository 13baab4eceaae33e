//! What an origin pays for each form of a live playlist: rendering it under the broadcast's lock, and
//! compressing it once for each encoding.

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::Result;
use weir_media::{
    hls::{LivePlaylist, live::Report},
    record::{PartRecord, SegmentRecord},
};
use weir_model::{Epoch, Msn, PartIndex, RenditionId, Skip, WallTime};
use weir_origin::http::forms::encoding::Encoding;

use crate::report::{self, Row, median};

/// A live window of 60 s in segments of 2 s, of 6 parts each.
const SEGMENTS: u64 = 30;
const PARTS: u32 = 6;
const FIRST: u64 = 40_000;

/// Runs the benchmark and publishes its rows.
pub(crate) fn run(rounds: usize) -> Result<()> {
    let renditions = ["source", "720p", "480p", "240p", "audio"];
    let renditions: Vec<RenditionId> = renditions
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_, _>>()?;
    let complete: Vec<SegmentRecord> = (0..SEGMENTS)
        .map(|n| segment(renditions[0], FIRST + n, PARTS))
        .collect();
    let open = segment(renditions[0], FIRST + SEGMENTS, PARTS / 2);
    let playlist = || LivePlaylist {
        rendition: renditions[0],
        part_target: 0.35,
        media_sequence: Msn(FIRST),
        discontinuity_sequence: 0,
        segments: complete.iter().collect(),
        open: Some(&open),
        hint: Some((Epoch(1), open.msn, PartIndex(PARTS / 2))),
        reports: renditions[1..]
            .iter()
            .map(|other| Report {
                rendition: *other,
                msn: open.msn,
                part: Some(PartIndex(PARTS / 2 - 1)),
            })
            .collect(),
        ended: false,
    };
    let mut rows = Vec::new();
    for (case, skip) in [("live playlist", Skip::No), ("delta update", Skip::Yes)] {
        let text = playlist().render(skip);
        let mut row = |metric, unit, ours| {
            rows.push(Row {
                case: case.to_owned(),
                metric,
                unit,
                ours,
                peers: BTreeMap::new(),
            });
        };
        let rendering = micros(rounds, || playlist().render(skip).len());
        row("rendering", "µs", rendering);
        row("as it is", "bytes", text.len() as f64);
        for (encoding, takes, comes_to) in [
            (Encoding::Gzip, "compressing, gzip", "gzip"),
            (Encoding::Brotli, "compressing, br", "br"),
        ] {
            let length = || {
                encoding
                    .encode(text.as_bytes())
                    .map_or(0, |coded| coded.len())
            };
            row(takes, "µs", micros(rounds, length));
            row(comes_to, "bytes", length() as f64);
        }
    }
    report::publish("forms", &rows)
}

/// What `work` takes: the median of some rounds of 50 ms.
fn micros(rounds: usize, work: impl Fn() -> usize) -> f64 {
    const ROUND: Duration = Duration::from_millis(50);
    let round = |_| {
        let (began, mut times) = (Instant::now(), 0_u32);
        while began.elapsed() < ROUND {
            black_box(work());
            times += 1;
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(times)
    };
    median((0..rounds).map(round).collect())
}

fn segment(rendition: RenditionId, msn: u64, parts: u32) -> SegmentRecord {
    const PART_TICKS: u32 = 30_000;
    let part = |n| PartRecord {
        duration: PART_TICKS,
        bytes: 125_000,
        independent: n == 0,
        gap: false,
    };
    let duration = u64::from(parts * PART_TICKS);
    SegmentRecord {
        epoch: Epoch(1),
        rendition,
        msn: Msn(msn),
        init: 0,
        timescale: 90_000,
        start: msn * u64::from(PARTS * PART_TICKS),
        composition_offset: 0,
        duration,
        pdt: WallTime(1_795_367_096_000 + 2000 * msn),
        bytes: 125_000 * u64::from(parts),
        units: 8 * parts,
        first_unit_end: 40_000,
        gap: false,
        discontinuity: false,
        independent: true,
        parts: (0..parts).map(part).collect(),
    }
}
