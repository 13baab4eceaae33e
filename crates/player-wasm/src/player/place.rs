//! Where a piece of media belongs: `timestampOffset`s, from the dates of playlists and the times in
//! the media.

use super::Player;
use super::track::Item;
use crate::command::Command;

/// Difference between date and decode time that means another media timeline, in seconds.
const OTHER_TIMELINE_S: f64 = 0.5;
/// The same, in seconds, that means that a rendition without dates is placed wrong.
const MISPLACED_S: f64 = 0.1;

impl Player {
    /// Puts a piece of media in its place: one offset serves every track of a discontinuity
    /// sequence, so that sound and picture keep together. Answers whether it is one that was
    /// wanted; otherwise it has been dropped.
    pub(super) fn place(&mut self, t: usize, item: &Item, decode_time: u64) -> bool {
        let Some(origin_ms) = self.origin_ms else {
            return true;
        };
        let scales = &self.timescales;
        let scale = scales
            .iter()
            .find(|(url, _)| item.map.as_ref() == Some(url));
        let Some((_, scale)) = scale else { return true };
        let decode_s = decode_time as f64 / f64::from(*scale);
        let right = (item.start_ms - origin_ms) / 1000.0 - decode_s;
        let known = self
            .offsets
            .iter()
            .find(|(discontinuity, _)| *discontinuity == item.discontinuity)
            .map(|(_, offset)| *offset);
        let track = &mut self.tracks[t];
        let first = track.placed.replace(item.rendition) != Some(item.rendition);
        let timeline = &mut track.renditions[item.rendition].timeline;
        let offset = match known {
            // Where no date tells how renditions lie to each other, the media do.
            Some(offset) if first && !timeline.dated && (offset - right).abs() > MISPLACED_S => {
                let shift_s = offset - right;
                timeline.shift(shift_s * 1000.0);
                if shift_s.abs() > item.duration / 2.0 {
                    self.relocate(t, item.start_ms);
                    return false;
                }
                offset
            }
            Some(offset) if (offset - right).abs() < OTHER_TIMELINE_S => offset,
            _ => {
                self.offsets
                    .retain(|(discontinuity, _)| *discontinuity != item.discontinuity);
                self.offsets.push((item.discontinuity, right));
                right
            }
        };
        let track = &mut self.tracks[t];
        if track.offset != Some(offset) {
            track.offset = Some(offset);
            self.commands.push(Command::Offset {
                track: track.kind,
                seconds: offset,
            });
        }
        true
    }
}
