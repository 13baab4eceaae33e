//! I-frame playlists (draft-rfc8216bis section 4.4.3.6): one picture for each segment, as the byte
//! range that holds its `moof` and, of the `mdat`, as much as the picture takes.

use std::fmt::Write;

use weir_model::RenditionId;

use super::stored::{self, Stored};
use crate::record::SegmentRecord;

/// The I-frames of `rendition` for `{rendition}/iframes.m3u8`. `records` holds all renditions'
/// segments of the video in order of msn. A segment that does not begin with a known IDR picture
/// stays as a GAP, so that time stays linear.
pub fn i_frames(rendition: RenditionId, records: &[SegmentRecord], ended: bool) -> String {
    let stored = Stored::of(rendition, records);
    let mut out = stored::head(stored.first, ended);
    out.push_str("#EXT-X-I-FRAMES-ONLY\n");
    stored.write(&mut out, |out, record| {
        let address = stored::address(record);
        let seconds = record.seconds();
        if has_one(record) {
            let _ = writeln!(
                out,
                "#EXTINF:{seconds:.5},\n#EXT-X-BYTERANGE:{}@0\n{address}",
                record.first_unit_end
            );
        } else {
            let _ = writeln!(out, "#EXT-X-GAP\n#EXTINF:{seconds:.5},\n{address}");
        }
    });
    if ended {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    out
}

/// Whether a segment begins with an IDR picture whose end is known.
pub(super) fn has_one(record: &SegmentRecord) -> bool {
    !record.gap && record.independent && record.first_unit_end > 0
}
