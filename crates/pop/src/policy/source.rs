//! Where a policy comes from: the operator's file, if there is one, and the key of session tickets that
//! this edge shares with its origins, unless the file names another.

use std::path::PathBuf;

use tokio::sync::watch;
use weir_model::ticket::TicketKeys;

use super::{Policy, PolicyError, Seen};

/// What a policy is read from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The operator's file.
    pub(crate) path: Option<PathBuf>,
    /// This edge's name.
    pub(crate) pop: String,
    /// What tickets are signed with where the file says nothing of it, the latest.
    pub(crate) ticket_keys: Option<watch::Receiver<TicketKeys>>,
}

impl Source {
    /// The policy as of now.
    pub(crate) fn read(&mut self) -> Result<Policy, PolicyError> {
        let mut policy = match &self.path {
            Some(path) => Policy::read(path, &self.pop)?,
            None => Policy::none(&self.pop),
        };
        if let Some(keys) = &mut self.ticket_keys {
            let keys = keys.borrow_and_update();
            let ticket_key = &mut policy.config.ticket_key;
            if let Some(key) = keys.first()
                && ticket_key.0.is_empty()
            {
                *ticket_key = key.secret().clone();
            }
        }
        Ok(policy)
    }

    /// Whether it can change.
    pub(crate) fn changes(&self) -> bool {
        self.path.is_some() || self.ticket_keys.is_some()
    }

    /// Whether another key is shared than when the policy was read.
    pub(super) fn has_other_keys(&self) -> bool {
        let keys = self.ticket_keys.as_ref();
        keys.is_some_and(|keys| keys.has_changed().unwrap_or(false))
    }

    /// When its files last changed.
    pub(super) fn seen(&self) -> Option<Seen> {
        self.path.as_deref().map(Seen::now)
    }
}
