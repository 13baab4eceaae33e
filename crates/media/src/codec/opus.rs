//! Opus as its identification header tells it (RFC 7845 section 5.1), and the lengths of its
//! packets (RFC 6716 section 3).

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

/// Samples per second of every Opus stream's clock, whatever was recorded.
pub const SAMPLE_RATE: u32 = 48_000;

/// Samples in a packet of 20 ms, which nearly all encoders write.
pub const USUAL_PACKET_SAMPLES: u32 = 960;

/// Samples in the longest packet: 120 ms.
const MAX_PACKET_SAMPLES: u32 = 5760;

const MAGIC: &[u8; 8] = b"OpusHead";
const FIXED_LEN: usize = 19;

/// A header that cannot be packaged.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidOpus {
    /// It does not begin with `OpusHead`.
    #[error("the Opus header does not begin with OpusHead")]
    Magic,
    /// It ends before what it announces, or goes on after it.
    #[error("an Opus header of {0} bytes does not fit its channels")]
    Length(usize),
    /// Versions from 16 on are not compatible.
    #[error("Opus header version {0} is unknown")]
    Version(u8),
    /// No channels, or more than the mapping allows.
    #[error("{channels} Opus channels in mapping family {family} are not supported")]
    Channels {
        /// Channels of the output.
        channels: u8,
        /// How they are mapped to streams: 0 mono and stereo, 1 Vorbis order.
        family: u8,
    },
}

/// Opus in raw packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusConfig {
    /// The identification header, `OpusHead` included.
    pub head: Bytes,
    /// Channels of the output.
    pub channels: u8,
    /// Samples at [`SAMPLE_RATE`] that a decoder drops at its start.
    pub pre_skip: u16,
}

impl OpusConfig {
    /// Reads an identification header.
    ///
    /// # Errors
    /// Refuses what is cut short or too long, other major versions, and other layouts than mono,
    /// stereo and the surround layouts of mapping family 1.
    pub fn parse(head: Bytes) -> Result<Self, InvalidOpus> {
        let content = head.strip_prefix(MAGIC).ok_or(InvalidOpus::Magic)?;
        let misfit = InvalidOpus::Length(head.len());
        let [version, channels, skip_low, skip_high, ..] = *content else {
            return Err(misfit);
        };
        if version >= 16 {
            return Err(InvalidOpus::Version(version));
        }
        let family = *head.get(FIXED_LEN - 1).ok_or(misfit)?;
        let len = match (family, channels) {
            (0, 1..=2) => FIXED_LEN,
            // Stream count, coupled count and a stream for each channel.
            (1, 1..=8) => FIXED_LEN + 2 + usize::from(channels),
            _ => return Err(InvalidOpus::Channels { channels, family }),
        };
        if head.len() != len {
            return Err(misfit);
        }
        Ok(Self {
            channels,
            pre_skip: u16::from_le_bytes([skip_low, skip_high]),
            head,
        })
    }

    /// The content of an OpusSpecificBox, `dOps`: the same fields, big-endian (Encapsulation of
    /// Opus in ISO Base Media File Format, section 4.3.2).
    pub fn specific_box(&self) -> Bytes {
        let mut out = BytesMut::from(&[0, self.channels][..]);
        let fields = self.head.get(10..).unwrap_or_default();
        if let Some(([a, b, c, d, e, f, g, h], mapping)) = fields.split_first_chunk::<8>() {
            out.put_slice(&[*b, *a, *f, *e, *d, *c, *h, *g]);
            out.put_slice(mapping);
        }
        out.freeze()
    }

    /// Reads the content of an OpusSpecificBox.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_specific_box(content: &[u8]) -> Result<Self, InvalidOpus> {
        let misfit = InvalidOpus::Length(content.len());
        let ([version, channels], rest) = content.split_first_chunk().ok_or(misfit)?;
        let ([a, b, c, d, e, f, g, h], mapping) = rest.split_first_chunk::<8>().ok_or(misfit)?;
        if *version != 0 {
            return Err(InvalidOpus::Version(*version));
        }
        let mut head = BytesMut::from(&MAGIC[..]);
        head.put_slice(&[1, *channels, *b, *a, *f, *e, *d, *c, *h, *g]);
        head.put_slice(mapping);
        Self::parse(head.freeze())
    }

    /// The codec as RFC 6381 and the MP4 registration authority write it.
    pub fn rfc6381(&self) -> String {
        "Opus".to_owned()
    }
}

/// How many samples at [`SAMPLE_RATE`] a packet holds, by its first bytes. `None` if they are
/// not there, or say more than 120 ms.
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    // Table 2 of RFC 6716: SILK, hybrid and CELT modes.
    let frame = match (toc >> 3, toc >> 3 & 3) {
        (0..=11, 3) => 2880,
        (0..=11, size) => 480 << size,
        (12..=15, size) => 480 << (size & 1),
        (_, size) => 120 << size,
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    Some(frame * frames).filter(|samples| (1..=MAX_PACKET_SAMPLES).contains(samples))
}

#[cfg(test)]
#[path = "opus_tests.rs"]
mod tests;
