//! What a transcoder is asked to make.

use serde::{Deserialize, Serialize};
use weir_model::RenditionId;

/// The renditions to make of `source`, from one decode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderJob {
    /// Best first.
    pub renditions: Vec<LadderRung>,
}

/// One H.264 rendition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderRung {
    /// Under which name its units come back.
    pub id: RenditionId,
    /// Height in pixels. A source of less height keeps its own.
    pub height: u32,
    /// Mean and peak bitrate over a second, in kbit/s.
    pub bitrate_kbps: u32,
}
