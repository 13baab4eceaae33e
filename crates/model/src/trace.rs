//! Trace context (W3C Trace Context, level 1): by what lines in the logs of several machines are
//! known to be about one request.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// The header field that carries a [`TraceParent`].
pub const TRACEPARENT: &str = "traceparent";

/// Characters of version 00 (section 3.2.2).
const LEN: usize = 55;

/// Why a field is no trace context.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("no traceparent of W3C Trace Context")]
pub struct InvalidTraceParent;

/// A request's place in a trace: the field `traceparent`. Neither id is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: u128,
    parent_id: u64,
    /// Whether the caller records what it does (section 3.2.2.5, the flag `sampled`).
    pub sampled: bool,
}

impl TraceParent {
    /// The beginning of a trace, with random ids.
    pub fn new(trace_id: [u8; 16], parent_id: [u8; 8], sampled: bool) -> Self {
        Self {
            // Of 2^128 numbers one is none.
            trace_id: u128::from_be_bytes(trace_id).max(1),
            parent_id: u64::from_be_bytes(parent_id).max(1),
            sampled,
        }
    }

    /// The same trace, one call further; the call's id is random.
    #[must_use]
    pub fn child(self, parent_id: [u8; 8]) -> Self {
        Self {
            parent_id: u64::from_be_bytes(parent_id).max(1),
            ..self
        }
    }

    /// The trace's id: 32 hexadecimal digits when written.
    pub fn trace_id(&self) -> TraceId {
        TraceId(self.trace_id)
    }
}

/// Which trace it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(u128);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace_id,
            parent_id,
            sampled,
        } = self;
        write!(
            f,
            "00-{trace_id:032x}-{parent_id:016x}-{:02x}",
            u8::from(*sampled)
        )
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    /// Reads a field as section 3.2 has it; of a later version what this one knows (section 4.1).
    fn from_str(field: &str) -> Result<Self, InvalidTraceParent> {
        let bytes = field.as_bytes();
        let later = bytes.get(LEN) == Some(&b'-');
        let separated = [2, 35, 52].iter().all(|&at| bytes.get(at) == Some(&b'-'));
        let version = hex(bytes, 0..2)?;
        let fits = match version {
            0 => bytes.len() == LEN,
            0xff => false,
            _ => bytes.len() == LEN || later,
        };
        let trace_id = hex(bytes, 3..35)?;
        let parent_id = u64::try_from(hex(bytes, 36..52)?).map_err(|_| InvalidTraceParent)?;
        let flags = hex(bytes, 53..55)?;
        if !separated || !fits || trace_id == 0 || parent_id == 0 {
            return Err(InvalidTraceParent);
        }
        Ok(Self {
            trace_id,
            parent_id,
            sampled: flags & 1 == 1,
        })
    }
}

/// A path as logs may hold it: what stands behind `/t/`, `/whip/` or `/whep/` opens something.
pub fn redacted(path: &str) -> String {
    let mut secret = false;
    let kept = path.split('/').map(|piece| {
        let kept = if secret { "…" } else { piece };
        secret = matches!(piece, "t" | "whip" | "whep");
        kept
    });
    kept.collect::<Vec<_>>().join("/")
}

/// Lower-case digits alone, as the recommendation wants them; at most 32.
fn hex(bytes: &[u8], digits: std::ops::Range<usize>) -> Result<u128, InvalidTraceParent> {
    let digits = bytes.get(digits).ok_or(InvalidTraceParent)?;
    digits.iter().try_fold(0, |number: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return Err(InvalidTraceParent),
        };
        Ok(number << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIELD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_the_recommendation_shows_is_read() {
        let parent: TraceParent = FIELD.parse().unwrap();
        assert!(parent.sampled);
        assert_eq!(
            parent.trace_id().to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(parent.to_string(), FIELD);
        let child = parent.child([0, 0, 0, 0, 0, 0, 0, 9]);
        assert_eq!(
            child.to_string(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000009-01"
        );
        let later = format!("01{}-more", &FIELD[2..]);
        assert_eq!(later.parse(), Ok(parent));
    }

    #[test]
    fn what_is_none_is_refused() {
        let refused = |field: &str| assert!(field.parse::<TraceParent>().is_err(), "{field:?}");
        refused("");
        refused(&FIELD[1..]);
        refused(&format!("{FIELD}-"));
        refused(&format!("ff{}", &FIELD[2..]));
        refused(&FIELD.to_uppercase());
        refused(&FIELD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)));
        refused(&FIELD.replace("00f067aa0ba902b7", &"0".repeat(16)));
        refused(&FIELD.replace('-', "_"));
    }

    #[test]
    fn secrets_stay_out_of_logs() {
        assert_eq!(redacted("/t/a.b.c/v/x/index.m3u8"), "/t/…/v/x/index.m3u8");
        assert_eq!(redacted("/api/v1/whip/abc"), "/api/v1/whip/…");
        assert_eq!(redacted("/v/x/whep/abc"), "/v/x/whep/…");
        assert_eq!(redacted("/v/x/index.m3u8"), "/v/x/index.m3u8");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), sampled: bool) {
            let parent = TraceParent::new(trace, span, sampled);
            prop_assert_eq!(parent.to_string().parse(), Ok(parent));
        }

        #[test]
        fn nothing_panics(field in ".{0,80}") {
            let _ = field.parse::<TraceParent>();
        }
    }
}
