//! Where the time of a request went, as `Server-Timing` tells a browser (W3C Server Timing).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::metrics::Outcome;

/// Who may read it is said by `Timing-Allow-Origin`, which the edge module sets.
pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Where the time of one request went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timing {
    /// In the edge module.
    pub(crate) edge: Duration,
    /// Waiting for the origin, by oneself or with others.
    pub(crate) origin: Option<Duration>,
}

impl Timing {
    /// Says it in an answer's header.
    pub(crate) fn tell(&self, outcome: Outcome, head: &mut HeaderMap) {
        let mut text = Vec::with_capacity(64);
        self.push(outcome, &mut text);
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
            head.insert(SERVER_TIMING, value);
        }
    }

    /// The value of the header field. It is said in every answer, and floating point would be the
    /// dearest thing about a hit's head.
    pub(crate) fn push(&self, outcome: Outcome, text: &mut Vec<u8>) {
        text.extend_from_slice(b"cache;desc=");
        text.extend_from_slice(outcome.as_str().as_bytes());
        text.extend_from_slice(b", edge;dur=");
        let micros = self.edge.as_micros() as u64;
        push_ms(text, micros / 1000, micros % 1000, 3);
        if let Some(origin) = self.origin {
            text.extend_from_slice(b", origin;dur=");
            let tenths = origin.as_micros() as u64 / 100;
            push_ms(text, tenths / 10, tenths % 10, 1);
        }
    }
}

/// `whole.fraction`, with so many digits behind the point.
fn push_ms(text: &mut Vec<u8>, whole: u64, fraction: u64, digits: u32) {
    text.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    text.push(b'.');
    for place in (0..digits).rev() {
        let digit = fraction / 10_u64.pow(place) % 10;
        text.push(b'0' + digit as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_waited_for_is_told() {
        let check = |timing: Timing, outcome, expected| {
            let mut head = HeaderMap::new();
            timing.tell(outcome, &mut head);
            assert_eq!(head[SERVER_TIMING], expected);
        };
        let edge = Duration::from_micros(4);
        let hit = Timing { edge, origin: None };
        check(hit, Outcome::Hit, "cache;desc=hit, edge;dur=0.004");
        let miss = Timing {
            edge: Duration::from_micros(12_034),
            origin: Some(Duration::from_micros(120_399)),
        };
        check(
            miss,
            Outcome::Collapsed,
            "cache;desc=collapsed, edge;dur=12.034, origin;dur=120.3",
        );
    }
}
