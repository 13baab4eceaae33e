//! Which streams there are (section 2.4.4): program association and program map.

use crc::{CRC_32_MPEG_2, Crc};

use super::coding::Coding;

/// PID of the program association table.
pub(super) const PAT_PID: u16 = 0;

/// Longest section of these tables, in bytes.
const MAX_SECTION_LEN: usize = 1024;
const SECTION_HEADER_LEN: usize = 3;
const CRC_LEN: usize = 4;
static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_MPEG_2);

/// Puts sections together out of the payloads of one PID.
#[derive(Debug, Default)]
pub(super) struct Sections {
    unfinished: Vec<u8>,
}

impl Sections {
    /// Takes a payload; the sections that end in it. Counts those with a wrong checksum or an
    /// impossible length.
    pub(super) fn push(
        &mut self,
        unit_start: bool,
        payload: &[u8],
        broken: &mut u64,
    ) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        let mut fresh = payload;
        if unit_start {
            let Some((pointer, rest)) = payload.split_first() else {
                return whole;
            };
            let Some((tail, begins)) = rest.split_at_checked(usize::from(*pointer)) else {
                self.reset();
                *broken += 1;
                return whole;
            };
            if !self.unfinished.is_empty() {
                self.unfinished.extend_from_slice(tail);
                self.cut(&mut whole, broken);
            }
            self.reset();
            fresh = begins;
        } else if self.unfinished.is_empty() {
            return whole;
        }
        self.unfinished.extend_from_slice(fresh);
        self.cut(&mut whole, broken);
        whole
    }

    /// Forgets a section that was begun: the rest of it is lost.
    pub(super) fn reset(&mut self) {
        self.unfinished.clear();
    }

    fn cut(&mut self, whole: &mut Vec<Vec<u8>>, broken: &mut u64) {
        const STUFFING: u8 = 0xff;
        while let [table_id, high, low, ..] = self.unfinished[..] {
            if table_id == STUFFING {
                self.reset();
                return;
            }
            let len = SECTION_HEADER_LEN + usize::from(u16::from_be_bytes([high & 0x0f, low]));
            if len > MAX_SECTION_LEN {
                *broken += 1;
                self.reset();
                return;
            }
            if self.unfinished.len() < len {
                return;
            }
            let section: Vec<u8> = self.unfinished.drain(..len).collect();
            // The checksum over a section with its checksum is zero.
            if CRC.checksum(&section) == 0 {
                whole.push(section);
            } else {
                *broken += 1;
            }
        }
    }
}

/// An elementary stream of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) pid: u16,
    pub(super) coding: Coding,
}

/// The PID of the first program's map, in a program association section that is in force.
pub(super) fn first_program(section: &[u8]) -> Option<u16> {
    const TABLE_ID: u8 = 0;
    const NETWORK: u16 = 0;
    let body = body(section, TABLE_ID)?;
    body.chunks_exact(4).find_map(|entry| {
        let program = u16::from_be_bytes([entry[0], entry[1]]);
        let pid = u16::from_be_bytes([entry[2] & 0x1f, entry[3]]);
        (program != NETWORK).then_some(pid)
    })
}

/// The streams of a program map section that is in force.
pub(super) fn program_map(section: &[u8]) -> Option<Vec<Stream>> {
    const TABLE_ID: u8 = 2;
    let body = body(section, TABLE_ID)?;
    // The PID of the clock, which nobody needs who takes times as they come.
    let rest = body.get(2..)?;
    let (_program_info, mut rest) = split_u12(rest)?;
    let mut streams = Vec::new();
    while let [stream_type, high, low, ..] = *rest {
        let (descriptors, after) = split_u12(&rest[3..])?;
        streams.push(Stream {
            pid: u16::from_be_bytes([high & 0x1f, low]),
            coding: Coding::of(stream_type, descriptors),
        });
        rest = after;
    }
    Some(streams)
}

/// What stands between the header that all tables share and the checksum. `None` if it is another
/// table, or one that is not yet in force.
fn body(section: &[u8], table_id: u8) -> Option<&[u8]> {
    const LONG_HEADER_LEN: usize = 8;
    let [id, syntax, _, _, _, version, ..] = *section else {
        return None;
    };
    let (has_syntax, in_force) = (syntax & 0x80 != 0, version & 1 != 0);
    if id != table_id || !has_syntax || !in_force {
        return None;
    }
    section.get(LONG_HEADER_LEN..section.len().checked_sub(CRC_LEN)?)
}

/// What a length of twelve bits announces, and what follows it.
fn split_u12(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len) & 0x0fff))
}
