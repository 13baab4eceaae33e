//! Packets of elementary streams (section 2.4.3.6), put together.

use bytes::Bytes;

/// Longest PES packet that is put together, in bytes.
pub const MAX_PES_LEN: usize = 8 * 1024 * 1024;

/// Start code, stream id and length.
const START_LEN: usize = 6;
/// The flags and the length of what else is in the header.
const FLAGS_LEN: usize = 3;

/// A whole PES packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pes {
    /// When the first access unit that begins here is shown, on the clock of 33 bits.
    pub(super) pts: Option<u64>,
    /// When it is decoded; as `pts` if the packet does not say.
    pub(super) dts: Option<u64>,
    pub(super) data: Bytes,
}

/// A PES packet that was cut short, is too long or contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// Puts the PES packets of one PID together.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// The packet so far, header and all; `None` between packets.
    unfinished: Option<Vec<u8>>,
    /// The last payload was stuffed.
    stuffed: bool,
}

impl Assembler {
    /// The packet before ends, as the next begins here. `None` if it has ended before.
    pub(super) fn begin(&mut self) -> Option<Result<Pes, Damaged>> {
        let before = self.unfinished.replace(Vec::new());
        before.map(|whole| match announced(&whole) {
            // It should have ended by itself.
            Some(_) => Err(Damaged),
            None => parse(whole),
        })
    }

    /// Takes the next payload; the packet if it ends by itself here.
    pub(super) fn extend(&mut self, payload: &[u8], stuffed: bool) -> Option<Result<Pes, Damaged>> {
        let unfinished = self.unfinished.as_mut()?;
        self.stuffed = stuffed;
        unfinished.extend_from_slice(payload);
        if unfinished.len() > MAX_PES_LEN {
            self.unfinished = None;
            return Some(Err(Damaged));
        }
        let len = announced(unfinished)?;
        if unfinished.len() < len {
            return None;
        }
        let mut whole = self.unfinished.take()?;
        whole.truncate(len);
        Some(parse(whole))
    }

    /// Drops the packet that is under way: the rest of it is lost. Whether there was one.
    pub(super) fn reset(&mut self) -> bool {
        self.unfinished.take().is_some()
    }

    /// The last packet of a stream that has ended. One that does not announce its length is whole
    /// if its last payload was stuffed, as it is but for one time in 184.
    pub(super) fn finish(&mut self) -> Option<Result<Pes, Damaged>> {
        let whole = self.unfinished.take()?;
        Some(if self.stuffed && announced(&whole).is_none() {
            parse(whole)
        } else {
            Err(Damaged)
        })
    }
}

/// The length of the whole packet, if it says one: a video packet may end where the next begins.
fn announced(packet: &[u8]) -> Option<usize> {
    let [_, _, _, _, high, low, ..] = *packet else {
        return None;
    };
    match u16::from_be_bytes([high, low]) {
        0 => None,
        len => Some(START_LEN + usize::from(len)),
    }
}

fn parse(packet: Vec<u8>) -> Result<Pes, Damaged> {
    let packet = Bytes::from(packet);
    let [0, 0, 1, _, _, _, marker, flags, header_len, ..] = packet[..] else {
        return Err(Damaged);
    };
    if marker & 0xc0 != 0x80 {
        return Err(Damaged);
    }
    let header_end = START_LEN + FLAGS_LEN + usize::from(header_len);
    let header = packet
        .get(START_LEN + FLAGS_LEN..header_end)
        .ok_or(Damaged)?;
    let (has_pts, has_dts) = (flags & 0x80 != 0, flags & 0x40 != 0);
    let pts = if has_pts { timestamp(header) } else { None };
    let dts = match header.get(5..) {
        Some(header) if has_pts && has_dts => timestamp(header),
        _ => pts,
    };
    Ok(Pes {
        pts,
        dts,
        data: packet.slice(header_end..),
    })
}

/// A time of 33 bits in five bytes, among marker bits.
fn timestamp(bytes: &[u8]) -> Option<u64> {
    let [a, b, c, d, e] = bytes.first_chunk()?.map(u64::from);
    Some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
}
