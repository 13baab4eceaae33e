//! What viewers see while an encoder is away: a loop of pictures and one of silence, coded as the
//! source was.
//!
//! - [`canvas`]: a picture to draw on
//! - [`length`]: how long the loops are
//! - [`pictures`]: the loop of pictures
//! - [`silence`]: the loop of silence

mod canvas;
mod length;
mod pictures;
mod silence;

use std::{fs, io};

use thiserror::Error;
use tracing::{debug, info, warn};
use weir_media::{
    codec::{FrameRate, InvalidVp9},
    framing::{Frame, SlateJob},
    unit::{Timestamp, TrackConfig, TrackKind, Unit},
};
use weir_model::InvalidId;

use self::{canvas::Canvas, length::LoopLength};
use crate::{
    av::{AvError, Decoder, Picture, PictureFormat, Samples},
    bitstream::{self, InvalidStream},
    rate,
    size::RungSize,
};

/// Units of a GOP that are decoded at most: 25 s of 60 pictures a second. What follows is passed
/// over, the last picture is then one of these.
const MOST_UNITS: usize = 1500;
/// Largest picture file, in bytes.
const MAX_FILE: u64 = 16 << 20;
/// Most pictures a second. They are all the same.
const FASTEST: f64 = 30.0;
/// For a source whose rate is not known.
const USUAL_RATE: FrameRate = FrameRate {
    numerator: 30,
    denominator: 1,
};
/// White on transparent; `docs/ladder.md` says how it was made.
const NOTICE: &[u8] = include_bytes!("../assets/notice.png");
/// Its size.
const NOTICE_SIZE: (u32, u32) = (960, 80);

/// Why there is no slate.
#[derive(Debug, Error)]
pub enum SlateError {
    /// Nothing was told of the source's video.
    #[error("the source has no video")]
    NoVideo,
    /// A picture that is too small to be coded in 4:2:0.
    #[error("a source of {0}x{1} pixels gets no slate")]
    Size(u32, u32),
    /// The encoder does not open.
    #[error("cannot open an encoder for {codec}: {cause}")]
    OpenEncoder {
        /// The source's codec, as RFC 6381 has it.
        codec: String,
        /// What libav said.
        cause: AvError,
    },
    /// A picture cannot be scaled or coded.
    #[error("cannot make the picture: {0}")]
    Picture(#[from] AvError),
    /// The encoder wrote what cannot be packaged.
    #[error("the encoder is not configured as it should be: {0}")]
    Stream(#[from] InvalidStream),
    /// The same, of VP9.
    #[error("the encoder is not configured as it should be: {0}")]
    Vp9(#[from] InvalidVp9),
    /// The encoder said nothing of how it codes.
    #[error("the encoder for {0} wrote no configuration")]
    NoConfig(String),
    /// A name that no rendition has.
    #[error(transparent)]
    Rendition(#[from] InvalidId),
}

/// Why the operator's picture is not shown.
#[derive(Debug, Error)]
enum FileError {
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("has {0} bytes, more than {MAX_FILE}")]
    TooLarge(u64),
    #[error("is neither PNG nor JPEG, or damaged: {0}")]
    Decode(#[from] AvError),
}

/// Gathers what is known of a source, and makes the slate.
pub struct Slate {
    job: SlateJob,
    video: Option<TrackConfig>,
    audio: Option<TrackConfig>,
    decoder: Option<Decoder>,
    /// When the pictures of this GOP are shown.
    times: Vec<Timestamp>,
    last: Option<Picture>,
}

impl Slate {
    /// Before anything of the source is known.
    pub fn new(job: SlateJob) -> Self {
        Self {
            job,
            video: None,
            audio: None,
            decoder: None,
            times: Vec::new(),
            last: None,
        }
    }

    /// How the source is coded.
    pub fn configure(&mut self, config: TrackConfig) {
        match config.kind() {
            TrackKind::Audio => self.audio = Some(config),
            TrackKind::Video => {
                self.decoder = match Decoder::open(&config) {
                    Ok(decoder) => Some(decoder),
                    Err(error) => {
                        warn!(%error, "no decoder, the slate is plain");
                        None
                    }
                };
                self.video = Some(config);
                self.times.clear();
                self.last = None;
            }
        }
    }

    /// Takes a unit of the source's last GOP.
    pub fn push(&mut self, unit: &Unit) {
        if unit.kind != TrackKind::Video || self.times.len() >= MOST_UNITS {
            return;
        }
        self.times.push(unit.pts);
        let (Some(config), Some(decoder)) = (&self.video, &mut self.decoder) else {
            return;
        };
        match bitstream::for_decoder(config, unit) {
            Ok(stream) => {
                if let Err(error) = decoder.send(&stream, unit.pts) {
                    debug!(%error, pts = unit.pts.0, "unit skipped");
                }
            }
            Err(error) => debug!(%error, pts = unit.pts.0, "unit skipped"),
        }
        self.take_decoded();
    }

    fn take_decoded(&mut self) {
        let Some(decoder) = &mut self.decoder else {
            return;
        };
        loop {
            match decoder.next_picture() {
                Ok(Some(picture)) if picture.is_damaged() && self.last.is_some() => {}
                Ok(Some(picture)) => self.last = Some(picture),
                Ok(None) => return,
                Err(error) => return debug!(%error, "picture skipped"),
            }
        }
    }

    /// Makes the slate: the loops of `source` and, if the source has audio that can be imitated,
    /// `audio`.
    ///
    /// # Errors
    /// [`SlateError`]. A picture file that cannot be shown is told and not shown, pictures that
    /// cannot be decoded make the slate plain, and audio that cannot be imitated is left out.
    pub fn make(mut self) -> Result<Vec<Frame>, SlateError> {
        if let Some(decoder) = &mut self.decoder {
            if let Err(error) = decoder.send_end() {
                debug!(%error, "decoder not flushed");
            }
            self.take_decoded();
        }
        let config = self.video.take().ok_or(SlateError::NoVideo)?;
        let told = config.picture().ok_or(SlateError::NoVideo)?;
        let format = match &self.last {
            Some(picture) => picture.format(),
            None => PictureFormat::told(&told),
        };
        let size = RungSize {
            width: format.size.width & !1,
            height: format.size.height & !1,
        };
        if size.width == 0 || size.height == 0 {
            return Err(SlateError::Size(format.size.width, format.size.height));
        }
        let rate = told
            .frame_rate
            .or_else(|| self.measured())
            .unwrap_or(USUAL_RATE);
        let length = LoopLength::choose(at_most_fastest(rate), self.audio.as_ref());
        let canvas = self.draw(format, size)?;
        let source = "source".parse()?;
        let mut frames = pictures::make(&config, format, size, canvas.planes(), &length, source)?;
        if let Some(audio) = &self.audio {
            match silence::make(audio, length.audio_units, "audio".parse()?) {
                Ok(silence) => frames.extend(silence),
                Err(error) => warn!(%error, codec = audio.rfc6381(), "the slate has no audio"),
            }
        }
        info!(
            codec = config.rfc6381(),
            width = size.width,
            height = size.height,
            pictures = length.pictures,
            plain = self.last.is_none(),
            "slate made"
        );
        Ok(frames)
    }

    fn measured(&self) -> Option<FrameRate> {
        let mut times: Vec<_> = self.times.iter().map(|time| time.0).collect();
        times.sort_unstable();
        let intervals = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        rate::measured(intervals.collect())
    }

    fn draw(&self, format: PictureFormat, size: RungSize) -> Result<Canvas, SlateError> {
        let mut canvas = Canvas::new(format, size);
        if let Some(path) = &self.job.picture {
            match read(path) {
                Ok(picture) => {
                    let image = picture.format().size;
                    let fitting = canvas.fitting(image.width, image.height);
                    canvas.show(&picture.samples(Samples::Rgba, fitting)?[0], fitting);
                    return Ok(canvas);
                }
                Err(error) => warn!(path, %error, "picture not shown"),
            }
        }
        if let Some(last) = &self.last {
            canvas.darken(last.samples(Samples::Yuv420, size)?);
        }
        let notice = Picture::read(NOTICE)?;
        let place = canvas.notice_size(NOTICE_SIZE.0, NOTICE_SIZE.1);
        canvas.write(&notice.samples(Samples::Grey, place)?[0], place);
        Ok(canvas)
    }
}

fn read(path: &str) -> Result<Picture, FileError> {
    let len = fs::metadata(path)?.len();
    if len > MAX_FILE {
        return Err(FileError::TooLarge(len));
    }
    Ok(Picture::read(&fs::read(path)?)?)
}

/// Every second picture of a fast source, or every third, …
fn at_most_fastest(rate: FrameRate) -> FrameRate {
    // 30.3 is 30, measured.
    let every = (rate.as_f64() / FASTEST - 0.01).ceil().clamp(1.0, 1000.0);
    FrameRate {
        numerator: rate.numerator.max(1),
        denominator: rate.denominator.max(1).saturating_mul(every as u32),
    }
}
