//! Bytes to packets, found again after garbage.

use super::packet::{LEN, SYNC};

/// Cuts a stream of bytes into packets. Holds what was pushed and not taken, and at most two
/// packets more.
#[derive(Debug, Default)]
pub(super) struct Framer {
    buffer: Vec<u8>,
    at: usize,
    /// Packets follow each other. If not, a packet begins where two sync bytes stand at the
    /// distance of a packet.
    in_step: bool,
    /// How often bytes stood where a packet should.
    lost_step: u64,
}

impl Framer {
    pub(super) fn push(&mut self, input: &[u8]) {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(input);
    }

    pub(super) fn lost_step(&self) -> u64 {
        self.lost_step
    }

    /// The next packet; `None` until more is pushed.
    pub(super) fn next(&mut self) -> Option<[u8; LEN]> {
        loop {
            let rest = &self.buffer[self.at..];
            if self.in_step {
                let packet = rest.first_chunk()?;
                if packet[0] == SYNC {
                    self.at += LEN;
                    return Some(*packet);
                }
                self.in_step = false;
                self.lost_step += 1;
            }
            let begins = |at: &usize| {
                rest[*at] == SYNC && rest.get(at + LEN).is_none_or(|next| *next == SYNC)
            };
            let begin = (0..rest.len()).find(begins).unwrap_or(rest.len());
            self.in_step = rest.len() > begin + LEN;
            self.at += begin;
            if !self.in_step {
                return None;
            }
        }
    }
}
