//! Requests for what is to come.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

use crate::{broadcast::Broadcast, http::App};

/// Asks at every change until there is an answer; `None` after `longest`, or when the origin goes
/// down.
pub(super) async fn wait<T>(
    app: &App,
    broadcast: &Broadcast,
    longest: Duration,
    mut ask: impl FnMut() -> Option<T>,
) -> Option<T> {
    let mut changes = broadcast.changes();
    let deadline = Instant::now() + longest;
    let mut waiting = None;
    loop {
        changes.mark_unchanged();
        if let Some(answer) = ask() {
            return Some(answer);
        }
        waiting.get_or_insert_with(|| Waiting::new(app.metrics.requests_waiting.clone()));
        tokio::select! {
            changed = changes.changed() => changed.ok()?,
            () = tokio::time::sleep_until(deadline) => return None,
            () = app.shutdown.cancelled() => return None,
        }
    }
}

/// A request that waits, counted while it does.
struct Waiting(Gauge);

impl Waiting {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}
