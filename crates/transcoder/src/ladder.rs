//! One decode, many encodes: a source's units to those of every rung.
//!
//! - [`source`]: the decoder and what it decodes
//! - [`rung`]: a scaler and an encoder
//! - [`queues`]: what waits between them
//! - [`sound`], [`sound_rung`]: the same for audio
//!
//! The decoder has a thread, and so has each rung: they scale and encode side by side. Sound has
//! another one for all that is made of it.

mod queues;
mod rung;
mod sound;
mod sound_rung;
mod source;

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc,
        mpsc::{self, SyncSender},
    },
    thread,
};

use thiserror::Error;
use tracing::{info, warn};
use weir_media::{
    framing::{Frame, LadderJob, LadderRung},
    unit::{TIMESCALE, Timestamp, TrackConfig, TrackKind, Unit},
};
use weir_model::RenditionId;

use self::{
    queues::{Decoded, Input, Queues},
    rung::Rung,
    sound::{SoundDecoding, SoundInput},
    source::Source,
};
use crate::{
    av::AvError,
    bitstream::InvalidStream,
    choose::{OpenEncoderError, OpenSoundError},
};

/// What ends a ladder. Damaged units don't: they are skipped.
#[derive(Debug, Error)]
pub enum LadderError {
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    /// libav has no decoder for the source, or no memory for one.
    #[error("cannot open the decoder: {0}")]
    OpenDecoder(AvError),
    /// The encoder or the scaler refused a rung.
    #[error("cannot open the encoder of {rendition}: {cause}")]
    OpenEncoder {
        /// The rung.
        rendition: RenditionId,
        /// What is wrong.
        cause: OpenEncoderError,
    },
    /// The encoder or the resampler refused an audio rung.
    #[error(transparent)]
    OpenSound(OpenSoundError),
    /// The encoder failed on a picture or on samples.
    #[error("cannot encode {rendition}: {cause}")]
    Encode {
        /// The rung.
        rendition: RenditionId,
        /// What libav said.
        cause: AvError,
    },
    /// The encoder wrote parameter sets that cannot be packaged.
    #[error("the encoder of {rendition} is not configured as it should be: {cause}")]
    Config {
        /// The rung.
        rendition: RenditionId,
        /// What is wrong.
        cause: InvalidStream,
    },
}

/// Where a ladder's frames go, or what ended it. It ends when the ladder has.
pub type Output = SyncSender<Result<Frame, LadderError>>;

/// A ladder at work. Every picture of the source comes back once in every rung that is made and
/// has use for it, with its PTS, and as an IDR picture exactly where the source has one or asks
/// for one.
pub struct LiveLadder {
    /// Of the video, if anything is made of it.
    queues: Option<Arc<Queues>>,
    /// To the audio's decoder, if anything is made of it.
    sound: Option<SyncSender<SoundInput>>,
}

impl LiveLadder {
    /// Starts the threads of a ladder, which waits for its source's configurations. When the
    /// output is full, the ladder waits.
    ///
    /// # Errors
    /// [`LadderError::Thread`].
    pub fn start(job: LadderJob, output: Output) -> Result<Self, LadderError> {
        let mut ladder = Self {
            queues: None,
            sound: None,
        };
        if !job.renditions.is_empty() {
            let queues = Arc::new(Queues::new(job.renditions.len(), job.live));
            ladder.queues = Some(queues.clone());
            start_video(job.renditions, &queues, &output)?;
        }
        if !job.sound.is_empty() {
            let (sender, input) = mpsc::sync_channel(sound::QUEUE);
            let decoding = SoundDecoding::new(job.sound, output.clone());
            let queues = ladder.queues.clone();
            start("sound".to_owned(), queues, &output, move || {
                decoding.run(input)
            })?;
            ladder.sound = Some(sender);
        }
        Ok(ladder)
    }

    /// A track of the source begins, or goes on coded differently.
    pub fn configure(&self, config: TrackConfig) {
        match (config.kind(), &self.queues, &self.sound) {
            (TrackKind::Video, Some(queues), _) => queues.put_config(config),
            (TrackKind::Audio, _, Some(sound)) => give(sound, SoundInput::Config(config)),
            _ => {}
        }
    }

    /// Takes a unit of the source. It waits while more than 2 s of video wait for the decoder.
    /// Only a ladder that is not live waits for longer than a moment.
    pub fn push(&self, unit: Unit, cut: bool) {
        match (unit.kind, &self.queues, &self.sound) {
            (TrackKind::Video, Some(queues), _) => queues.put_unit(unit, cut),
            (TrackKind::Audio, _, Some(sound)) => give(sound, SoundInput::Unit(unit)),
            _ => {}
        }
    }

    /// Nothing follows: what was taken is still made, then the output ends.
    pub fn finish(self) {}
}

/// One that takes nothing any more has said why.
fn give(sound: &SyncSender<SoundInput>, input: SoundInput) {
    let _ = sound.send(input);
}

impl Drop for LiveLadder {
    fn drop(&mut self) {
        if let Some(queues) = &self.queues {
            queues.close();
        }
    }
}

/// A thread for the decoder and one for each rung.
fn start_video(
    rungs: Vec<LadderRung>,
    queues: &Arc<Queues>,
    output: &Output,
) -> Result<(), LadderError> {
    for (index, rung) in rungs.into_iter().enumerate() {
        let name = rung.id.to_string();
        let (work, to_rung) = (queues.clone(), output.clone());
        start(name, Some(queues.clone()), output, move || {
            // Made here: a scaler stays on its thread.
            Rung::new(rung, to_rung).run(index, &work)
        })?;
    }
    let (input, to_decoder) = (queues.clone(), output.clone());
    start(
        "decode".to_owned(),
        Some(queues.clone()),
        output,
        move || Decoding::new(&input, to_decoder).run(),
    )?;
    Ok(())
}

/// Runs a part of the ladder until it ends or fails, which then ends the others.
fn start(
    name: String,
    others: Option<Arc<Queues>>,
    output: &Output,
    part: impl FnOnce() -> Result<(), Stopped> + Send + 'static,
) -> io::Result<()> {
    let output = output.clone();
    let run = move || {
        if let Err(stopped) = part() {
            if let Some(others) = others {
                others.abandon();
            }
            if let Stopped::Broken(error) = stopped {
                // If nobody listens, nobody needs to know.
                let _ = output.send(Err(error));
            }
        }
    };
    thread::Builder::new().name(name).spawn(run).map(drop)
}

/// Why a part of the ladder stopped before its time.
enum Stopped {
    Broken(LadderError),
    /// Nobody takes what it makes.
    Unwanted,
}

impl From<LadderError> for Stopped {
    fn from(error: LadderError) -> Self {
        Self::Broken(error)
    }
}

fn emit(output: &Output, frame: Frame) -> Result<(), Stopped> {
    output.send(Ok(frame)).map_err(|_| Stopped::Unwanted)
}

/// The decoder's part: from units to pictures for all rungs.
struct Decoding<'a> {
    queues: &'a Queues,
    output: Output,
    config: Option<TrackConfig>,
    source: Option<Source>,
    /// PTS of pictures to be coded as IDR, which the decoder has yet to give back.
    forced: BTreeSet<Timestamp>,
    last_pts: Option<Timestamp>,
    barren: Barren,
}

/// Units that no picture came of.
#[derive(Default)]
struct Barren {
    since: Option<Timestamp>,
    units: usize,
    told: Option<Timestamp>,
}

impl Barren {
    /// A decoder holds back fewer than so many, and then something is wrong.
    const MANY: usize = 24;

    /// Takes note of a unit. Answers since when nothing has been decoded if that is to be told:
    /// after a second, and each second again.
    fn note(&mut self, unit: &Unit) -> Option<Timestamp> {
        let since = *self.since.get_or_insert(unit.dts);
        self.units += 1;
        let told = self.told.unwrap_or(since);
        let due = unit.dts.0.saturating_sub(told.0) >= i64::from(TIMESCALE);
        if self.units < Self::MANY || !due {
            return None;
        }
        self.told = Some(unit.dts);
        Some(since)
    }
}

impl<'a> Decoding<'a> {
    fn new(queues: &'a Queues, output: Output) -> Self {
        Self {
            queues,
            output,
            config: None,
            source: None,
            forced: BTreeSet::new(),
            last_pts: None,
            barren: Barren::default(),
        }
    }

    fn run(mut self) -> Result<(), Stopped> {
        while let Some(input) = self.queues.take() {
            match input {
                Input::Config(config) if self.config.as_ref() != Some(&config) => {
                    // A decoder may drop what it holds back when the size changes under it.
                    self.drain();
                    self.config = Some(config);
                }
                Input::Config(_) => {}
                Input::Unit(unit, cut) => self.take(&unit, cut)?,
            }
        }
        self.drain();
        self.queues.end();
        Ok(())
    }

    fn take(&mut self, unit: &Unit, cut: bool) -> Result<(), Stopped> {
        if cut && unit.keyframe {
            self.queues.segment_begins(unit.pts);
        }
        if self.queues.is_idle() {
            // Decoding begins anew when a rung returns, with a keyframe.
            self.source = None;
            self.barren = Barren::default();
            return emit(&self.output, Frame::Idle);
        }
        let source = match (&mut self.source, &self.config) {
            (Some(source), _) => source,
            (empty, Some(config)) => {
                info!(codec = config.rfc6381(), "decoder opened");
                let opened = Source::open(config.clone()).map_err(LadderError::OpenDecoder)?;
                empty.insert(opened)
            }
            (None, None) => return Ok(()),
        };
        if !source.send(unit) {
            return Ok(());
        }
        if unit.keyframe || cut {
            self.forced.insert(unit.pts);
            // A decoder holds back at most 16 pictures; a time that never comes is let go.
            const MOST_PENDING: usize = 64;
            if self.forced.len() > MOST_PENDING {
                self.forced.pop_first();
            }
        }
        if self.hand_out_decoded() {
            self.barren = Barren::default();
            return Ok(());
        }
        match self.barren.note(unit) {
            Some(since) => {
                warn!(since = since.0, "the source cannot be decoded");
                emit(&self.output, Frame::Undecodable { since })
            }
            None => Ok(()),
        }
    }

    fn drain(&mut self) {
        if let Some(source) = &mut self.source {
            source.send_end();
            self.hand_out_decoded();
            self.source = None;
        }
    }

    /// Answers whether there was anything.
    fn hand_out_decoded(&mut self) -> bool {
        let Some(source) = &mut self.source else {
            return false;
        };
        let mut any = false;
        while let Some((picture, frame_rate)) = source.next_picture() {
            any = true;
            let Some(pts) = picture.pts() else { continue };
            if self.last_pts.is_some_and(|last| pts <= last) {
                warn!(pts = pts.0, "picture out of order skipped");
                continue;
            }
            self.last_pts = Some(pts);
            // An IDR picture that was lost is made up for by the next picture.
            let later = self.forced.split_off(&Timestamp(pts.0.saturating_add(1)));
            let idr = !std::mem::replace(&mut self.forced, later).is_empty();
            self.queues.hand_out(Decoded {
                picture,
                pts,
                idr,
                frame_rate,
            });
        }
        any
    }
}
