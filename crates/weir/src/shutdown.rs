//! How a role is asked to end.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

/// Listens for SIGINT and SIGTERM from now on; the future completes with the first.
pub(crate) fn asked() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => info!("interrupted, draining"),
            _ = terminate.recv() => info!("asked to end, draining"),
        }
    })
}
