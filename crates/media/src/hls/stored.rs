//! What the playlists of stored segments share: which segments they list, and how.

use std::fmt::Write;

use weir_model::{Msn, RenditionId};

use super::{
    TARGET_DURATION_S,
    text::{self, MapState},
};
use crate::record::SegmentRecord;

/// A date is written for every so many segments, beside each that continues nothing: players count
/// on from there, and a list of hours stays short.
const DATED: usize = 15;

/// The segments of one rendition from the first msn on that any rendition has media of.
pub(super) struct Stored<'a> {
    /// msn of the first segment listed, or that would be.
    pub(super) first: Msn,
    segments: Vec<&'a SegmentRecord>,
}

impl<'a> Stored<'a> {
    /// `records` holds all renditions' segments in order of msn. What misses in all of them at
    /// the beginning is left out; a segment that is on its way yet ends the list.
    pub(super) fn of(rendition: RenditionId, records: &'a [SegmentRecord]) -> Self {
        let first = records.iter().find(|record| !record.gap);
        let first = first.map_or(Msn(0), |record| record.msn);
        let own = records
            .iter()
            .filter(|record| record.rendition == rendition && record.msn >= first);
        let segments = own
            .zip(first.0..)
            .take_while(|(record, msn)| record.msn.0 == *msn)
            .map(|(record, _)| record)
            .collect();
        Self { first, segments }
    }

    /// Writes what leads each segment, and with `body` the segment itself.
    pub(super) fn write(&self, out: &mut String, body: impl Fn(&mut String, &SegmentRecord)) {
        let mut map = MapState::default();
        let mut after_hole = true;
        for (i, record) in self.segments.iter().enumerate() {
            // Nothing comes before the first, so that it continues nothing.
            if record.discontinuity && i > 0 {
                out.push_str("#EXT-X-DISCONTINUITY\n");
            }
            map.write(out, record);
            if after_hole || record.discontinuity || i % DATED == 0 {
                text::date(out, record);
            }
            after_hole = record.gap;
            body(out, record);
        }
    }
}

/// What stands before the first segment.
pub(super) fn head(first: Msn, ended: bool) -> String {
    let mut out = String::new();
    // The version that brought EXT-X-GAP.
    text::header(&mut out, 8);
    if ended {
        out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
    }
    let _ = writeln!(out, "#EXT-X-TARGETDURATION:{TARGET_DURATION_S}");
    let _ = writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{first}");
    out
}

/// Address of a segment, relative to the playlist.
pub(super) fn address(record: &SegmentRecord) -> String {
    text::segment_address(record.epoch, record.rendition, record.msn)
}
