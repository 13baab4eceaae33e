//! How doors close: everyone inside is asked to leave, and waited for.

use tokio::sync::watch;

/// The host's side. What it gives out is held by whatever is to be waited for.
pub(crate) struct Drain(watch::Sender<bool>);

/// The guests' side.
#[derive(Clone)]
pub(crate) struct Leave(watch::Receiver<bool>);

impl Drain {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// For someone who comes in.
    pub(crate) fn leave(&self) -> Leave {
        Leave(self.0.subscribe())
    }

    /// Asks everyone to leave and waits until they have.
    pub(crate) async fn finish(self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}

impl Leave {
    /// Whether everyone is asked to leave.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Completes once everyone is asked to leave.
    pub(crate) async fn asked(&mut self) {
        // A drain that is gone asks for the same.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}
