//! What the browser shim is asked to do.

use alloc::string::String;

/// Names one request; never used twice by a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u32);

/// Which SourceBuffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Video, or video and audio in one.
    Video,
    /// Audio on its own.
    Audio,
}

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It is text, to be handed to [`Player::text`](crate::Player::text) whole.
    Text,
    /// It is binary, to be handed to [`Player::bytes_came`](crate::Player::bytes_came) whole. It is
    /// small.
    Bytes,
    /// Its bytes are appended to the SourceBuffer as they come, after those of every earlier
    /// request for the same track. Before the first byte is appended its head goes to
    /// [`Player::head`](crate::Player::head), which may hold it back.
    Append(TrackKind),
}

/// One thing to do. Commands are carried out in the order in which they come; those that touch a
/// SourceBuffer are queued behind what is already queued for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Make a MediaSource with SourceBuffers of these MIME types, in place of any before; what was
    /// queued for those is dropped.
    Open {
        /// Type of the video SourceBuffer.
        video: String,
        /// Type of the audio SourceBuffer, unless audio comes with the video.
        audio: Option<String>,
    },
    /// Fetch a URL.
    Fetch {
        /// Names the request in answers.
        id: RequestId,
        /// The URL, absolute if the source was. A fragment `#bytes=0-99` is the range of bytes to
        /// ask for.
        url: String,
        /// What becomes of the body.
        body: Body,
    },
    /// Drop a request: nothing more of it is appended or told, and what was left unfinished in the
    /// SourceBuffer's parser is reset.
    Abort {
        /// The request.
        id: RequestId,
    },
    /// What is known of a body has changed: if it was held back, show its head again.
    Release {
        /// The request.
        id: RequestId,
    },
    /// Change the type of a SourceBuffer. It takes effect before the body whose head was just read.
    Type {
        /// Which SourceBuffer.
        track: TrackKind,
        /// MIME type with codecs.
        mime: String,
    },
    /// Set `timestampOffset`. It takes effect before the body whose head was just read.
    Offset {
        /// Which SourceBuffer.
        track: TrackKind,
        /// Seconds.
        seconds: f64,
    },
    /// Remove what is buffered between two times, in seconds.
    Remove {
        /// Which SourceBuffer.
        track: TrackKind,
        /// From here.
        start: f64,
        /// To here.
        end: f64,
    },
    /// Set the duration in seconds; `None` is a live stream without end.
    Duration(Option<f64>),
    /// Nothing more will be appended.
    EndOfStream,
    /// Set `currentTime` in seconds, as soon as the element takes it.
    Seek(f64),
    /// Set `playbackRate`.
    Rate(f64),
    /// Post this JSON to the events endpoint, and answer with
    /// [`Player::answered`](crate::Player::answered) or
    /// [`Player::unanswered`](crate::Player::unanswered).
    Post(String),
    /// Something that a person sees has changed: phase, renditions, the one playing.
    Changed,
}
