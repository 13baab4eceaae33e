//! Following a policy that changes.

use std::{io, path::Path, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use super::{Policy, Seen};
use crate::InvalidModule;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Reads the policy at `path` anew whenever one of its files has changed, or on SIGHUP, and hands
/// it to `take`. While the files are not in order the policy before stays. Never ends, unless it
/// cannot listen for the signal.
pub(crate) async fn follow(
    path: &Path,
    pop: &str,
    mut take: impl FnMut(&Policy) -> Result<(), InvalidModule>,
) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut seen = Seen::now(path);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! {
            _ = look.tick() => false,
            _ = hangup.recv() => true,
        };
        let now = Seen::now(path);
        if !asked && now == seen {
            continue;
        }
        seen = now;
        let taken = match Policy::read(path, pop) {
            Ok(policy) => take(&policy).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match taken {
            Ok(()) => info!(path = %path.display(), "policy read anew"),
            Err(error) => warn!(error, "the policy changed; the policy before stays"),
        }
    }
}
