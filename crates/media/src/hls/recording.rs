//! The media playlist of a recording.

use std::{collections::BTreeSet, fmt::Write};

use weir_model::{Msn, RenditionId, Resource};

use super::{
    TARGET_DURATION_S,
    text::{self, MapState},
};
use crate::record::SegmentRecord;

/// The playlist of `rendition`, complete, for `{rendition}/recording.m3u8`. `records` holds all
/// renditions' segments of the video in order of msn. Stretches that miss in this rendition stay
/// as GAPs, so that time stays linear and equal in all renditions; what misses in all of them at
/// either end is left out.
pub fn recording(rendition: RenditionId, records: &[SegmentRecord]) -> String {
    let with_media: BTreeSet<Msn> = records
        .iter()
        .filter(|record| !record.gap)
        .map(|record| record.msn)
        .collect();
    let (first, last) = match (with_media.first(), with_media.last()) {
        (Some(&first), Some(&last)) => (first, last),
        _ => (Msn(1), Msn(0)),
    };
    let mut out = String::new();
    text::header(&mut out, 8);
    out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
    let _ = writeln!(out, "#EXT-X-TARGETDURATION:{TARGET_DURATION_S}");
    let _ = writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{first}");
    let listed = records
        .iter()
        .filter(|record| record.rendition == rendition && (first..=last).contains(&record.msn));
    if listed
        .clone()
        .filter(|record| !record.gap)
        .all(|record| record.independent)
    {
        out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    let mut map = MapState::default();
    for (i, record) in listed.enumerate() {
        // Nothing comes before the first, so that it continues nothing.
        if record.discontinuity && i > 0 {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        map.write(&mut out, record);
        text::segment(&mut out, record);
    }
    out.push_str("#EXT-X-ENDLIST\n");
    out
}

/// Path of a recording's playlist relative to `/v/{video}/`.
pub fn path(rendition: RenditionId) -> String {
    Resource::Recording { rendition }.to_string()
}
