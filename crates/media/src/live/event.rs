//! What a live video asks of its surroundings, and what it tells the streamer.

use std::fmt;

use bytes::Bytes;
use weir_model::{Msn, RenditionId};

use crate::{
    framing::LadderJob,
    record::{InitRecord, SegmentRecord},
    unit::Media,
};

/// Something to be done, from [`Live::poll_output`](super::Live::poll_output).
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Make it durable that msns below this one may have been used, then call
    /// [`Live::reserved`](super::Live::reserved). It is asked one segment ahead; if the answer
    /// is late, media queues.
    Reserve(Msn),
    /// A rendition begins, or goes on coded differently. Store it before the segments that follow.
    Init {
        /// What the playlists need to know of it.
        record: InitRecord,
        /// The initialisation segment.
        bytes: Bytes,
    },
    /// A segment is closed.
    Segment {
        /// For the journal.
        record: SegmentRecord,
        /// Its chunks in order. Of a GAP, the parts that came to be: their names stay taken, but
        /// the segment itself is not served.
        bytes: Vec<Bytes>,
    },
    /// Start a transcoder with this job; whatever follows is for it. One that still runs has been
    /// told [`TranscodeEnd`](Output::TranscodeEnd) and ends by itself.
    TranscodeStart(LadderJob),
    /// For the transcoder, in media time, so that what comes back needs no translation.
    Transcode {
        /// A configuration or a unit of the source's video if the job has rungs of video, of its
        /// audio if the job has rungs of sound. Each track comes in order.
        media: Media,
        /// A segment starts with this picture: every rung must have an IDR picture at its time.
        /// False for sound.
        cut: bool,
    },
    /// Nothing follows for the transcoder: let it flush what it holds and end.
    TranscodeEnd,
    /// A configuration or a unit of a rendition in media time, while the
    /// [tap](super::Live::tap) is open.
    Tapped {
        /// Of which.
        rendition: RenditionId,
        /// What came.
        media: Media,
    },
    /// The encoder has been away for a while: make a slate of the last that it sent, which is its
    /// configurations and the pictures of its newest group, and answer with
    /// [`Live::slate_made`](super::Live::slate_made) or
    /// [`Live::slate_failed`](super::Live::slate_failed). It is asked once for each absence.
    MakeSlate {
        /// To be named in the answer.
        absence: u64,
        /// In the order of sending.
        media: Vec<Media>,
    },
    /// Playlists have changed: ask again for whoever was answered `Wait`.
    Advanced,
    /// Something that the streamer should know; each kind is told once.
    Warning(Warning),
    /// The playlists have got their `EXT-X-ENDLIST`. Nothing follows.
    Ended,
}

/// What a streamer should know. The text says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Warning {
    /// No IDR picture came within 4 s.
    KeyframeInterval,
    /// Timestamps jumped and were joined.
    TimestampJump,
    /// The audio clock and the video clock run apart.
    AudioDrift,
    /// Video stopped while audio went on.
    VideoMissing,
    /// Audio stopped while video went on.
    AudioMissing,
    /// A transcoded rendition was lost or fell behind.
    TranscoderBehind,
    /// A further track of the encoder's stopped, or its keyframes come at other times than those of
    /// the first.
    TrackApart,
    /// The machine cannot make all renditions in time.
    RungShed,
    /// The transcoder makes nothing of the pictures that come.
    SourceUndecodable,
    /// The encoder sent nothing for a while.
    Stalled,
    /// There was nothing to show in place of an encoder that was away.
    SlateFailed,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyframeInterval => "No keyframe came for 4 s: set the keyframe interval to 2 s.",
            Self::TimestampJump => "The encoder's timestamps jumped; they were joined.",
            Self::AudioDrift => "Audio and video clocks run apart; audio was resynchronised.",
            Self::VideoMissing => "Video stopped while audio went on.",
            Self::AudioMissing => "Audio stopped while video went on.",
            Self::TranscoderBehind => "A lower quality is missing for a while: this machine's transcoder was lost or fell behind.",
            Self::TrackApart => "A further track is missing for a while: it stopped, or its keyframes are not those of the first track. Set the same keyframe interval for all.",
            Self::RungShed => "This machine is too slow for all qualities: the best of those it makes were left out for a while.",
            Self::SourceUndecodable => "The pictures cannot be decoded here, so that there are no lower qualities: check the encoder's settings.",
            Self::Stalled => "Nothing came from the encoder for some seconds: check its connection.",
            Self::SlateFailed => "No picture could be shown while the encoder was away: viewers had to wait. The server's log says why.",
        })
    }
}
