//! One upstream request per key at a time. A flight is a task of its own, so that it lands whether
//! or not the viewer who caused it is still there.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{FutureExt, future::Shared};
use http::StatusCode;
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::{
    cache::{Head, Hit},
    growth::Grown,
    shelf::{Board, Boarding},
    upstream::FetchError,
};

/// What everyone who waits for a flight gets.
pub(crate) type Landing = Result<Landed, FetchError>;

/// An answer that a flight brought.
#[derive(Clone, Debug)]
pub(crate) enum Landed {
    /// The whole of it.
    Whole {
        hit: Hit,
        /// Whether it was on the disk, and the origin was not asked.
        from_disk: bool,
    },
    /// A body that is passed on while it comes.
    Growing(Arc<Growing>),
}

/// An answer whose body still comes.
#[derive(Debug)]
pub(crate) struct Growing {
    pub(crate) status: StatusCode,
    pub(crate) head: Head,
    pub(crate) body: Grown,
}

/// A seat on a flight.
pub(crate) type Seat = Shared<oneshot::Receiver<Landing>>;

/// Flights under way, by key.
#[derive(Default)]
pub(crate) struct Flights(Mutex<Board<Seat>>);

/// What [`Flights::board`] found.
pub(crate) enum Boarded {
    /// There was an answer already.
    Landed(Hit),
    /// A flight was under way.
    Joined(Seat),
    /// This request caused one.
    Started(Seat),
}

impl Flights {
    /// Joins the flight for `key`; without one, starts `fly` as a task, unless `landed` finds the
    /// answer of one that has just landed.
    pub(crate) fn board<F>(
        self: &Arc<Self>,
        key: &Arc<str>,
        landed: impl FnOnce() -> Option<Hit>,
        fly: impl FnOnce(Lander) -> F,
    ) -> Boarded
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut board = self.lock();
        if !board.is_flying(key)
            && let Some(hit) = landed()
        {
            return Boarded::Landed(hit);
        }
        let mut sender = None;
        let boarding = board.board(key, || {
            let (land, seat) = oneshot::channel();
            sender = Some(land);
            seat.shared()
        });
        drop(board);
        let seat = match boarding {
            Boarding::Follows(seat) => return Boarded::Joined(seat),
            Boarding::Leads(seat) => seat,
        };
        let flight = fly(Lander {
            seats: sender,
            board: OffTheBoard {
                flights: self.clone(),
                key: key.clone(),
            },
        });
        // What is logged of it belongs to the request that caused it.
        tokio::spawn(flight.in_current_span());
        Boarded::Started(seat)
    }

    fn lock(&self) -> MutexGuard<'_, Board<Seat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a flight. One that is dropped before has no answer.
pub(crate) struct Lander {
    seats: Option<oneshot::Sender<Landing>>,
    board: OffTheBoard,
}

impl Lander {
    /// Gives everyone what came. It must be kept by now, if it is to be kept.
    pub(crate) fn land(mut self, landing: Landing) {
        let seats = self.seats.take();
        drop(self.board);
        if let Some(seats) = seats {
            // Everyone may have left.
            let _ = seats.send(landing);
        }
    }

    /// Gives everyone what came so far. Whoever asks before the flight is dropped gets the same.
    pub(crate) fn announce(&mut self, landing: Landing) {
        if let Some(seats) = self.seats.take() {
            let _ = seats.send(landing);
        }
    }
}

/// Takes a flight off the board even if its task panics.
struct OffTheBoard {
    flights: Arc<Flights>,
    key: Arc<str>,
}

impl Drop for OffTheBoard {
    fn drop(&mut self) {
        self.flights.lock().land(&self.key);
    }
}
