//! The live media playlist.

use std::fmt::Write;

use weir_model::{Epoch, Msn, PartIndex, RenditionId, Resource, Skip};

use super::{
    TARGET_DURATION_S,
    text::{self, MapState},
};
use crate::record::SegmentRecord;

/// Declared `CAN-SKIP-UNTIL` in seconds: six target durations, the least that is allowed.
pub const SKIP_BOUNDARY_S: f64 = 6.0 * TARGET_DURATION_S as f64;

/// For how long before the end of the playlist parts stay listed: three target durations. They
/// go a segment at a time, before the first of them is too far away.
pub const PARTS_LISTED_S: f64 = 3.0 * TARGET_DURATION_S as f64;

/// One state of a live media playlist.
#[derive(Clone, Debug)]
pub struct LivePlaylist<'a> {
    /// Whose playlist.
    pub rendition: RenditionId,
    /// Declared PART-TARGET in seconds.
    pub part_target: f64,
    /// msn of the first segment listed, or that would be.
    pub media_sequence: Msn,
    /// Discontinuities before the first segment listed.
    pub discontinuity_sequence: u64,
    /// The complete segments listed, oldest first.
    pub segments: Vec<&'a SegmentRecord>,
    /// The segment that grows, if any part of it is complete.
    pub open: Option<&'a SegmentRecord>,
    /// The part that comes next, if one is sure to.
    pub hint: Option<(Epoch, Msn, PartIndex)>,
    /// Where the other renditions are.
    pub reports: Vec<Report>,
    /// Nothing follows.
    pub ended: bool,
}

/// How far another rendition has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which.
    pub rendition: RenditionId,
    /// Segment of its last part.
    pub msn: Msn,
    /// Its last part; absent if the last segment has none listed.
    pub part: Option<PartIndex>,
}

impl LivePlaylist<'_> {
    /// Writes it for `{rendition}/index.m3u8`; as a delta update if that is asked for and leaves
    /// something out.
    pub fn render(&self, skip: Skip) -> String {
        let mut out = String::with_capacity(64 * (16 + 2 * self.segments.len()));
        self.write_head(&mut out);
        let ends = self.distances_to_end();
        let skipped = match skip {
            // With EXT-X-ENDLIST there is no skip boundary to rely on.
            Skip::Yes if !self.ended => ends
                .iter()
                .take_while(|&&to_end| to_end >= SKIP_BOUNDARY_S)
                .count(),
            _ => 0,
        };
        if skipped > 0 {
            let _ = writeln!(out, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}");
        }
        let mut map = MapState::default();
        for (i, (record, to_end)) in self.segments.iter().zip(ends).enumerate() {
            if i < skipped {
                map.changes(record);
                continue;
            }
            self.write_lead(&mut out, &mut map, record);
            if to_end + record.seconds() <= PARTS_LISTED_S && !self.ended {
                write_parts(&mut out, record);
            }
            text::extinf(&mut out, record);
        }
        if let Some(open) = self.open {
            self.write_lead(&mut out, &mut map, open);
            write_parts(&mut out, open);
        }
        self.write_tail(&mut out);
        out
    }

    fn write_head(&self, out: &mut String) {
        text::header(out, 9);
        let _ = writeln!(out, "#EXT-X-TARGETDURATION:{TARGET_DURATION_S}");
        if !self.ended {
            let _ = writeln!(
                out,
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={SKIP_BOUNDARY_S:.1},\
                 HOLD-BACK={:.1},PART-HOLD-BACK={:.3}",
                3.0 * TARGET_DURATION_S as f64,
                3.0 * self.part_target,
            );
            let _ = writeln!(out, "#EXT-X-PART-INF:PART-TARGET={:.3}", self.part_target);
        }
        let _ = writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence);
        if self.discontinuity_sequence > 0 {
            let _ = writeln!(
                out,
                "#EXT-X-DISCONTINUITY-SEQUENCE:{}",
                self.discontinuity_sequence
            );
        }
    }

    /// For each complete segment the time from its end to the end of the playlist, in seconds.
    fn distances_to_end(&self) -> Vec<f64> {
        let mut to_end = self.open.map_or(0.0, |open| {
            let ticks: u64 = open.parts.iter().map(|part| u64::from(part.duration)).sum();
            ticks as f64 / f64::from(open.timescale.max(1))
        });
        let mut distances: Vec<f64> = self
            .segments
            .iter()
            .rev()
            .map(|record| {
                let distance = to_end;
                to_end += record.seconds();
                distance
            })
            .collect();
        distances.reverse();
        distances
    }

    fn write_lead(&self, out: &mut String, map: &mut MapState, record: &SegmentRecord) {
        if record.discontinuity {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        map.write(out, record);
        text::date(out, record);
    }

    fn write_tail(&self, out: &mut String) {
        if self.ended {
            out.push_str("#EXT-X-ENDLIST\n");
            return;
        }
        if let Some((epoch, msn, part)) = self.hint {
            let address = text::part_address(epoch, self.rendition, msn, part);
            let _ = writeln!(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{address}\"");
        }
        for Report {
            rendition,
            msn,
            part,
        } in &self.reports
        {
            let playlist = Resource::Live {
                rendition: *rendition,
            };
            let _ = write!(
                out,
                "#EXT-X-RENDITION-REPORT:URI=\"../{playlist}\",LAST-MSN={msn}"
            );
            if let Some(part) = part {
                let _ = write!(out, ",LAST-PART={part}");
            }
            out.push('\n');
        }
    }
}

fn write_parts(out: &mut String, record: &SegmentRecord) {
    for (i, part) in record.parts.iter().enumerate() {
        let seconds = f64::from(part.duration) / f64::from(record.timescale.max(1));
        let index = PartIndex(i as u32);
        let address = text::part_address(record.epoch, record.rendition, record.msn, index);
        let _ = write!(out, "#EXT-X-PART:DURATION={seconds:.5},URI=\"{address}\"");
        if part.independent {
            out.push_str(",INDEPENDENT=YES");
        }
        if part.gap {
            out.push_str(",GAP=YES");
        }
        out.push('\n');
    }
}
