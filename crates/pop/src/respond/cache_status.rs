//! `Cache-Status` (RFC 9211): what the cache did for an answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

/// The header field.
pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What the cache did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheStatus {
    /// It had a fresh answer, in memory or on the disk.
    Hit { ttl: Duration, from_disk: bool },
    /// The origin failed, and an old answer stands in.
    Stale,
    /// The origin was asked.
    Asked {
        /// By another request, at the same time.
        collapsed: bool,
        /// What it answered.
        status: StatusCode,
        /// Whether its answer is kept.
        stored: bool,
    },
    /// It was not looked at: such requests go to the origin always.
    Passed,
}

impl CacheStatus {
    /// The field's value.
    pub(crate) fn to_value(self) -> HeaderValue {
        let mut text = Vec::with_capacity(48);
        self.push(&mut text);
        HeaderValue::from_maybe_shared(Bytes::from(text))
            .unwrap_or(HeaderValue::from_static("weir"))
    }

    /// The same, as text.
    pub(crate) fn push(self, text: &mut Vec<u8>) {
        let mut push = |part: &str| text.extend_from_slice(part.as_bytes());
        match self {
            Self::Hit { ttl, from_disk } => {
                push("weir; hit; ttl=");
                push(itoa::Buffer::new().format(ttl.as_secs()));
                if from_disk {
                    push("; detail=disk");
                }
            }
            Self::Stale => push("weir; hit; detail=stale"),
            Self::Passed => push("weir; fwd=method"),
            Self::Asked {
                collapsed,
                status,
                stored,
            } => {
                push("weir; fwd=miss");
                if status != StatusCode::OK {
                    push("; fwd-status=");
                    push(status.as_str());
                }
                if collapsed {
                    push("; collapsed");
                }
                if stored {
                    push("; stored");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_done() {
        let check = |status: CacheStatus, expected| assert_eq!(status.to_value(), expected);
        let ttl = Duration::from_millis(2900);
        let hit = |from_disk| CacheStatus::Hit { ttl, from_disk };
        check(hit(false), "weir; hit; ttl=2");
        check(hit(true), "weir; hit; ttl=2; detail=disk");
        check(CacheStatus::Stale, "weir; hit; detail=stale");
        let asked = |collapsed, status, stored| CacheStatus::Asked {
            collapsed,
            status,
            stored,
        };
        check(asked(false, StatusCode::OK, true), "weir; fwd=miss; stored");
        check(
            asked(true, StatusCode::NOT_FOUND, true),
            "weir; fwd=miss; fwd-status=404; collapsed; stored",
        );
        check(
            asked(true, StatusCode::OK, false),
            "weir; fwd=miss; collapsed",
        );
        check(CacheStatus::Passed, "weir; fwd=method");
    }
}
