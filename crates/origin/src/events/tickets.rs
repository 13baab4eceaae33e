//! Whose events are taken: those that come with a session ticket of an edge, at a viewer's pace.
//!
//! What a ticket vouches for is said in [`weir_stats::ticketed`]; here are the keys, whether events
//! need tickets at all, and how many of them one session may send.

mod pace;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use tokio::sync::watch;
use weir_model::{
    WallTime,
    ticket::{Ticket, TicketError, TicketKeys},
};
use weir_stats::{
    batch::{Batch, Event, Reason, Refusal},
    schema::EventType,
    ticketed::{NotVouchedFor, vouch},
};

use self::pace::Pace;
use crate::http::pop::Neighbour;

/// How events are believed.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What edges sign tickets with, the latest; without any, no ticket can be verified, and none is
    /// needed.
    pub keys: Option<watch::Receiver<TicketKeys>>,
    /// Take events that come without a ticket, too.
    pub optional: bool,
}

/// Lets events in. Clones are handles to the same.
#[derive(Clone, Debug)]
pub struct Tickets {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    /// The point of presence in this process, which may have a key of its own.
    beside: Option<Arc<dyn Neighbour>>,
    pace: Pace,
    unverified: Family<UnverifiedLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UnverifiedLabels {
    r#type: &'static str,
    reason: &'static str,
}

/// A session sends more than a player does. None of the batch was taken; it may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast {
    /// After so long.
    pub wait: Duration,
}

impl Tickets {
    /// Tickets signed with the keys of `options`, or by the edge `beside` the origin.
    pub fn new(options: Options, beside: Option<Arc<dyn Neighbour>>) -> Self {
        Self {
            shared: Arc::new(Shared {
                options,
                beside,
                pace: Pace::default(),
                unverified: Family::default(),
            }),
        }
    }

    /// Registers `weir_events_unverified_total`.
    pub fn register(&self, registry: &mut Registry) {
        registry.sub_registry_with_prefix("weir_events").register(
            "unverified",
            "Events refused because no good session ticket stood for them",
            self.shared.unverified.clone(),
        );
    }

    /// Refuses, one by one, the events of a batch that no ticket stands for. `wall` is the time of the
    /// edges' clocks, `now` the same moment for measuring. Gives what is wrong with the ticket, if it
    /// is: with a new one, the events could be sent again.
    ///
    /// # Errors
    /// If the session sends too many.
    pub fn admit(
        &self,
        batch: &mut Batch,
        wall: WallTime,
        now: Instant,
    ) -> Result<Option<TicketError>, TooFast> {
        let keys = self.keys();
        let verified = batch
            .ticket
            .as_deref()
            .map(|text| Ticket::verify(text, &keys, wall));
        let types: Vec<_> = batch.events.iter().map(type_of).collect();
        let wrong = match verified {
            // Nobody here could tell a good one from a bad one.
            _ if keys.is_empty() => None,
            None if self.shared.options.optional => None,
            None => {
                batch.refuse(|_| Some(Reason::Ticket(NotVouchedFor::NoTicket)));
                None
            }
            Some(Err(error)) => {
                batch.refuse(|_| Some(Reason::Ticket(NotVouchedFor::BadTicket)));
                Some(error)
            }
            Some(Ok(ticket)) => {
                vouch(batch, &ticket, wall);
                None
            }
        };
        // What was refused takes nothing of the session's share, so that nobody spends another's.
        let accepted = batch.accepted().count();
        self.shared.pace.take(&batch.session, accepted, now)?;
        for (event, refused) in types.into_iter().zip(&batch.events) {
            if let (Some(event), Err(refusal)) = (event, refused)
                && let Reason::Ticket(reason) = &refusal.reason
            {
                let labels = UnverifiedLabels {
                    r#type: event.as_str(),
                    reason: reason.word(),
                };
                self.shared.unverified.get_or_create(&labels).inc();
            }
        }
        Ok(wrong)
    }

    fn keys(&self) -> TicketKeys {
        let given = self.shared.options.keys.as_ref();
        let given = given.map(|keys| keys.borrow().clone()).unwrap_or_default();
        let beside = self.shared.beside.as_ref();
        match beside.and_then(|beside| beside.ticket_key()) {
            Some(key) if given.iter().all(|given| *given != key) => {
                given.iter().cloned().chain([key]).collect()
            }
            _ => given,
        }
    }
}

fn type_of(event: &Result<Event, Refusal>) -> Option<EventType> {
    event.as_ref().ok().map(|event| event.event)
}

#[cfg(test)]
#[path = "tickets/tests.rs"]
mod tests;
