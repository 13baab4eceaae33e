//! Counters of one live video.

use weir_model::{Msn, RenditionId, WallTime};

use super::Warning;

/// Where a live video is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No picture (or sound) has come yet.
    Waiting,
    /// An encoder is pushing.
    Live,
    /// The encoder is away and may come back.
    Away,
    /// Ending: the transcoder's last units are awaited.
    Ending,
    /// The playlists are complete.
    Ended,
}

/// Repairs of what the encoder sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Timestamp jumps joined.
    pub timestamp_jumps: u64,
    /// Decoding times that did not advance, and composition times before decoding.
    pub timestamps_clamped: u64,
    /// Times that the audio clock was set anew, because it was more than 50 ms off.
    pub audio_resyncs: u64,
    /// Units that belonged nowhere: before the first keyframe, too late, or one too many.
    pub units_dropped: u64,
    /// Segments cut without a keyframe.
    pub forced_cuts: u64,
    /// Reconnects.
    pub reconnects: u64,
}

/// Counters of one rendition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenditionStatus {
    /// Which.
    pub rendition: RenditionId,
    /// Last closed segment.
    pub last_msn: Option<Msn>,
    /// Segments closed with media.
    pub segments: u64,
    /// GAP segments.
    pub gaps: u64,
    /// Parts published.
    pub parts: u64,
    /// Parts whose length the source's timing kept out of 85 to 100% of PART-TARGET.
    pub irregular_parts: u64,
    /// Bytes packaged.
    pub bytes: u64,
    /// Units packaged.
    pub units: u64,
    /// Media bytes held in memory.
    pub bytes_held: u64,
}

/// A rendition that the transcoder leaves out, so as to make the others in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShedRung {
    /// Which.
    pub rendition: RenditionId,
    /// Since when.
    pub since: WallTime,
}

/// One live video at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where it is in its life.
    pub state: State,
    /// Whether the slate is shown in place of an encoder that is away.
    pub slate: bool,
    /// When the first unit of the epoch was shown.
    pub started_at: Option<WallTime>,
    /// What was repaired.
    pub repairs: Repairs,
    /// What the streamer was told, in order.
    pub warnings: Vec<Warning>,
    /// What is left out at present because the machine cannot keep up.
    pub shed: Vec<ShedRung>,
    /// Its renditions: source or audio first.
    pub renditions: Vec<RenditionStatus>,
}
