//! The edge module: generations of it, and the instances that threads ask.
//!
//! A call takes well under a microsecond, so it runs on the thread that has the request. Each
//! thread has a slot with an instance of its own; an instance is replaced after a number of calls
//! and after a trap, so that nothing a call left behind outlives it for long.
//!
//! One generation is stable. Beside it there may be a candidate, which decides for a share of the
//! videos. A guest is pure, so whoever is asked on trial can be compared exactly: the stable
//! generation is asked the same question, and what it says is what would have happened. It also
//! steps in where the candidate gives no answer, so that no viewer pays for a trial.
//!
//! - [`module`]: compiled modules
//! - [`instance`]: instances, their deadline and memory bound
//! - [`line_up`]: which generation decides what
//! - [`tally`]: what is counted of a candidate

mod instance;
mod line_up;
mod module;
mod tally;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use http::StatusCode;
use tokio::sync::Notify;
use tracing::warn;
use weir_edge_abi::{BodyCheck, Plan, Request, Verdict};

pub use self::module::InvalidModule;
pub(crate) use self::{
    instance::{CallError, Guest},
    line_up::{Generation, Share},
    module::{ConfigMessage, Module},
    tally::Tally,
};
use self::{
    instance::{Question, Seat},
    line_up::{LineUp, Trial},
    tally::{Compared, Times},
};

/// All generations of the edge module that are in use.
pub(crate) struct Guests {
    slots: Box<[Mutex<Slot>]>,
    line_up: Mutex<Arc<LineUp>>,
    /// How often `line_up` has changed: a slot that is behind takes the new one up.
    changes: AtomicU64,
    alarm: Notify,
}

/// Who made a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Author<'g> {
    /// What the keys of its cache entries begin with. Targets begin with a slash, this with
    /// anything else or nothing, so that no entry is in two namespaces.
    pub(crate) namespace: &'g str,
    /// To be handed back with the body that the plan asks for, and with the answer's status.
    pub(crate) mark: Mark,
}

/// Which generation made a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    generation: u64,
    /// Whether it is on trial and the plan its own: the stable generation would do something else.
    liable: bool,
}

/// What one thread works with.
struct Slot {
    line_up: Arc<LineUp>,
    stable: Seat,
    candidate: Seat,
    tally: Tally,
}

impl Guests {
    /// With `stable` alone.
    pub(crate) fn new(stable: Generation) -> Self {
        let line_up = Arc::new(LineUp::new(stable));
        let slots = (0..slot_count()).map(|_| Mutex::new(Slot::new(line_up.clone())));
        Self {
            slots: slots.collect(),
            changes: AtomicU64::new(line_up.change),
            line_up: Mutex::new(line_up),
            alarm: Notify::new(),
        }
    }

    /// Compiles a module of which every slot can have an instance.
    pub(crate) fn compile(bytes: &[u8], config: ConfigMessage) -> Result<Module, InvalidModule> {
        Module::compile(bytes, config, slot_count())
    }

    /// Asks what to do with `request` and hands the plan to `then`, which is to be quick: the
    /// instance is held meanwhile.
    pub(crate) fn decide<T>(
        &self,
        request: &Request<'_>,
        then: impl FnOnce(Plan<'_>, Author<'_>) -> T,
    ) -> Result<T, CallError> {
        self.ask(
            request,
            |trial| trial.decides(request.path),
            |mut plan: Plan<'_>, stable: Option<Plan<'_>>, author| {
                if let Some(stable) = stable {
                    // What is remembered outlives the trial and is handed to all.
                    plan.remember = stable.remember;
                }
                then(plan, author)
            },
        )
    }

    /// Asks the generation that made a plan whether the body that came with the request may be
    /// sent on.
    pub(crate) fn check_body<T>(
        &self,
        mark: Mark,
        check: &BodyCheck<'_>,
        then: impl FnOnce(Verdict<'_>) -> T,
    ) -> Result<T, CallError> {
        self.ask(
            check,
            |trial| trial.generation.number == mark.generation,
            |verdict, _, _| then(verdict),
        )
    }

    /// Counts the answer that a viewer got under a plan, be it the edge's or the origin's.
    pub(crate) fn answered(&self, mark: Mark, status: StatusCode) {
        if !mark.liable || !(status.is_client_error() || status.is_server_error()) {
            return;
        }
        let mut slot = self.slot();
        if slot.line_up.is_on_trial(mark.generation) {
            slot.tally.errors += 1;
        }
    }

    /// Lets a candidate, in the place of any other, decide for a share of the videos.
    pub(crate) fn try_out(&self, generation: Generation, share: Share) {
        let generation = Arc::new(generation);
        self.change(|now| (now.stable.clone(), Some(Trial { generation, share })));
    }

    /// Changes the candidate's share.
    pub(crate) fn give(&self, share: Share) {
        let has = |line_up: &LineUp| line_up.trial.as_ref().map(|trial| trial.share);
        if has(&self.line_up()) == Some(share) {
            return;
        }
        self.change(|now| {
            let trial = now.trial.clone();
            (
                now.stable.clone(),
                trial.map(|trial| Trial { share, ..trial }),
            )
        });
    }

    /// Makes the candidate the stable generation. The one before is gone when this returns, as
    /// soon as its calls under way are.
    pub(crate) fn adopt(&self) {
        self.change(|now| {
            let winner = now.trial.as_ref().map(|trial| &trial.generation);
            (winner.unwrap_or(&now.stable).clone(), None)
        });
    }

    /// Goes on with the stable generation alone.
    pub(crate) fn dismiss(&self) {
        self.change(|now| (now.stable.clone(), None));
    }

    /// What was counted of the candidate since this was last asked.
    pub(crate) fn take_tally(&self) -> Tally {
        let mut sum = Tally::default();
        for slot in &self.slots {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            sum += std::mem::take(&mut slot.tally);
        }
        sum
    }

    /// Waits for a failure of the candidate.
    pub(crate) async fn alarm(&self) {
        self.alarm.notified().await;
    }

    fn change(&self, next: impl FnOnce(&LineUp) -> (Arc<Generation>, Option<Trial>)) {
        let line_up = {
            let mut line_up = self.line_up();
            let (stable, trial) = next(&line_up);
            *line_up = Arc::new(LineUp {
                change: line_up.change + 1,
                stable,
                trial,
            });
            self.changes.store(line_up.change, Ordering::Release);
            line_up.clone()
        };
        // Threads that have nothing to do must not keep what is over.
        for slot in &self.slots {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.take_up(&line_up);
        }
    }

    fn ask<Q: Question, T>(
        &self,
        question: &Q,
        is_tried: impl FnOnce(&Trial) -> bool,
        then: impl for<'g> FnOnce(Q::Answer<'g>, Option<Q::Answer<'g>>, Author<'g>) -> T,
    ) -> Result<T, CallError> {
        let mut slot = self.slot();
        let Slot {
            line_up,
            stable: seat,
            candidate,
            tally,
        } = &mut *slot;
        let stable = &line_up.stable;
        let Some(trial) = line_up.trial.as_ref().filter(|trial| is_tried(trial)) else {
            let answer = seat.ask(&stable.module, question);
            let result = answer.map(|answer| then(answer, None, stable.author(false)));
            seat.clear_after(&result);
            return result;
        };

        let (result, tried_failed, control_failed) = {
            // One that is seldom asked is cold, and would look slow beside one that is not.
            let timing = tally.is_timing()
                && candidate.warm(&trial.generation.module, question)
                && seat.warm(&stable.module, question);
            let began = Instant::now();
            let tried = candidate.ask(&trial.generation.module, question);
            let took = began.elapsed();
            let control = seat.ask(&stable.module, question);
            let control_took = began.elapsed() - took;
            let (tried_failed, control_failed) = (has_failed(&tried), has_failed(&control));
            let refuses = |answer: &Result<_, _>| matches!(answer, Ok(a) if Q::refuses(a));
            tally.count(Compared {
                failed: tried_failed && !control_failed,
                refused: refuses(&tried) && !refuses(&control),
                times: timing.then_some(Times { took, control_took }),
            });
            let result = match (tried, control) {
                (Ok(answer), Ok(control)) => {
                    let differs = !Q::agree(&answer, &control);
                    let author = trial.generation.author(differs);
                    Ok(then(answer, Some(control), author))
                }
                (Ok(answer), Err(_)) => Ok(then(answer, None, trial.generation.author(true))),
                (Err(error), control) => {
                    if tried_failed {
                        warn!(%error, "the edge module on trial failed");
                        self.alarm.notify_one();
                    }
                    control.map(|answer| then(answer, None, stable.author(false)))
                }
            };
            (result, tried_failed, control_failed)
        };
        if tried_failed {
            candidate.clear();
        }
        if control_failed {
            seat.clear();
        }
        result
    }

    /// This thread's slot, or else any free one, with the current line-up.
    fn slot(&self) -> MutexGuard<'_, Slot> {
        let mut slot = self.any_slot();
        if slot.line_up.change != self.changes.load(Ordering::Acquire) {
            slot.take_up(&self.line_up());
        }
        slot
    }

    fn line_up(&self) -> MutexGuard<'_, Arc<LineUp>> {
        self.line_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn any_slot(&self) -> MutexGuard<'_, Slot> {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        let own = THREAD.with(|thread| thread % self.slots.len());
        let (before, from_own) = self.slots.split_at(own);
        for slot in from_own.iter().chain(before) {
            match slot.try_lock() {
                Ok(slot) => return slot,
                Err(TryLockError::Poisoned(slot)) => return slot.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.slots[own]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn new(line_up: Arc<LineUp>) -> Self {
        Self {
            line_up,
            stable: Seat::default(),
            candidate: Seat::default(),
            tally: Tally::default(),
        }
    }

    /// Goes on with a newer line-up. Instances of generations that are in it stay.
    fn take_up(&mut self, newer: &Arc<LineUp>) {
        if self.line_up.change >= newer.change {
            return;
        }
        let older = std::mem::replace(&mut self.line_up, newer.clone());
        let was_on_trial = |generation: &Arc<Generation>| older.is_on_trial(generation.number);
        if was_on_trial(&newer.stable) {
            self.stable = std::mem::take(&mut self.candidate);
        } else if older.stable.number != newer.stable.number {
            self.stable.clear();
        }
        if !newer
            .trial
            .as_ref()
            .is_some_and(|trial| was_on_trial(&trial.generation))
        {
            self.candidate.clear();
            self.tally = Tally::default();
        }
    }
}

impl Generation {
    fn author(&self, liable: bool) -> Author<'_> {
        Author {
            namespace: &self.namespace,
            mark: Mark {
                generation: self.number,
                liable,
            },
        }
    }
}

impl Seat {
    fn clear_after<T>(&mut self, result: &Result<T, CallError>) {
        if has_failed(result) {
            self.clear();
        }
    }
}

fn has_failed<T>(result: &Result<T, CallError>) -> bool {
    matches!(result, Err(error) if error.is_failure())
}

/// Twice the threads that can run: one that is held up gives its place to another.
fn slot_count() -> usize {
    2 * thread::available_parallelism().map_or(2, usize::from)
}

#[cfg(test)]
#[path = "guest_tests.rs"]
mod tests;
