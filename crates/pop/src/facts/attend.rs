//! What goes on beside the requests: the policy is followed, pathways are asked.

use std::sync::{Arc, PoisonError};

use tracing::warn;

use super::{Facts, probe};
use crate::{policy, rollout::Rollouts};

impl Facts {
    /// From now on follows the policy, if it can change, for this edge and for its modules. Once is
    /// enough.
    pub(crate) fn attend(self: &Arc<Self>, source: &policy::Source, rollouts: &Arc<Rollouts>) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !source.changes() || task.is_some() {
            return;
        }
        let source = source.clone();
        let (facts, rollouts) = (self.clone(), rollouts.clone());
        let following = async move {
            let take = |policy: &policy::Policy| {
                // The module first: what it verifies with the keys of before is forgotten after.
                rollouts.tell(&policy.config)?;
                facts.follow(policy);
                Ok(())
            };
            tokio::select! {
                ended = source.follow(take) => {
                    if let Err(error) = ended {
                        warn!(%error, "the policy is not followed");
                    }
                }
                () = probe::watch(&facts) => {}
            }
        };
        *task = Some(tokio::spawn(following).abort_handle());
    }

    /// Ends that.
    pub(crate) fn rest(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = &*task {
            task.abort();
        }
    }
}
