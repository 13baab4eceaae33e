//! What a guest is told once, before its first decision.

use crate::{
    DecodeError, Overflow,
    wire::{Reader, Writer},
};

/// The times that cache and wait rules are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// `EXT-X-TARGETDURATION` of every playlist, in milliseconds.
    pub target_duration_ms: u32,
    /// `PART-TARGET` of every playlist, in milliseconds.
    pub part_target_ms: u32,
}

impl Default for Config {
    /// What Weir's packager writes in its standard profile.
    fn default() -> Self {
        Self {
            target_duration_ms: 4000,
            part_target_ms: 350,
        }
    }
}

impl Config {
    /// Writes it to the start of `buffer`; gives the length.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, Overflow> {
        let mut writer = Writer::new(buffer)?;
        writer.u32(self.target_duration_ms)?;
        writer.u32(self.part_target_ms)?;
        Ok(writer.len())
    }

    /// Reads a whole message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message)?;
        let config = Self {
            target_duration_ms: reader.u32()?,
            part_target_ms: reader.u32()?,
        };
        reader.end()?;
        Ok(config)
    }
}
