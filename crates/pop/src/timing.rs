//! Where the time of a request went, as `Server-Timing` tells a browser (W3C Server Timing).

use std::{io::Write, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::metrics::Outcome;

/// Who may read it is said by `Timing-Allow-Origin`, which the edge module sets.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

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
        // Writing to memory cannot fail.
        let _ = write!(
            text,
            "cache;desc={}, edge;dur={:.3}",
            outcome.as_str(),
            ms(self.edge)
        );
        if let Some(origin) = self.origin {
            let _ = write!(text, ", origin;dur={:.1}", ms(origin));
        }
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
            head.insert(SERVER_TIMING, value);
        }
    }
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
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
            edge,
            origin: Some(Duration::from_millis(120)),
        };
        check(
            miss,
            Outcome::Collapsed,
            "cache;desc=collapsed, edge;dur=0.004, origin;dur=120.0",
        );
    }
}
