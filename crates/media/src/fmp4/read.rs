//! Reading initialisation segments and chunks back.
//!
//! It reads what this crate writes and what similar packagers write: one `traf` per `moof`,
//! defaults in `tfhd`, data in the `mdat` that follows. Everything is bounded by the bytes given;
//! samples share them instead of being copied.

mod boxes;
mod fragment;
mod init;

use thiserror::Error;

pub use boxes::{BoxRef, boxes};
pub use fragment::{Fragment, fragments};
pub use init::{Track, tracks};

use super::boxes::FourCc;
use crate::codec::{InvalidAac, InvalidAv1, InvalidAvc, InvalidHevc, InvalidOpus, InvalidVp9};

/// Bytes that are not the fragmented MP4 they should be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidFmp4 {
    /// A box claims more bytes than there are.
    #[error("box {} at byte {at} claims {size} bytes, {left} are left", spell(.name))]
    BoxSize {
        /// The box's type.
        name: FourCc,
        /// Where it starts, within its parent.
        at: usize,
        /// The size it claims.
        size: u64,
        /// What is there.
        left: usize,
    },
    /// A box ends before its fields do.
    #[error("box {} ends within its fields", spell(.0))]
    Truncated(FourCc),
    /// A box that has to be there is not.
    #[error("box {} is missing", spell(.0))]
    Missing(FourCc),
    /// A box in a version or with flags that this reader doesn't take.
    #[error("box {} has version and flags {version_flags:#010x}, which are not supported", spell(.name))]
    Unsupported {
        /// The box's type.
        name: FourCc,
        /// Its first four bytes.
        version_flags: u32,
    },
    /// A sample has no value for a field: neither its own nor a default.
    #[error("samples have no {0}")]
    NoDefault(&'static str),
    /// More samples than bytes that could describe or hold them.
    #[error("a run of {0} samples does not fit its box")]
    SampleCount(u32),
    /// A sample lies outside the chunk.
    #[error("sample {index} of {size} bytes lies outside its chunk")]
    SampleData {
        /// Which, from 0.
        index: u32,
        /// The size it claims.
        size: u32,
    },
    /// The sample entry is none of those that this crate writes.
    #[error("sample entry {} is not supported", spell(.0))]
    SampleEntry(FourCc),
    /// The AVC configuration is refused.
    #[error(transparent)]
    Avc(#[from] InvalidAvc),
    /// The HEVC configuration is refused.
    #[error(transparent)]
    Hevc(#[from] InvalidHevc),
    /// The AV1 configuration is refused.
    #[error(transparent)]
    Av1(#[from] InvalidAv1),
    /// The VP9 configuration is refused.
    #[error(transparent)]
    Vp9(#[from] InvalidVp9),
    /// The Opus configuration is refused.
    #[error(transparent)]
    Opus(#[from] InvalidOpus),
    /// The AAC configuration is refused.
    #[error(transparent)]
    Aac(#[from] InvalidAac),
}

fn spell(name: &FourCc) -> String {
    name.escape_ascii().to_string()
}
