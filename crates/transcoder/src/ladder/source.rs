//! What a ladder is made of: the source's pictures.

use std::collections::VecDeque;

use tracing::{debug, warn};
use weir_media::{
    codec::FrameRate,
    unit::{Timestamp, TrackConfig, Unit},
};

use crate::{
    av::{AvError, Decoder, Picture},
    bitstream, rate,
};

/// Pictures by which a rate is measured that the source does not tell. They are held back, at the
/// start alone: an encoder that was opened for a wrong rate would waste or starve its first GOP.
const MEASURED_BY: usize = 4;

/// For a source whose end comes before its rate is known.
const UNKNOWN: FrameRate = FrameRate {
    numerator: 30,
    denominator: 1,
};

/// A decoder and what it decodes.
pub(super) struct Source {
    config: TrackConfig,
    decoder: Decoder,
    frame_rate: Option<FrameRate>,
    /// Pictures that wait for the rate to be known.
    held: VecDeque<Picture>,
    /// Whether an IDR picture has come; nothing before it can be decoded.
    started: bool,
    ended: bool,
    /// Whether the last unit was refused, so that a run of them is told once.
    failing: bool,
}

impl Source {
    pub(super) fn open(config: TrackConfig) -> Result<Self, AvError> {
        let frame_rate = config.picture().and_then(|picture| picture.frame_rate);
        Ok(Self {
            decoder: Decoder::open(&config)?,
            config,
            frame_rate: frame_rate.filter(|rate| rate.as_f64() > 0.0),
            held: VecDeque::new(),
            started: false,
            ended: false,
            failing: false,
        })
    }

    /// Takes a unit. `false` when it comes before the first IDR picture and is of no use.
    pub(super) fn send(&mut self, unit: &Unit) -> bool {
        self.started |= unit.keyframe;
        if self.started {
            let refused = self.decode(unit).err();
            self.note(refused, Some(unit.pts));
        }
        self.started
    }

    /// No unit follows.
    pub(super) fn send_end(&mut self) {
        let refused = self.decoder.send_end().err();
        self.note(refused.map(|error| error.to_string()), None);
        self.ended = true;
    }

    /// The next picture in the order of showing, if there is one yet, and how many there are a
    /// second.
    pub(super) fn next_picture(&mut self) -> Option<(Picture, FrameRate)> {
        let Some(rate) = self.frame_rate else {
            self.measure();
            let rate = self.frame_rate?;
            return self.held.pop_front().map(|picture| (picture, rate));
        };
        let picture = self.held.pop_front().or_else(|| self.decoded());
        picture.map(|picture| (picture, rate))
    }

    /// Holds pictures back until there are enough to know how far apart they are.
    fn measure(&mut self) {
        while self.held.len() < MEASURED_BY {
            match self.decoded() {
                Some(picture) => self.held.push_back(picture),
                None if self.ended => break,
                None => return,
            }
        }
        let times: Vec<_> = self.held.iter().filter_map(Picture::pts).collect();
        let intervals = times.windows(2).map(|pair| pair[1].0 - pair[0].0);
        self.frame_rate = rate::measured(intervals.collect()).or(Some(UNKNOWN));
    }

    fn decoded(&mut self) -> Option<Picture> {
        match self.decoder.next_picture() {
            Ok(picture) => picture,
            Err(error) => {
                self.note(Some(error.to_string()), None);
                None
            }
        }
    }

    fn decode(&mut self, unit: &Unit) -> Result<(), String> {
        let stream =
            bitstream::for_decoder(&self.config, unit).map_err(|error| error.to_string())?;
        self.decoder
            .send(&stream, unit.pts)
            .map_err(|error| error.to_string())
    }

    /// Logs the first of a run of refused units loudly and the rest quietly.
    fn note(&mut self, refused: Option<String>, pts: Option<Timestamp>) {
        let pts = pts.map(|pts| pts.0);
        match &refused {
            Some(error) if self.failing => debug!(error, pts, "unit skipped"),
            Some(error) => warn!(error, pts, "unit skipped"),
            None => {}
        }
        self.failing = refused.is_some();
    }
}
