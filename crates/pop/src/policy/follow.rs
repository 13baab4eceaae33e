//! Following a policy that changes.

use std::{io, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use super::{Policy, Source};
use crate::InvalidModule;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

impl Source {
    /// Reads the policy anew whenever one of its files or the shared key has changed, or on SIGHUP,
    /// and hands it to `take`. While the files are not in order the policy before stays. Never ends,
    /// unless it cannot listen for the signal.
    pub(crate) async fn follow(
        mut self,
        mut take: impl FnMut(&Policy) -> Result<(), InvalidModule>,
    ) -> io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut seen = self.seen();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = look.tick() => false,
                _ = hangup.recv() => true,
            };
            let now = self.seen();
            if !asked && now == seen && !self.has_other_keys() {
                continue;
            }
            seen = now;
            let taken = match self.read() {
                Ok(policy) => take(&policy).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match taken {
                Ok(()) => info!(path = ?self.path, "policy read anew"),
                Err(error) => warn!(error, "the policy changed; the policy before stays"),
            }
        }
    }
}
