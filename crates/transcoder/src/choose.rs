//! Which encoder makes a rung: the one that was asked for or, if the choice is left to us, the
//! first that this machine really opens.

use thiserror::Error;
use tracing::debug;
use weir_media::{
    codec::FrameRate,
    framing::{EncoderChoice, LadderJob, LadderRung, SoundRung},
};
use weir_model::RenditionId;

use crate::{
    av::{AvError, Encoder, EncoderOptions, PictureFormat, SoundEncoder, candidates, needs},
    size::{RungSize, SourceSize},
};

/// No encoder for a rung.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{encoder} cannot be opened here ({cause}): {}", needs(*.choice))]
pub struct OpenEncoderError {
    /// What libav calls it.
    pub encoder: &'static str,
    /// Which.
    pub choice: EncoderChoice,
    /// What libav said.
    pub cause: AvError,
}

/// No encoder for an audio rung.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the ladder's rung {rendition} cannot be made: {encoder} cannot be opened here ({cause})")]
pub struct OpenSoundError {
    /// The rung.
    pub rendition: RenditionId,
    /// What libav calls the encoder.
    pub encoder: &'static str,
    /// What libav said.
    pub cause: AvError,
}

/// A rung that cannot be made on this machine.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ImpossibleRung {
    /// One of video.
    #[error("the ladder's rung {rendition} cannot be made: {cause}")]
    Video {
        /// The rung.
        rendition: RenditionId,
        /// Why.
        cause: OpenEncoderError,
    },
    /// One of audio.
    #[error(transparent)]
    Sound(#[from] OpenSoundError),
}

/// Opens an encoder for a rung. Answers which it is, too.
pub(crate) fn open(
    rung: &LadderRung,
    source: PictureFormat,
    size: RungSize,
    bitrate_kbps: u32,
    frame_rate: FrameRate,
) -> Result<(EncoderChoice, Encoder), OpenEncoderError> {
    let mut refused = None;
    for &encoder in candidates(rung.codec, rung.encoder) {
        let chosen = rung.encoder != EncoderChoice::Auto;
        let options = EncoderOptions {
            encoder,
            // A preset is one of a certain encoder: left to choose, that of the software.
            preset: rung
                .preset
                .as_deref()
                .filter(|_| chosen || encoder.is_software()),
            size,
            bitrate_kbps,
            frame_rate,
        };
        match Encoder::open(source, &options) {
            Ok(opened) => return Ok((encoder, opened)),
            Err(cause) => {
                debug!(encoder = encoder.name(), %cause, "encoder not opened");
                refused = Some(OpenEncoderError {
                    encoder: encoder.name(),
                    choice: encoder,
                    cause,
                });
            }
        }
    }
    Err(refused.expect("every codec has an encoder"))
}

/// Opens the encoder of every rung once. Answers by which encoder each is made.
///
/// # Errors
/// [`ImpossibleRung`], the first one.
pub fn check(job: &LadderJob) -> Result<Vec<(RenditionId, &'static str)>, ImpossibleRung> {
    let video = job.renditions.iter().map(check_video);
    let sound = job.sound.iter().map(check_sound);
    video.chain(sound).collect()
}

fn check_video(rung: &LadderRung) -> Result<(RenditionId, &'static str), ImpossibleRung> {
    const SIZE: RungSize = RungSize {
        width: 320,
        height: 180,
    };
    const RATE: FrameRate = FrameRate {
        numerator: 30,
        denominator: 1,
    };
    let source = PictureFormat::plain(SourceSize {
        width: SIZE.width,
        height: SIZE.height,
        pixel_aspect: (1, 1),
    });
    match open(rung, source, SIZE, rung.bitrate_kbps, RATE) {
        Ok((encoder, _)) => Ok((rung.id, encoder.name())),
        Err(cause) => Err(ImpossibleRung::Video {
            rendition: rung.id,
            cause,
        }),
    }
}

fn check_sound(rung: &SoundRung) -> Result<(RenditionId, &'static str), ImpossibleRung> {
    const RATE: u32 = 48_000;
    const STEREO: u8 = 2;
    let encoder = SoundEncoder::name(rung.codec);
    match SoundEncoder::open(rung.codec, RATE, STEREO, rung.bitrate_kbps) {
        Ok(_) => Ok((rung.id, encoder)),
        Err(cause) => Err(ImpossibleRung::Sound(OpenSoundError {
            rendition: rung.id,
            encoder,
            cause,
        })),
    }
}
