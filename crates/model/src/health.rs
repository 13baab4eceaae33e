//! How a broadcast is doing, for its streamer and the operator.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Msn, RenditionId};

/// `GET /api/v1/videos/{id}/health` (operator): counters of the current epoch. Encoders that came
/// one after the other are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamHealth {
    /// What was repaired of what encoders sent.
    pub repairs: RepairCounts,
    /// The renditions.
    pub renditions: Vec<RenditionHealth>,
}

/// How often each repair was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepairCounts {
    /// The encoder's clock wrapped.
    pub wraps: u64,
    /// A step forward that the wall clock did not bear out was taken out.
    pub forward_jumps: u64,
    /// A step backward was taken out.
    pub backward_jumps: u64,
    /// A decoding time did not rise and was raised.
    pub raised: u64,
    /// A presentation time before its decoding time, or far after it, was set to it.
    pub composition: u64,
    /// A frame came before its track's configuration and was dropped.
    pub before_config: u64,
    /// A picture came before the first IDR and was dropped.
    pub before_keyframe: u64,
    /// A track was refused: one too many, malformed, or coded in a way that is not taken.
    pub tracks_refused: u64,
    /// The audio clock was set anew, because it was more than 50 ms off.
    pub audio_resyncs: u64,
    /// A unit belonged nowhere (too late, or one too many) and was dropped.
    pub units_dropped: u64,
    /// A segment was cut without a keyframe, because none came.
    pub forced_cuts: u64,
    /// An encoder came back.
    pub reconnects: u64,
}

/// Counters of one rendition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RenditionHealth {
    /// Which.
    pub rendition: RenditionId,
    /// Last closed segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_msn: Option<Msn>,
    /// Segments closed with media.
    pub segments: u64,
    /// GAP segments.
    pub gaps: u64,
    /// Parts published.
    pub parts: u64,
    /// Parts whose length the source's timing kept out of 85 to 100% of PART-TARGET.
    pub irregular_parts: u64,
    /// Access units packaged.
    pub units: u64,
    /// Bytes packaged.
    pub bytes: u64,
    /// Media bytes held in memory.
    pub bytes_held: u64,
}
