//! What one address may do how often. Another edge that asks has counted its viewers itself.

use weir_edge_abi::{Config, Limit, Rate, Request};

/// Posting of comments.
pub fn comments(config: &Config, request: &Request<'_>) -> Option<Limit> {
    limit(0, config.limits.comments, request)
}

/// Posting of batches of events.
pub fn events(config: &Config, request: &Request<'_>) -> Option<Limit> {
    limit(1, config.limits.events, request)
}

/// Asking for session tickets.
pub fn sessions(config: &Config, request: &Request<'_>) -> Option<Limit> {
    limit(2, config.limits.sessions, request)
}

/// Reactions: as fast as a hand taps, for a moment. What they cost does not depend on how large a
/// room is, so that the bound is the same everywhere.
pub fn reactions(request: &Request<'_>) -> Option<Limit> {
    let rate = Rate {
        per_minute: 120,
        burst: 20,
    };
    limit(3, rate, request)
}

fn limit(bucket: u8, rate: Rate, request: &Request<'_>) -> Option<Limit> {
    let Rate { per_minute, burst } = rate;
    (per_minute > 0 && !request.by_edge).then_some(Limit {
        bucket,
        per_minute,
        burst,
    })
}
