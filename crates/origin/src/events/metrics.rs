//! What the event pipeline counts about itself, for `/metrics`.

use prometheus_client::{metrics::counter::Counter, registry::Registry};
use weir_stats::{
    batch::{Answers, Batch, Reason, Status},
    fold::Folded,
};

/// Counters of one event pipeline. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct EventMetrics {
    accepted: Counter,
    refused: Counter,
    quarantined_late: Counter,
    quarantined_early: Counter,
    duplicates: Counter,
    batches_unanswered: Counter,
    pub(super) blocks_lost: Counter,
    pub(super) consumer_restarts: Counter,
}

impl EventMetrics {
    /// Registers everything under `weir_events_…`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("weir_events");
        let counters = [
            ("accepted", "Events taken and made durable", &self.accepted),
            ("refused", "Events refused with a reason", &self.refused),
            (
                "quarantined_late",
                "Of the refused, events that happened more than 48 h before they came",
                &self.quarantined_late,
            ),
            (
                "quarantined_early",
                "Of the refused, events that lie more than 5 min in the future",
                &self.quarantined_early,
            ),
            (
                "duplicates",
                "Events that had come before, so that they did not count again",
                &self.duplicates,
            ),
            (
                "batches_unanswered",
                "Batches that could not be made durable; players send them again",
                &self.batches_unanswered,
            ),
            (
                "blocks_lost",
                "Blocks of the log that were damaged",
                &self.blocks_lost,
            ),
            (
                "consumer_restarts",
                "Times that a consumer began again after a fault",
                &self.consumer_restarts,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
    }

    pub(super) fn answered<E>(&self, answers: Result<&Answers, &E>) {
        let Ok(answers) = answers else {
            self.batches_unanswered.inc();
            return;
        };
        for answer in &answers.results {
            match answer.status {
                Status::Accepted => self.accepted.inc(),
                Status::Refused => self.refused.inc(),
            };
        }
    }

    /// Counts the events of an answered batch that lie outside the window of time.
    pub(super) fn quarantined(&self, batch: &Batch) {
        for refusal in batch.events.iter().filter_map(|event| event.as_ref().err()) {
            match refusal.reason {
                Reason::TooLate(_) => self.quarantined_late.inc(),
                Reason::TooEarly(_) => self.quarantined_early.inc(),
                _ => continue,
            };
        }
    }

    pub(super) fn folded(&self, folded: Folded) {
        self.duplicates.inc_by(folded.duplicates);
    }
}
