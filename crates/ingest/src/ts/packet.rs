//! One packet (section 2.4.3.2), and the order of a PID's packets.

/// Bytes of a packet.
pub(super) const LEN: usize = 188;
/// Its first byte.
pub(super) const SYNC: u8 = 0x47;
const HEADER_LEN: usize = 4;

/// A packet that can be used.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) pid: u16,
    /// payload_unit_start_indicator: a PES packet or a section begins in the payload.
    pub(super) unit_start: bool,
    /// discontinuity_indicator: the counter may jump here.
    pub(super) discontinuity: bool,
    /// continuity_counter, which counts packets with a payload, of four bits.
    pub(super) counter: u8,
    /// The payload was too short for the packet, as at the end of a PES packet.
    pub(super) stuffed: bool,
    /// `None` for an adaptation field alone.
    pub(super) payload: Option<&'a [u8]>,
}

impl<'a> Packet<'a> {
    /// `None` if it came damaged, is scrambled or contradicts itself.
    pub(super) fn parse(bytes: &'a [u8; LEN]) -> Option<Self> {
        let [_, flags, pid_low, control, ..] = *bytes;
        let (transport_error, unit_start) = (flags & 0x80 != 0, flags & 0x40 != 0);
        let scrambling = control >> 6;
        let (has_adaptation, has_payload) = (control & 0x20 != 0, control & 0x10 != 0);
        if transport_error || scrambling != 0 || !(has_adaptation || has_payload) {
            return None;
        }
        let mut rest = &bytes[HEADER_LEN..];
        let mut adaptation: &[u8] = &[];
        if has_adaptation {
            let (len, after) = rest.split_first()?;
            (adaptation, rest) = after.split_at_checked(usize::from(*len))?;
        }
        Some(Self {
            pid: u16::from_be_bytes([flags & 0x1f, pid_low]),
            unit_start,
            discontinuity: adaptation.first().is_some_and(|flags| flags & 0x80 != 0),
            counter: control & 0x0f,
            stuffed: has_adaptation && has_stuffing(adaptation),
            payload: has_payload.then_some(rest),
        })
    }
}

/// Whether an adaptation field is longer than what it carries (section 2.4.3.4).
fn has_stuffing(adaptation: &[u8]) -> bool {
    const CLOCK_LEN: usize = 6;
    let Some(flags) = adaptation.first() else {
        // The length itself was the one byte to be filled.
        return true;
    };
    let (pcr, opcr, splice) = (flags & 0x10 != 0, flags & 8 != 0, flags & 4 != 0);
    let variable = flags & 3 != 0;
    let used = 1 + CLOCK_LEN * (usize::from(pcr) + usize::from(opcr)) + usize::from(splice);
    !variable && adaptation.len() > used
}

/// Follows the continuity counter of one PID.
#[derive(Debug, Default)]
pub(super) struct Continuity {
    last: Option<u8>,
    /// The payload that came last, to tell a repetition from a hole of fifteen packets.
    payload: Vec<u8>,
}

/// Where a packet stands among its PID's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// It follows the one before.
    Next,
    /// It is the one before, sent again.
    Repeated,
    /// One or more before it are missing.
    AfterHole,
}

impl Continuity {
    /// Takes a packet that has this payload.
    pub(super) fn take(&mut self, packet: &Packet<'_>, payload: &[u8]) -> Order {
        let last = self.last.replace(packet.counter);
        if last == self.last && self.payload == payload {
            return Order::Repeated;
        }
        self.payload.clear();
        self.payload.extend_from_slice(payload);
        let is_next = last.is_none_or(|last| packet.counter == (last + 1) & 0x0f);
        if is_next || (packet.discontinuity && packet.unit_start) {
            Order::Next
        } else {
            Order::AfterHole
        }
    }
}
