//! Who is there on one connection, and whether they behave.
//!
//! Everything here is counted by those who come and go, and looked at now and then by the task
//! that serves the connection.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::{Duration, Instant},
};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;

/// Requests that may be taken back between two looks.
const MAX_ABANDONED: u32 = 100;
/// How long a body may take to grow to its end.
const GROWTH: Duration = Duration::from_secs(30);

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Attendance {
    /// What bodies' bytes are counted with.
    bytes_out: Counter,
    /// Requests so far.
    visits: AtomicU64,
    /// Requests that are not wholly answered.
    present: AtomicU32,
    /// Requests since the last look that were taken back.
    abandoned: AtomicU32,
    flooded: Notify,
    /// Whether bytes came that may be the beginning of a request.
    pub(crate) unclaimed: AtomicBool,
    /// Whether bytes wait for the peer to take them.
    pub(crate) stalled: AtomicBool,
    /// Of answers that one by one wait for the peer.
    paces: Mutex<Vec<Weak<Pace>>>,
    began: Instant,
}

/// One request, until its answer is sent or it is taken back.
#[derive(Debug)]
pub(crate) struct Visit {
    attendance: Arc<Attendance>,
    /// Whether it is to be counted as one that was taken back.
    abandoned: bool,
}

/// How far an answer has come that the peer takes piece by piece.
#[derive(Debug)]
pub(crate) struct Pace {
    attendance: Arc<Attendance>,
    /// When a piece was last taken, in ms since the connection began.
    taken_ms: AtomicU64,
}

impl Attendance {
    pub(crate) fn new(bytes_out: Counter, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            bytes_out,
            visits: AtomicU64::new(0),
            present: AtomicU32::new(0),
            abandoned: AtomicU32::new(0),
            flooded: Notify::new(),
            unclaimed: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            paces: Mutex::default(),
            began: now,
        })
    }

    /// A request comes.
    pub(crate) fn visit(self: &Arc<Self>) -> Visit {
        self.visits.fetch_add(1, Relaxed);
        self.present.fetch_add(1, Relaxed);
        self.unclaimed.store(false, Relaxed);
        Visit {
            attendance: self.clone(),
            abandoned: true,
        }
    }

    /// Completes once more requests are taken back than can be meant: each has had work done for
    /// it, and none of that is bounded by what the peer takes.
    pub(crate) async fn flooded(&self) {
        self.flooded.notified().await;
    }

    /// Whether no request is under way, and none has begun to come.
    pub(crate) fn is_free(&self) -> bool {
        self.present.load(Acquire) == 0
            && !self.unclaimed.load(Relaxed)
            && !self.stalled.load(Relaxed)
    }

    /// An answer that the peer takes piece by piece.
    pub(crate) fn pace(self: &Arc<Self>, now: Instant) -> Arc<Pace> {
        let pace = Arc::new(Pace {
            attendance: self.clone(),
            taken_ms: AtomicU64::new(self.ms(now)),
        });
        self.paces().push(Arc::downgrade(&pace));
        pace
    }

    fn paces(&self) -> MutexGuard<'_, Vec<Weak<Pace>>> {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ms(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.began).as_millis() as u64
    }

    /// The longest time that an answer's next piece has not been taken.
    fn longest_wait(&self, now: Instant) -> Duration {
        let now = self.ms(now);
        let mut longest = 0;
        self.paces().retain(|pace| {
            let Some(pace) = pace.upgrade() else {
                return false;
            };
            longest = longest.max(now.saturating_sub(pace.taken_ms.load(Relaxed)));
            true
        });
        Duration::from_millis(longest)
    }
}

impl Visit {
    /// What its connection is known by.
    pub(crate) fn attendance(&self) -> &Arc<Attendance> {
        &self.attendance
    }

    /// The answer was sent, as far as it was wanted.
    pub(crate) fn finish(&mut self) {
        self.abandoned = false;
    }

    /// Counts bytes of its answer's body.
    pub(crate) fn sent(&self, bytes: usize) {
        self.attendance.bytes_out.inc_by(bytes as u64);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let attendance = &self.attendance;
        if self.abandoned && attendance.abandoned.fetch_add(1, Relaxed) == MAX_ABANDONED {
            attendance.flooded.notify_one();
        }
        // What was read until now was this request's.
        attendance.unclaimed.store(false, Relaxed);
        attendance.present.fetch_sub(1, Release);
    }
}

impl Pace {
    /// The next piece is there to be taken.
    pub(crate) fn taken(&self, now: Instant) {
        self.taken_ms.store(self.attendance.ms(now), Relaxed);
    }

    /// There is none yet, and none is expected later than [`GROWTH`]: until then it is not the
    /// peer who is waited for.
    pub(crate) fn in_the_house(&self, now: Instant) {
        self.taken(now + GROWTH);
    }
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Stays,
    /// Nobody has been there for so long.
    Quiet(Duration),
    /// Somebody takes nothing of what was asked for.
    Stalled,
}

/// Looks at an [`Attendance`] now and then.
#[derive(Debug)]
pub(crate) struct Watchman {
    attendance: Arc<Attendance>,
    seen: u64,
    quiet_since: Instant,
    /// How long a peer may take nothing.
    patience: Duration,
}

impl Watchman {
    pub(crate) fn new(attendance: Arc<Attendance>, patience: Duration, now: Instant) -> Self {
        Self {
            seen: attendance.visits.load(Relaxed),
            attendance,
            quiet_since: now,
            patience,
        }
    }

    /// Looks. Two looks are to be far enough apart for [`MAX_ABANDONED`] requests between them to
    /// be a flood.
    pub(crate) fn look(&mut self, now: Instant) -> Verdict {
        let attendance = &self.attendance;
        attendance.abandoned.store(0, Relaxed);
        let visits = attendance.visits.load(Relaxed);
        let busy = visits != self.seen || !attendance.is_free();
        self.seen = visits;
        if busy {
            self.quiet_since = now;
        }
        if attendance.longest_wait(now) > self.patience {
            return Verdict::Stalled;
        }
        match busy {
            true => Verdict::Stays,
            false => Verdict::Quiet(now - self.quiet_since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const SECOND: Duration = Duration::from_secs(1);

    fn watched() -> (Arc<Attendance>, Watchman, Instant) {
        let now = Instant::now();
        let attendance = Attendance::new(Counter::default(), now);
        let watchman = Watchman::new(attendance.clone(), PATIENCE, now);
        (attendance, watchman, now)
    }

    #[test]
    fn a_connection_is_quiet_once_nobody_is_there() {
        let (attendance, mut watchman, now) = watched();
        assert_eq!(watchman.look(now + SECOND), Verdict::Quiet(SECOND));
        let mut visit = attendance.visit();
        assert_eq!(watchman.look(now + 2 * SECOND), Verdict::Stays);
        // Who waits for a position is not idle.
        assert_eq!(watchman.look(now + 60 * SECOND), Verdict::Stays);
        visit.finish();
        drop(visit);
        assert_eq!(
            watchman.look(now + 61 * SECOND),
            Verdict::Quiet(SECOND),
            "since the last look"
        );
        attendance.unclaimed.store(true, Relaxed);
        assert_eq!(watchman.look(now + 62 * SECOND), Verdict::Stays);
    }

    #[test]
    fn who_takes_nothing_is_found() {
        let (attendance, mut watchman, now) = watched();
        let _visit = attendance.visit();
        let (slow, held) = (attendance.pace(now), attendance.pace(now));
        held.in_the_house(now + SECOND);
        assert_eq!(watchman.look(now + PATIENCE), Verdict::Stays);
        slow.taken(now + SECOND);
        assert_eq!(watchman.look(now + PATIENCE + SECOND), Verdict::Stays);
        assert_eq!(watchman.look(now + PATIENCE + 2 * SECOND), Verdict::Stalled);
        drop(slow);
        let held_for = GROWTH + PATIENCE + SECOND;
        assert_eq!(watchman.look(now + held_for), Verdict::Stays);
        assert_eq!(watchman.look(now + held_for + SECOND), Verdict::Stalled);
    }

    #[tokio::test]
    async fn requests_that_are_taken_back_are_a_flood() {
        let (attendance, mut watchman, now) = watched();
        let come_and_go = |visits| {
            for _ in 0..visits {
                drop(attendance.visit());
            }
        };
        come_and_go(MAX_ABANDONED);
        watchman.look(now);
        come_and_go(MAX_ABANDONED);
        let flooded = || futures_util::FutureExt::now_or_never(attendance.flooded());
        assert_eq!(flooded(), None);
        come_and_go(1);
        assert_eq!(flooded(), Some(()));
    }
}
