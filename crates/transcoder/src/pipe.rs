//! The child's conversation with the origin.
//!
//! The origin must read and write at the same time: when this side's output is not taken, it
//! stops reading, and a queue grows, if at all, where it can be seen and bounded.

use std::io::{Read, Write};

use thiserror::Error;
use tracing::{info, warn};
use weir_media::framing::{Decoder, Frame, FrameTooLong, InvalidFrame, encode};

use crate::ladder::{LadderError, LiveLadder};

/// What ends the conversation before its time.
#[derive(Debug, Error)]
pub enum PipeError {
    /// Reading failed.
    #[error("cannot read from the origin: {0}")]
    Read(#[source] std::io::Error),
    /// Writing failed; most likely the origin is gone.
    #[error("cannot write to the origin: {0}")]
    Write(#[source] std::io::Error),
    /// What was read is no frame.
    #[error(transparent)]
    Frame(#[from] InvalidFrame),
    /// A unit came out larger than the pipe takes.
    #[error(transparent)]
    TooLong(#[from] FrameTooLong),
    /// The job has to come first, and once.
    #[error("the first frame, and no other, must be a job")]
    Job,
    /// The ladder broke.
    #[error(transparent)]
    Ladder(#[from] LadderError),
}

/// Runs a live ladder until `input` ends or says so. Every unit is flushed as soon as it is
/// there; the last frame is [`Frame::End`].
///
/// # Errors
/// [`PipeError`]. An input that ends is none.
pub fn live(mut input: impl Read, output: impl Write) -> Result<(), PipeError> {
    let mut session = Session {
        ladder: None,
        made: Vec::new(),
        output,
    };
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; 64 << 10];
    'input: loop {
        while let Some(frame) = decoder.next_frame()? {
            if frame == Frame::End {
                break 'input;
            }
            session.take(frame)?;
        }
        let read = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(PipeError::Read(error)),
        };
        decoder.feed(&buffer[..read]);
    }
    if decoder.is_mid_frame() {
        warn!("input ended within a frame");
    }
    session.finish()
}

struct Session<W> {
    ladder: Option<LiveLadder>,
    made: Vec<Frame>,
    output: W,
}

impl<W: Write> Session<W> {
    fn take(&mut self, frame: Frame) -> Result<(), PipeError> {
        match (frame, &mut self.ladder) {
            (Frame::Job(job), None) => {
                info!(rungs = job.renditions.len(), "job taken");
                self.ladder = Some(LiveLadder::new(job));
            }
            (Frame::Config { config, .. }, Some(ladder)) => {
                ladder.configure(&config, &mut self.made)?;
            }
            (Frame::Unit { cut, unit, .. }, Some(ladder)) => {
                ladder.push(&unit, cut, &mut self.made)?;
            }
            _ => return Err(PipeError::Job),
        }
        self.send_made()
    }

    fn finish(mut self) -> Result<(), PipeError> {
        if let Some(ladder) = &mut self.ladder {
            ladder.finish(&mut self.made)?;
        }
        self.made.push(Frame::End);
        self.send_made()
    }

    fn send_made(&mut self) -> Result<(), PipeError> {
        for frame in self.made.drain(..) {
            self.output
                .write_all(&encode(&frame)?)
                .map_err(PipeError::Write)?;
        }
        self.output.flush().map_err(PipeError::Write)
    }
}
