//! One upstream request per target at a time. A flight is a task of its own, so that it lands
//! whether or not the viewer who caused it is still there.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{FutureExt, future::Shared};
use tokio::sync::oneshot;

use crate::{cache::Stored, origin::FetchError};

/// What everyone who waits for a flight gets.
pub(crate) type Landing = Result<Arc<Stored>, FetchError>;

/// A seat on a flight.
pub(crate) type Seat = Shared<oneshot::Receiver<Landing>>;

/// Flights under way, by target.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<Arc<str>, Seat>>);

/// What [`Flights::board`] found.
pub(crate) enum Boarding {
    /// There was an answer already.
    Landed(Arc<Stored>),
    /// A flight was under way.
    Joined(Seat),
    /// This request caused one.
    Started(Seat),
}

impl Flights {
    /// Joins the flight for `target`; without one, starts `fly` as a task, unless `landed` finds
    /// the answer of one that has just landed.
    ///
    /// `fly` must have stored its answer, if it is to be stored, before it completes.
    pub(crate) fn board<F>(
        self: &Arc<Self>,
        target: &Arc<str>,
        landed: impl FnOnce() -> Option<Arc<Stored>>,
        fly: impl FnOnce() -> F,
    ) -> Boarding
    where
        F: Future<Output = Landing> + Send + 'static,
    {
        let mut under_way = self.under_way();
        if let Some(seat) = under_way.get(target) {
            return Boarding::Joined(seat.clone());
        }
        if let Some(stored) = landed() {
            return Boarding::Landed(stored);
        }
        let (land, seat) = oneshot::channel();
        let seat = seat.shared();
        under_way.insert(target.clone(), seat.clone());
        drop(under_way);

        let off_the_board = OffTheBoard {
            flights: self.clone(),
            target: target.clone(),
        };
        let flight = fly();
        tokio::spawn(async move {
            let landing = flight.await;
            drop(off_the_board);
            // Everyone may have left.
            let _ = land.send(landing);
        });
        Boarding::Started(seat)
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Arc<str>, Seat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight off the board even if its task panics.
struct OffTheBoard {
    flights: Arc<Flights>,
    target: Arc<str>,
}

impl Drop for OffTheBoard {
    fn drop(&mut self) {
        self.flights.under_way().remove(&self.target);
    }
}
