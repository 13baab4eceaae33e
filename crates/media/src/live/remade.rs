//! A source whose segments cannot be decoded from their start: its encoder makes a keyframe less
//! often than every 4 s, so that segments are cut between. It is passed on all the same, but what
//! is listed in its place is a rung of as many lines, which has an IDR picture at every cut.

use std::time::Duration;

use weir_model::WallTime;

use super::{Live, rendition::Rendition};
use crate::{framing::LadderRung, unit::TrackConfig};

/// A cut without a keyframe this long after the one before is another mishap, and not a habit.
const HABIT: Duration = Duration::from_secs(30);

/// What is known of cuts without a keyframe.
#[derive(Debug, Default)]
pub(super) struct Remade {
    last_cut: Option<WallTime>,
    /// For as long as the video lives: an encoder that comes back has the same settings.
    wanted: bool,
    /// The transcoder that was started last makes the rung.
    pub(super) made: bool,
}

impl Remade {
    /// A segment was cut where no keyframe is.
    pub(super) fn forced_cut(&mut self, now: WallTime) {
        let before = self.last_cut.replace(now);
        self.wanted |= before.is_some_and(|before| now.since(before) <= HABIT);
    }
}

impl Live {
    /// The rung in the source's place, if one is wanted: the ladder's of as many lines or, where
    /// it has none, one like the nearest.
    pub(super) fn remade_rung(&self) -> Option<LadderRung> {
        let picture = self.intake.video.as_ref().and_then(TrackConfig::picture);
        let lines = picture.filter(|_| self.remade.wanted)?.lines();
        let ladder = &self.config.ladder;
        let nearest = ladder
            .iter()
            .min_by_key(|rung| rung.height.abs_diff(lines))?;
        if nearest.height == lines {
            return Some(nearest.clone());
        }
        let id = format!("{lines}p").parse().ok()?;
        let of_area = |kbps: u32| {
            let area = u64::from(lines) * u64::from(lines);
            let nearest = u64::from(nearest.height) * u64::from(nearest.height);
            u32::try_from(u64::from(kbps) * area / nearest.max(1)).unwrap_or(kbps)
        };
        let taken = ladder.iter().any(|rung| rung.id == id);
        (!taken).then(|| LadderRung {
            id,
            height: lines,
            bitrate_kbps: of_area(nearest.bitrate_kbps),
            fast_bitrate_kbps: of_area(nearest.fast_bitrate_kbps),
            ..nearest.clone()
        })
    }

    /// Whether the source is listed: unless there is something better.
    pub(super) fn source_is_listed(&self) -> bool {
        let rung = self.remade_rung();
        let made = rung.and_then(|rung| self.rendition(rung.id.as_str()));
        !made.is_some_and(Rendition::has_media)
    }

    /// Whether the transcoder was started before the rung was wanted.
    pub(super) fn remade_is_due(&self) -> bool {
        !self.remade.made && self.remade_rung().is_some()
    }
}
