//! MPEG transport streams (ISO/IEC 13818-1), as SRT encoders push them.
//!
//! - [`Demuxer`]: bytes and `now` in, [`Event`]s out
//! - [`Damage`]: what was missing or broken, counted
//! - `framer`: bytes to packets of 188, found again after garbage
//! - `packet`: section 2.4.3.2, one packet, and the order of a PID's packets
//! - `psi`: section 2.4.4, which streams there are
//! - `pes`: section 2.4.3.6, packets of elementary streams, put together
//! - `coding`: how an elementary stream is coded, and what its coding is called
//! - `video`: H.264 and HEVC access units out of PES packets
//! - `adts`: AAC frames out of PES packets
//!
//! Nothing in a transport stream is fatal: what can't be used is left out and counted, as the
//! network may lose any packet.

mod adts;
mod coding;
mod demuxer;
mod framer;
mod packet;
mod pes;
mod psi;
mod video;

pub use demuxer::{Damage, Demuxer, Event, MAX_KEYFRAME_WAIT};
pub use pes::MAX_PES_LEN;

#[cfg(test)]
mod tests;
