//! What is remembered of every initialisation segment and segment: enough to write playlists,
//! plan spans and go on after a crash, without the media.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use weir_model::{Epoch, Msn, RenditionId, WallTime};

use crate::{
    track::TrackLabel,
    unit::{TrackConfig, TrackKind},
};

/// One initialisation segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitRecord {
    /// Life of the video that wrote it.
    pub epoch: Epoch,
    /// Which rendition it initialises.
    pub rendition: RenditionId,
    /// Counts the rendition's codec changes within the epoch, from 0.
    pub n: u32,
    /// Codec as in `CODECS` (RFC 6381), such as `avc1.64001f`.
    pub codec: String,
    /// Width and height of video in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<(u32, u32)>,
    /// Channels of audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// Language tag (RFC 5646), if the encoder told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What the encoder calls the track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl InitRecord {
    /// Describes the initialisation segment of `config`.
    pub fn new(epoch: Epoch, rendition: RenditionId, n: u32, config: &TrackConfig) -> Self {
        Self {
            epoch,
            rendition,
            n,
            codec: config.rfc6381(),
            resolution: config
                .picture()
                .map(|picture| (picture.width, picture.height)),
            channels: config.channels(),
            language: None,
            name: None,
        }
    }

    /// The same, of a track that its encoder calls so.
    pub fn labelled(self, label: TrackLabel) -> Self {
        let TrackLabel { language, name } = label;
        Self {
            language,
            name,
            ..self
        }
    }

    /// What the rendition carries.
    pub fn kind(&self) -> TrackKind {
        if self.resolution.is_some() {
            TrackKind::Video
        } else {
            TrackKind::Audio
        }
    }

    /// Lines of the picture, counted across its shorter side; 0 of sound.
    pub fn lines(&self) -> u32 {
        self.resolution
            .map_or(0, |(width, height)| width.min(height))
    }
}

/// One segment of one rendition. Times are media time of its epoch, in ticks of `timescale`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRecord {
    /// Life of the video that wrote it.
    pub epoch: Epoch,
    /// Which rendition.
    pub rendition: RenditionId,
    /// Which segment; segments of one msn hold the same stretch of time in every rendition.
    pub msn: Msn,
    /// Which initialisation segment of (epoch, rendition) it needs.
    pub init: u32,
    /// Ticks per second: 90,000 for video, the sample rate for audio.
    pub timescale: u32,
    /// When its first unit is decoded: the `tfdt` of its first chunk. For a GAP the time from
    /// which media is missing.
    pub start: u64,
    /// What must be added to `start` for the time at which its first unit is shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub composition_offset: u32,
    /// Sum of the durations of its units, or of what is missing.
    pub duration: u64,
    /// Wall-clock time at which its first unit is shown (`EXT-X-PROGRAM-DATE-TIME`).
    pub pdt: WallTime,
    /// Size in bytes.
    pub bytes: u64,
    /// How many units it holds.
    pub units: u32,
    /// From its first byte to the end of its first unit, in bytes: what an I-frame playlist leads
    /// to. 0 if it is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub first_unit_end: u32,
    /// The media is missing or incomplete (`EXT-X-GAP`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub gap: bool,
    /// The timeline or the coding changes before it (`EXT-X-DISCONTINUITY`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub discontinuity: bool,
    /// Decoding can start with its first unit.
    pub independent: bool,
    /// Its parts, in order.
    pub parts: Vec<PartRecord>,
}

/// One part of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Sum of the durations of its units, in the segment's timescale.
    pub duration: u32,
    /// Size in bytes.
    pub bytes: u32,
    /// Decoding can start within it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub independent: bool,
    /// The part never came to be.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gap: bool,
}

impl SegmentRecord {
    /// No media of it came to be.
    pub fn is_empty(&self) -> bool {
        self.gap && self.parts.iter().all(|part| part.gap)
    }

    /// How long it lasts in seconds.
    pub fn seconds(&self) -> f64 {
        self.duration as f64 / f64::from(self.timescale.max(1))
    }

    /// How long it lasts.
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.seconds())
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}
