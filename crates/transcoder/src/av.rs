//! Decoding, scaling and encoding through libav. No other module names a type of ffmpeg's.
//!
//! - [`decode`], [`scale`], [`encode`]: pictures from units and to units
//! - [`settings`]: what encoders of pictures are told
//! - [`still`]: single pictures, from files and as plain samples
//! - [`listen`], [`sound`]: samples from units and to units
//! - [`ffi`]: the few fields that ffmpeg-next has no words for

mod decode;
mod encode;
mod ffi;
mod listen;
mod scale;
mod settings;
mod sound;
mod still;

pub(crate) use decode::{Decoder, Picture, PictureFormat};
pub(crate) use encode::{Encoder, EncoderOptions, StillCodec};
pub(crate) use listen::{Resampler, Sound, SoundDecoder, SoundFormat};
pub(crate) use settings::{candidates, needs};
pub(crate) use sound::SoundEncoder;
pub(crate) use still::Samples;

use std::num::NonZero;

use ffmpeg_next as ffmpeg;
use thiserror::Error;

/// A call that libav refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("libav: {0}")]
pub struct AvError(#[from] ffmpeg::Error);

/// Keeps libav from writing to stderr about every damaged picture: what matters comes back as an
/// error and is logged once, with its time.
pub fn quiet_libav() {
    ffmpeg::util::log::set_level(ffmpeg::util::log::Level::Quiet);
}

/// Threads that run at once on this machine.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// `Ok(None)` when the coder wants input first or has come to its end.
fn some_unless_empty<T>(result: Result<T, ffmpeg::Error>) -> Result<Option<T>, AvError> {
    const WANTS_INPUT: ffmpeg::Error = ffmpeg::Error::Other {
        errno: ffmpeg::error::EAGAIN,
    };
    match result {
        Ok(value) => Ok(Some(value)),
        Err(WANTS_INPUT | ffmpeg::Error::Eof) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
