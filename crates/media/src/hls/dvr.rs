//! The playlist for rewinding while live: everything that is stored, without parts.

use weir_model::RenditionId;

use super::{
    stored::{self, Stored},
    text,
};
use crate::record::SegmentRecord;

/// The playlist of `rendition` for `{rendition}/dvr.m3u8`. `records` holds all renditions'
/// segments of the video in order of msn. It has no `EXT-X-PLAYLIST-TYPE` before it has
/// `ended`: an `EVENT` may never lose a segment.
pub fn dvr(rendition: RenditionId, records: &[SegmentRecord], ended: bool) -> String {
    let stored = Stored::of(rendition, records);
    let mut out = stored::head(stored.first, ended);
    stored.write(&mut out, text::extinf);
    if ended {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    out
}
