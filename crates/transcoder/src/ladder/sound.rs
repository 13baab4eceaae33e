//! The audio renditions of a ladder: one decode, and a resampler and an encoder for each.
//!
//! Sound has a thread and a queue of its own. It costs next to nothing, so that none of it is ever
//! left out, and it doesn't wait for pictures.

use std::sync::mpsc::Receiver;

use tracing::{debug, info, warn};
use weir_media::{
    framing::{Frame, SoundRung},
    unit::{TIMESCALE, Timestamp, TrackConfig, Unit},
};

use super::{LadderError, Output, Stopped, emit, sound_rung::Rung};
use crate::av::{Sound, SoundDecoder, SoundFormat};

/// Units that may wait: some seconds.
pub(super) const QUEUE: usize = 256;

/// By how much a source's timestamps may differ from the count of its samples, in ticks: 15 ms. A
/// single unit that is lost is a hole.
const TOLERANCE: i64 = TIMESCALE as i64 * 15 / 1000;

/// For the decoder, in order.
pub(super) enum SoundInput {
    Config(TrackConfig),
    Unit(Unit),
}

/// Decodes audio and hands it to all rungs.
pub(super) struct SoundDecoding {
    output: Output,
    config: Option<TrackConfig>,
    decoder: Option<SoundDecoder>,
    run: Option<Run>,
    rungs: Vec<Rung>,
    /// Whether the last unit was refused, so that a row of them is told once.
    failing: bool,
}

/// Samples without a hole between them.
struct Run {
    format: SoundFormat,
    began: Timestamp,
    samples: i64,
}

impl Run {
    /// When the next sample is due.
    fn end(&self) -> i64 {
        let rate = i64::from(self.format.rate.max(1));
        self.began.0 + self.samples * i64::from(TIMESCALE) / rate
    }
}

impl SoundDecoding {
    pub(super) fn new(rungs: Vec<SoundRung>, output: Output) -> Self {
        let rungs = rungs.into_iter().map(|rung| Rung::new(rung, &output));
        Self {
            rungs: rungs.collect(),
            output,
            config: None,
            decoder: None,
            run: None,
            failing: false,
        }
    }

    /// Makes the rungs of whatever comes, until nothing follows.
    pub(super) fn run(mut self, input: Receiver<SoundInput>) -> Result<(), Stopped> {
        for input in input {
            match input {
                SoundInput::Config(config) if self.config.as_ref() != Some(&config) => {
                    self.end_run()?;
                    self.decoder = None;
                    self.config = Some(config);
                }
                SoundInput::Config(_) => {}
                SoundInput::Unit(unit) => self.take(&unit)?,
            }
        }
        self.end_run()
    }

    fn take(&mut self, unit: &Unit) -> Result<(), Stopped> {
        let decoder = match (&mut self.decoder, &self.config) {
            (Some(decoder), _) => decoder,
            (empty, Some(config)) => {
                info!(codec = config.rfc6381(), "audio decoder opened");
                let opened = SoundDecoder::open(config).map_err(LadderError::OpenDecoder)?;
                empty.insert(opened)
            }
            (None, None) => return Ok(()),
        };
        let mut decoded = Vec::new();
        let mut refused = decoder.send(&unit.data, unit.pts).err();
        while refused.is_none() {
            match decoder.next_sound() {
                Ok(Some(sound)) => decoded.push(sound),
                Ok(None) => break,
                Err(error) => refused = Some(error),
            }
        }
        match &refused {
            Some(error) if self.failing => debug!(%error, pts = unit.pts.0, "audio unit skipped"),
            Some(error) => warn!(%error, pts = unit.pts.0, "audio unit skipped"),
            None => {}
        }
        self.failing = refused.is_some();
        if decoded.is_empty() {
            // Whoever feeds us is told that we are alive.
            return emit(&self.output, Frame::Idle);
        }
        decoded.iter().try_for_each(|sound| self.hand_out(sound))
    }

    /// Appends samples to the run, or begins another one where there is a hole.
    fn hand_out(&mut self, sound: &Sound) -> Result<(), Stopped> {
        let format = sound.format();
        let Some(pts) = sound
            .pts()
            .filter(|_| format.rate > 0 && format.channels() > 0)
        else {
            return Ok(());
        };
        if let Some(run) = &self.run {
            let off = pts.0.saturating_sub(run.end());
            if off < -TOLERANCE {
                // Heard already, or the source's clock is slow: what is too much is left out.
                debug!(pts = pts.0, off, "audio that comes twice skipped");
                return Ok(());
            }
            if off > TOLERANCE || run.format != format {
                self.end_run()?;
            }
        }
        let run = match &mut self.run {
            Some(run) => run,
            empty => {
                for rung in &mut self.rungs {
                    rung.begin(pts, format)?;
                }
                empty.insert(Run {
                    format,
                    began: pts,
                    samples: 0,
                })
            }
        };
        run.samples += sound.samples() as i64;
        self.rungs.iter_mut().try_for_each(|rung| rung.push(sound))
    }

    /// What was taken is still made, up to its last sample.
    fn end_run(&mut self) -> Result<(), Stopped> {
        if self.run.take().is_some() {
            self.rungs.iter_mut().try_for_each(Rung::finish)?;
        }
        Ok(())
    }
}
