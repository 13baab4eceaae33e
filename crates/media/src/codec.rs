//! Codec configurations: what initialisation segments, playlists and decoders need to know.

use bytes::Bytes;

/// H.264 as its AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1) tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvcConfig {
    /// The record, as it goes into `avcC`.
    pub record: Bytes,
    /// Width shown, in pixels, after cropping.
    pub width: u32,
    /// Height shown, in pixels, after cropping.
    pub height: u32,
}

/// AAC as its AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1) tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AacConfig {
    /// The AudioSpecificConfig.
    pub asc: Bytes,
    /// Samples per second of the core coder.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u8,
}
