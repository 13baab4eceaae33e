//! The child's conversation with the origin.
//!
//! It reads on a thread of its own, so that it sees how far behind the ladder is; it writes on
//! the one it was called on. When what it writes is not taken, the ladder comes to a stand, and
//! then the reading.

use std::{
    io::{self, Read, Write},
    sync::mpsc,
    thread,
};

use thiserror::Error;
use tracing::{info, warn};
use weir_media::framing::{Decoder, Frame, FrameTooLong, InvalidFrame, encode};

use crate::{
    ladder::{LadderError, LiveLadder, Output},
    slate::{Slate, SlateError},
};

/// Frames that may wait to be written.
const UNWRITTEN: usize = 64;

/// What ends the conversation before its time.
#[derive(Debug, Error)]
pub enum PipeError {
    /// Reading failed.
    #[error("cannot read from the origin: {0}")]
    Read(#[source] io::Error),
    /// Writing failed; most likely the origin is gone.
    #[error("cannot write to the origin: {0}")]
    Write(#[source] io::Error),
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
    /// There is no slate.
    #[error(transparent)]
    Slate(#[from] SlateError),
}

/// Runs a live ladder until `input` ends or says so. Every unit is flushed as soon as it is
/// there; the last frame is [`Frame::End`].
///
/// # Errors
/// [`PipeError`]. An input that ends is none. After an error the reading thread may still wait
/// for input: the process is meant to end.
pub fn live(input: impl Read + Send + 'static, mut output: impl Write) -> Result<(), PipeError> {
    let (made, to_write) = mpsc::sync_channel(UNWRITTEN);
    let (failed, failure) = mpsc::sync_channel(1);
    let reader = move || {
        if let Err(error) = read(input, made) {
            // If the writer is gone, it has failed first.
            let _ = failed.send(error);
        }
    };
    thread::Builder::new()
        .name("read".to_owned())
        .spawn(reader)
        .map_err(LadderError::from)?;
    for frame in to_write {
        send(&mut output, &frame?)?;
    }
    // The reader has let go of the ladder, and says so by closing its channel, or why.
    match failure.recv() {
        Ok(error) => Err(error),
        Err(mpsc::RecvError) => send(&mut output, &Frame::End),
    }
}

fn send(output: &mut impl Write, frame: &Frame) -> Result<(), PipeError> {
    output
        .write_all(&encode(frame)?)
        .and_then(|()| output.flush())
        .map_err(PipeError::Write)
}

fn read(input: impl Read, made: Output) -> Result<(), PipeError> {
    let mut frames = Frames::of(input);
    // Until the job comes, what it makes has nowhere else to go.
    let mut made = Some(made);
    let mut ladder = None;
    while let Some(frame) = frames.next()? {
        match (frame, &ladder, made.take()) {
            (Frame::End, ..) => return Ok(()),
            (Frame::Job(job), None, Some(made)) => {
                info!(
                    rungs = job.renditions.len(),
                    sound = job.sound.len(),
                    live = job.live,
                    "job taken"
                );
                ladder = Some(LiveLadder::start(job, made)?);
            }
            (Frame::Config { config, .. }, Some(ladder), _) => ladder.configure(config),
            (Frame::Unit { cut, unit, .. }, Some(ladder), _) => ladder.push(unit, cut),
            _ => return Err(PipeError::Job),
        }
    }
    Ok(())
}

/// Reads a [`SlateJob`](weir_media::framing::SlateJob) and what it is about until `input` ends or
/// says so, then writes the slate; the last frame is [`Frame::End`].
///
/// # Errors
/// [`PipeError`].
pub fn slate(input: impl Read, mut output: impl Write) -> Result<(), PipeError> {
    let mut frames = Frames::of(input);
    let mut slate = match frames.next()? {
        Some(Frame::Slate(job)) => Slate::new(job),
        _ => return Err(PipeError::Job),
    };
    while let Some(frame) = frames.next()? {
        match frame {
            Frame::Config { config, .. } => slate.configure(config),
            Frame::Unit { unit, .. } => slate.push(&unit),
            Frame::End => break,
            _ => return Err(PipeError::Job),
        }
    }
    for frame in slate.make()? {
        send(&mut output, &frame)?;
    }
    send(&mut output, &Frame::End)
}

/// The frames that a pipe brings.
struct Frames<R> {
    input: R,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl<R: Read> Frames<R> {
    fn of(input: R) -> Self {
        Self {
            input,
            decoder: Decoder::default(),
            buffer: vec![0; 64 << 10],
        }
    }

    /// The next one, or `None` when the pipe has been closed.
    fn next(&mut self) -> Result<Option<Frame>, PipeError> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(Some(frame));
            }
            let read = match self.input.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(PipeError::Read(error)),
            };
            self.decoder.feed(&self.buffer[..read]);
        }
        if self.decoder.is_mid_frame() {
            warn!("input ended within a frame");
        }
        Ok(None)
    }
}
