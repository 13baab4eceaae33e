//! The transcoder on sources that ffmpeg coded: as a library ([`ladder`], [`pictures`], [`codecs`],
//! [`shed`], [`sound`], [`slate`]) and as the origin runs it ([`child`]).

// A helper that fails, fails its test.
#![allow(clippy::unwrap_used)]

mod child;
mod codecs;
mod ladder;
mod pictures;
mod shed;
mod slate;
mod sound;
mod support;
