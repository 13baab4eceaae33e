//! Where a point of presence stands with its modules, and what follows from what it is told. No
//! clock, no disk, no network: `driver` has those.

use std::time::Instant;

use weir_model::rollout::{
    Candidate, MAX_REASON, Manifest, ModuleHash, ModuleRef, Orders, Progress, Rollout, State,
    Status, shortened,
};

use super::{
    judge::{Judge, Pace, Ruling},
    store::{Memory, Rejected},
};
use crate::guest::{Share, Tally};

/// The course of roll-outs at one point of presence.
pub(crate) struct Course {
    stable: ModuleRef,
    trial: Option<Trial>,
    progress: Option<Progress>,
    memory: Memory,
    refused: u64,
    rolled_back: u64,
}

struct Trial {
    rollout: u64,
    manifest: Manifest,
    judge: Judge,
    share: Share,
}

/// What is to be done about a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is none.
    Nothing,
    /// It gets this share; the next step is due then.
    Give(Share, Instant),
    /// It becomes the stable module, which is to be kept.
    Adopt,
    /// It goes, which is to be kept in mind.
    Dismiss,
}

impl Course {
    /// From `stable` on, with what is remembered of an earlier life.
    pub(crate) fn new(stable: ModuleRef, memory: Memory) -> Self {
        Self {
            stable,
            trial: None,
            progress: None,
            memory,
            refused: 0,
            rolled_back: 0,
        }
    }

    /// What the origin is told.
    pub(crate) fn status(&self) -> Status {
        let candidate = self.trial.as_ref().map(|trial| {
            let heard = trial.judge.heard();
            Candidate {
                module: name(&trial.manifest),
                share: trial.share.ten_thousandths(),
                calls: heard.calls,
                failures: heard.failures,
            }
        });
        Status {
            stable: self.stable.clone(),
            candidate,
            rollout: self.progress.clone(),
            refused: self.refused,
            rolled_back: self.rolled_back,
        }
    }

    /// What is to outlive the process.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Takes orders: gives the roll-out whose module is to be fetched and tried, if there is one.
    /// A candidate that is not wanted any more is to be dismissed by [`Self::supersede`].
    pub(crate) fn order(&mut self, orders: &Orders) -> Option<Rollout> {
        let rollout = orders.rollout.as_ref()?;
        let sha256 = rollout.manifest.sha256;
        if self
            .trial
            .as_ref()
            .is_some_and(|trial| trial.manifest.sha256 == sha256)
        {
            return None;
        }
        if self.stable.sha256 == sha256 {
            self.reach(rollout.number, State::Adopted, None);
            return None;
        }
        if self.has_failed(rollout.number) {
            return None;
        }
        if let Some(rejected) = self.memory.rejection(sha256)
            && (!rollout.again || rejected.rollout >= rollout.number)
        {
            let reason = format!("rolled back before: {}", rejected.reason);
            self.reach(rollout.number, State::RolledBack, Some(reason));
            return None;
        }
        self.reach(rollout.number, State::Fetching, None);
        Some(rollout.clone())
    }

    /// Whether a candidate is on trial that this roll-out puts an end to.
    pub(crate) fn supersede(&mut self, orders: &Orders) -> bool {
        let Some(rollout) = &orders.rollout else {
            return false;
        };
        let wanted = rollout.manifest.sha256;
        let over = self
            .trial
            .as_ref()
            .is_some_and(|trial| trial.manifest.sha256 != wanted);
        if over {
            self.trial = None;
        }
        over
    }

    /// The module of a roll-out is not to be had at present; it is asked for again.
    pub(crate) fn wait(&mut self, rollout: u64, why: &str) {
        self.reach(rollout, State::Fetching, Some(why.to_owned()));
    }

    /// The module of a roll-out is not let in.
    pub(crate) fn refuse(&mut self, rollout: u64, why: &str) {
        self.refused += 1;
        self.reach(rollout, State::Refused, Some(why.to_owned()));
    }

    /// The module of a roll-out begins to decide.
    pub(crate) fn begin(&mut self, rollout: Rollout, pace: Pace, now: Instant) -> Share {
        self.reach(rollout.number, State::OnTrial, None);
        self.trial = Some(Trial {
            rollout: rollout.number,
            manifest: rollout.manifest,
            judge: Judge::new(pace, now),
            share: Judge::FIRST,
        });
        Judge::FIRST
    }

    /// Has the judge hear what was counted, and rule.
    pub(crate) fn proceed(&mut self, tally: Tally, now: Instant) -> Step {
        let Some(mut trial) = self.trial.take() else {
            return Step::Nothing;
        };
        trial.judge.hear(tally);
        match trial.judge.rule(now) {
            Ruling::Goes { share, next } => {
                trial.share = share;
                self.trial = Some(trial);
                Step::Give(share, next)
            }
            Ruling::Wins => {
                self.stable = name(&trial.manifest);
                self.memory.adopted = Some(trial.manifest);
                self.reach(trial.rollout, State::Adopted, None);
                Step::Adopt
            }
            Ruling::Loses(worse) => {
                self.rolled_back += 1;
                let reason = worse.to_string();
                self.memory.reject(Rejected {
                    sha256: trial.manifest.sha256,
                    rollout: trial.rollout,
                    reason: reason.clone(),
                });
                self.reach(trial.rollout, State::RolledBack, Some(reason));
                Step::Dismiss
            }
        }
    }

    fn has_failed(&self, rollout: u64) -> bool {
        let over = [State::Refused, State::RolledBack];
        let progress = self.progress.as_ref();
        progress.is_some_and(|now| now.number == rollout && over.contains(&now.state))
    }

    fn reach(&mut self, number: u64, state: State, reason: Option<String>) {
        let reason = reason.map(|reason| shortened(&reason, MAX_REASON));
        self.progress = Some(Progress {
            number,
            state,
            reason,
        });
    }
}

fn name(manifest: &Manifest) -> ModuleRef {
    ModuleRef {
        sha256: manifest.sha256,
        name: Some(manifest.name.clone()),
    }
}

/// What the cache keys of a module begin with: the same in every life, so that a disk cache goes
/// on with it.
pub(crate) fn namespace(sha256: ModuleHash) -> String {
    sha256.to_string()[..16].to_owned()
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
