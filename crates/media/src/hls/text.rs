//! Lines that the media playlists share.

use std::fmt::Write;

use weir_model::{Epoch, Msn, PartIndex, RenditionId, Resource};

use crate::record::SegmentRecord;

/// The first two lines.
pub(super) fn header(out: &mut String, version: u32) {
    let _ = write!(out, "#EXTM3U\n#EXT-X-VERSION:{version}\n");
}

/// Writes `EXT-X-MAP` where it changes; a GAP without any part needs none, and its
/// initialisation segment may never come to be.
#[derive(Default)]
pub(super) struct MapState(Option<(Epoch, u32)>);

impl MapState {
    pub(super) fn write(&mut self, out: &mut String, record: &SegmentRecord) {
        if self.changes(record) {
            let init = Resource::Init {
                epoch: record.epoch,
                rendition: record.rendition,
                n: record.init,
            };
            let _ = writeln!(out, "#EXT-X-MAP:URI=\"../{init}\"");
        }
    }

    /// Takes notice of a segment without writing it.
    pub(super) fn changes(&mut self, record: &SegmentRecord) -> bool {
        if record.is_empty() {
            return false;
        }
        let needed = Some((record.epoch, record.init));
        let changed = self.0 != needed;
        self.0 = needed;
        changed
    }
}

/// A complete segment: its date, its mark if it is a GAP, its duration and its address.
pub(super) fn segment(out: &mut String, record: &SegmentRecord) {
    date(out, record);
    extinf(out, record);
}

pub(super) fn date(out: &mut String, record: &SegmentRecord) {
    let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", record.pdt);
}

pub(super) fn extinf(out: &mut String, record: &SegmentRecord) {
    if record.gap {
        out.push_str("#EXT-X-GAP\n");
    }
    let address = segment_address(record.epoch, record.rendition, record.msn);
    let _ = writeln!(out, "#EXTINF:{:.5},\n{address}", record.seconds());
}

/// Relative to the playlist.
pub(super) fn segment_address(epoch: Epoch, rendition: RenditionId, msn: Msn) -> String {
    format!(
        "../{}",
        Resource::Segment {
            epoch,
            rendition,
            msn
        }
    )
}

/// Relative to the playlist.
pub(super) fn part_address(
    epoch: Epoch,
    rendition: RenditionId,
    msn: Msn,
    part: PartIndex,
) -> String {
    format!(
        "../{}",
        Resource::Part {
            epoch,
            rendition,
            msn,
            part
        }
    )
}
