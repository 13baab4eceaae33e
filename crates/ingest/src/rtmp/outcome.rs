//! How a session ends, and what the encoder is told.

use std::time::Duration;

use thiserror::Error;

use super::{chunk::ChunkError, handshake::HandshakeError, message::InvalidAggregate};
use crate::{amf0::Amf0Error, flv::FlvError};

/// Why a session is over. Its text goes into the log.
#[derive(Debug, Error, PartialEq)]
pub enum End {
    /// The encoder stopped publishing.
    #[error("the encoder stopped publishing")]
    Unpublished,
    /// The encoder closed the connection without a word; common when it is killed.
    #[error("the encoder closed the connection")]
    Disconnected,
    /// The server said no, before or during publishing.
    #[error("refused: {}", .0.description())]
    Refused(Refusal),
    /// The encoder named an application that is not served.
    #[error("refused: application {app:?} is not served here")]
    WrongApplication {
        /// The name it gave, cut to a readable length.
        app: String,
    },
    /// The peer wanted to play.
    #[error("refused: a play request, but streams are only taken in here")]
    PlayRequested,
    /// The peer was silent for too long.
    #[error("timed out after {0:?} without {1}")]
    TimedOut(Duration, Wait),
    /// The peer sent what can't be understood or used.
    #[error(transparent)]
    Failed(#[from] SessionError),
}

/// What a session waited for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The end of the handshake.
    Handshake,
    /// A request to publish.
    Publish,
    /// Any byte.
    Bytes,
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Handshake => "a complete handshake",
            Self::Publish => "a publish request",
            Self::Bytes => "any data",
        })
    }
}

/// Bytes that break the protocol, or media that can't be used.
#[derive(Debug, Error, PartialEq)]
pub enum SessionError {
    /// The peer does not speak RTMP.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// The chunk stream is broken.
    #[error("chunk stream: {0}")]
    Chunk(#[from] ChunkError),
    /// An aggregate message is malformed.
    #[error(transparent)]
    Aggregate(#[from] InvalidAggregate),
    /// A command is malformed.
    #[error("command: {0}")]
    Command(#[from] Amf0Error),
    /// A command lacks an argument.
    #[error("command {command} without its {argument}")]
    MissingArgument {
        /// The command.
        command: &'static str,
        /// What is missing.
        argument: &'static str,
    },
    /// A command came before the one it needs.
    #[error("{command} before {needs}")]
    OutOfOrder {
        /// The command.
        command: &'static str,
        /// What has to come first.
        needs: &'static str,
    },
    /// The media is malformed or coded in a way that is not taken.
    #[error("media: {0}")]
    Media(#[from] FlvError),
}

/// Why the server won't take a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No video has this stream key.
    UnknownKey,
    /// Another encoder publishes with this key and is alive.
    AlreadyPublishing,
    /// A newer connection with this key replaced this one, which seemed dead.
    Replaced,
    /// The video has ended.
    VideoEnded,
    /// The server can't take the stream now.
    Unavailable,
}

impl Refusal {
    /// The status code that encoders know (RTMP 1.0, section 7.2.2.6 and common practice).
    pub fn code(self) -> &'static str {
        match self {
            Self::AlreadyPublishing => "NetStream.Publish.BadName",
            Self::UnknownKey | Self::Replaced | Self::VideoEnded | Self::Unavailable => {
                "NetStream.Publish.Denied"
            }
        }
    }

    /// What was wrong and what to do, for the person at the encoder.
    pub fn description(self) -> &'static str {
        match self {
            Self::UnknownKey => "the stream key is not valid",
            Self::AlreadyPublishing => "another encoder is publishing with this stream key",
            Self::Replaced => "another encoder has taken over this stream key",
            Self::VideoEnded => "the video of this stream key has ended; create a new one",
            Self::Unavailable => "the server can't take the stream now; try again later",
        }
    }
}
