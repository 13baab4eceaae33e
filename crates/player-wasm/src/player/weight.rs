//! What media weighs, as far as that can be told before it comes: by the range of bytes that its
//! address names (`EXT-X-BYTERANGE`, `sidx`), or else by what came of late. A declared bitrate is a
//! mean over hours, or only a peak; how busy the programme is just now shows in all renditions alike.

use alloc::vec::Vec;

use super::Player;
use super::track::{Item, Rendition};
use crate::abr::Rung;
use crate::url::ranged_bytes;

/// Media that tells how busy the programme is, in seconds.
const OF_LATE_S: f64 = 8.0;
/// The least and the most that media is taken to weigh, in declared bitrates.
const LEAST_SHARE: f64 = 0.25;
const MOST_SHARE: f64 = 2.0;

/// What came of late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    /// The picture, with the sound that belongs to it, in declared bitrates.
    share: f64,
    /// Sound that comes on its own, in bits per second.
    sound: f64,
}

impl Default for Weight {
    fn default() -> Self {
        Self {
            share: 1.0,
            sound: 0.0,
        }
    }
}

impl Weight {
    /// Bits of a segment of the picture and of the sound beside it, in whole.
    fn bits(&self, rendition: &Rendition, msn: u64, seconds: f64) -> f64 {
        let segment = rendition.timeline.get(msn);
        let bytes = segment.and_then(|segment| ranged_bytes(segment.uri.as_deref()?));
        match bytes {
            Some(bytes) => bytes as f64 * 8.0 + self.sound * seconds,
            None => rendition.mean_bits_per_s * self.share * seconds,
        }
    }

    /// Mean bits per second: as declared, or what became of the peak.
    fn mean(&self, rendition: &Rendition) -> f64 {
        let declared = rendition.mean_bits_per_s;
        if declared < rendition.bits_per_s {
            declared
        } else {
            declared * self.share.min(1.0)
        }
    }

    /// Bits of the picture alone of so many seconds.
    pub(super) fn picture_bits(&self, rendition: &Rendition, seconds: f64) -> f64 {
        (rendition.mean_bits_per_s * self.share - self.sound).max(0.0) * seconds
    }
}

impl Player {
    /// The renditions of the picture as the choice sees them.
    pub(super) fn rungs(&self, now: u64) -> Vec<Rung> {
        let video = &self.tracks[0];
        let (msn, seconds) = (video.cursor.msn, video.segment_s());
        let rung = |r: &Rendition| Rung {
            bits_per_s: self.weight.mean(r),
            usable: now >= r.absent_until,
            next_bits: self.weight.bits(r, msn, seconds),
        };
        video.renditions.iter().map(rung).collect()
    }

    /// Notes what a piece of media has weighed.
    pub(super) fn weighed(&mut self, t: usize, item: &Item, bytes: u64) {
        let declared = self.tracks[t].renditions[item.rendition].mean_bits_per_s;
        let seconds = item.duration.max(0.05);
        let rate = bytes as f64 * 8.0 / seconds;
        let Weight { share, sound } = &mut self.weight;
        let part = (seconds / OF_LATE_S).min(1.0);
        if t > 0 {
            let part = if *sound > 0.0 { part } else { 1.0 };
            *sound += part * (rate - *sound);
        } else if declared > 1.0 {
            let of_declared = (rate + *sound) / declared;
            // Not `clamp`, whose panic would bring the formatting of floats into the module.
            let of_declared = of_declared.max(LEAST_SHARE);
            *share += part * (of_declared.min(MOST_SHARE) - *share);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playlist::MediaPlaylist;

    #[test]
    fn ranges_of_bytes_tell_what_a_segment_weighs() {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n#EXT-X-BYTERANGE:1000@500\na.mp4\n\
                    #EXTINF:4,\n#EXT-X-BYTERANGE:3000\na.mp4\n#EXTINF:4,\nb.mp4\n";
        let mut rendition = Rendition::new("http://h/v/index.m3u8".to_owned(), 1e6, None);
        rendition
            .timeline
            .update(MediaPlaylist::parse(text).unwrap());
        let mut weight = Weight::default();
        let bits = |weight: &Weight| [0, 1, 2, 3].map(|msn| weight.bits(&rendition, msn, 4.0));
        assert_eq!(bits(&weight), [8e3, 24e3, 4e6, 4e6]);
        weight.share = 0.5;
        weight.sound = 1000.0;
        assert_eq!(bits(&weight), [12e3, 28e3, 2e6, 2e6]);
    }
}
