//! The handshake: C0 C1 C2 from the client, S0 S1 S2 from the server (RTMP 1.0, section 5.2).
//!
//! Only its plain form is spoken. Clients that offer the signed form (Flash's) read our zero
//! version in S1 and fall back, as the encoders in use do.

use thiserror::Error;

/// Bytes of C1, C2, S1 and S2.
pub const BLOCK_LEN: usize = 1536;
const VERSION: u8 = 3;

/// A peer that does not speak RTMP.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HandshakeError {
    /// C0 names another version.
    #[error("the peer asks for version {0}, only plain RTMP (3) is spoken")]
    Version(u8),
    /// The first byte is that of a TLS client hello.
    #[error("the peer speaks TLS; use rtmp://, not rtmps://")]
    Tls,
    /// The first byte is that of an HTTP request.
    #[error("the peer speaks HTTP; this port takes RTMP")]
    Http,
}

/// The server's side. It holds at most one block.
#[derive(Debug, Default)]
pub struct Handshake {
    block: Vec<u8>,
    stage: Stage,
}

#[derive(Debug, Default, PartialEq)]
enum Stage {
    #[default]
    Version,
    First,
    Second,
    Done,
}

impl Handshake {
    /// Takes what belongs to the handshake from the front of `input`, and appends the answer to
    /// `out`. True once the handshake is complete; what is left of `input` is the chunk stream.
    ///
    /// # Errors
    /// If the first byte shows that the peer doesn't speak plain RTMP.
    pub fn handle(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, HandshakeError> {
        if self.stage == Stage::Version
            && let Some((&version, rest)) = input.split_first()
        {
            *input = rest;
            match version {
                VERSION => self.stage = Stage::First,
                0x16 => return Err(HandshakeError::Tls),
                b'G' | b'P' | b'H' | b'O' => return Err(HandshakeError::Http),
                other => return Err(HandshakeError::Version(other)),
            }
        }
        if self.stage == Stage::First && self.fill(input) {
            out.push(VERSION);
            out.extend((0..BLOCK_LEN).map(first_block_byte));
            out.append(&mut self.block);
            self.stage = Stage::Second;
        }
        // C2 should repeat S1. Some clients send something else, and nothing depends on it.
        if self.stage == Stage::Second && self.fill(input) {
            self.block = Vec::new();
            self.stage = Stage::Done;
        }
        Ok(self.stage == Stage::Done)
    }

    fn fill(&mut self, input: &mut &[u8]) -> bool {
        let wanted = (BLOCK_LEN - self.block.len()).min(input.len());
        let (taken, rest) = input.split_at(wanted);
        self.block.extend_from_slice(taken);
        *input = rest;
        self.block.len() == BLOCK_LEN
    }
}

/// S1: time and version zero, then bytes that only have to be told from another connection's by
/// someone who debugs; the specification's "random" serves no security.
fn first_block_byte(at: usize) -> u8 {
    if at < 8 {
        0
    } else {
        (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_hello() -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend((0..BLOCK_LEN).map(|i| (i % 251) as u8));
        bytes
    }

    #[test]
    fn answers_byte_by_byte_and_leaves_the_rest() {
        let mut stream = client_hello();
        stream.extend(vec![7; BLOCK_LEN]);
        stream.extend(b"chunks");
        let (mut handshake, mut out) = (Handshake::default(), Vec::new());
        let mut done_at = None;
        for at in 0..stream.len() {
            let mut input = &stream[at..=at];
            if handshake.handle(&mut input, &mut out).unwrap() {
                done_at.get_or_insert(at);
                assert_eq!(input.len(), usize::from(at > 2 * BLOCK_LEN));
            }
        }
        assert_eq!(done_at, Some(2 * BLOCK_LEN));
        assert_eq!(out.len(), 1 + 2 * BLOCK_LEN);
        assert_eq!(out[1 + BLOCK_LEN..], stream[1..=BLOCK_LEN], "S2 repeats C1");
    }

    #[test]
    fn tells_other_protocols_apart() {
        let check = |bytes: &[u8], expected| {
            let result = Handshake::default().handle(&mut &*bytes, &mut Vec::new());
            assert_eq!(result, Err(expected));
        };
        check(b"\x16\x03\x01\x02\x00", HandshakeError::Tls);
        check(b"GET / HTTP/1.1\r\n", HandshakeError::Http);
        check(b"\x06", HandshakeError::Version(6));
    }

    #[test]
    fn a_truncated_handshake_waits() {
        let (mut handshake, mut out) = (Handshake::default(), Vec::new());
        let hello = client_hello();
        assert_eq!(handshake.handle(&mut &hello[..1000], &mut out), Ok(false));
        assert!(out.is_empty());
    }
}
