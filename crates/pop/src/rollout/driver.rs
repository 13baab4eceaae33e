//! The clock, the disk and the network around a [`Course`].

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::join;
use http::{Method, StatusCode};
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::{
    sync::Notify,
    task::{AbortHandle, spawn_blocking},
    time::{sleep_until, timeout},
};
use tracing::{debug, info, warn};
use weir_model::rollout::{
    CHECK_IN_PATH, MODULES_PATH, Manifest, ModuleRef, Orders, Rollout, Status,
};

use super::{
    Config,
    counters::Counters,
    course::{Course, Step, namespace},
    intake::{Refusal, inspect, remembered, revive},
    signature,
    store::{Memory, Store, StoreError},
};
use crate::{
    guest::{ConfigMessage, Generation, Guests, InvalidModule},
    pop::LoadError,
    upstream::{FetchError, Upstream},
};

/// How long the origin may take to answer a check-in or to send a module.
const WAIT: Duration = Duration::from_secs(10);

/// Why the origin gave no orders, or no module.
#[derive(Debug, Error)]
pub(crate) enum ContactError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the origin answered {0}")]
    Status(StatusCode),
    #[error("the origin's answer is not what was asked for: {0}")]
    Answer(#[from] serde_json::Error),
}

/// The roll-outs of one point of presence.
pub(crate) struct Rollouts {
    guests: Arc<Guests>,
    /// What every module is told at its start.
    told: ConfigMessage,
    course: Mutex<Course>,
    /// Whether the origin is asked for modules.
    attended: bool,
    task: Mutex<Option<AbortHandle>>,
    config: Config,
    store: Option<Store>,
    counters: Counters,
    /// A candidate has begun.
    begun: Notify,
    /// There is something to tell.
    news: Notify,
}

impl Rollouts {
    /// Starts with the module that was adopted in an earlier life, if it is still good, and
    /// otherwise with `module`, which the point of presence came with.
    ///
    /// Without a configuration no other module is ever asked for.
    pub(crate) fn load(
        config: Option<Config>,
        module: &[u8],
        told: &weir_edge_abi::Config,
        registry: &mut Registry,
    ) -> Result<Self, NoStart> {
        let told = ConfigMessage::new(told)?;
        let attended = config.is_some();
        let config = config.unwrap_or_default();
        let store = config.store.as_deref().map(Store::open).transpose()?;
        let counters = Counters::register(registry);
        let memory = store.as_ref().map_or_else(Memory::default, remembered);
        let kept = store.as_ref().zip(memory.adopted.as_ref());
        let kept = kept.map(|(store, manifest)| revive(store, manifest, &config.keys, &told));
        let (kept, fault) = match kept {
            Some(Ok(kept)) => (Some(kept), None),
            Some(Err(fault)) => (None, Some(fault)),
            None => (None, None),
        };
        let (generation, stable) = match kept {
            Some(kept) => kept,
            None => {
                let compiled = Guests::compile(module, told.clone())?;
                let sha256 = signature::hash(module);
                let stable = ModuleRef { sha256, name: None };
                (Generation::new(compiled, String::new()), stable)
            }
        };
        info!(sha256 = %stable.sha256, name = stable.name, "edge module loaded");
        let mut course = Course::new(stable, memory);
        if let Some(fault) = fault {
            warn!(%fault, "the edge module kept on disk is not gone on with");
            counters.refused.inc();
            course.refuse(0, &format!("the module kept on disk: {fault}"));
        }
        Ok(Self {
            guests: Arc::new(Guests::new(generation)),
            told,
            course: Mutex::new(course),
            attended,
            task: Mutex::default(),
            config,
            store,
            counters,
            begun: Notify::new(),
            news: Notify::new(),
        })
    }

    /// From the next call on every module, now and later, decides by `told`.
    pub(crate) fn tell(&self, told: &weir_edge_abi::Config) -> Result<(), InvalidModule> {
        self.told.replace(told)
    }

    /// Who decides.
    pub(crate) fn guests(&self) -> &Arc<Guests> {
        &self.guests
    }

    /// How it goes.
    pub(crate) fn status(&self) -> Status {
        self.course().status()
    }

    /// From now on the origin is asked what is wanted, and it is done. Needs a tokio runtime.
    pub(crate) fn attend(self: &Arc<Self>, upstream: &Upstream) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.attended || task.is_some() {
            return;
        }
        let (this, upstream) = (self.clone(), upstream.clone());
        let running = tokio::spawn(async move {
            join(this.keep_in_touch(&upstream), this.hold_trials()).await;
        });
        *task = Some(running.abort_handle());
    }

    /// No other module is taken any more.
    pub(crate) fn rest(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = &*task {
            task.abort();
        }
    }

    async fn keep_in_touch(self: &Arc<Self>, upstream: &Upstream) {
        loop {
            match self.check_in(upstream).await {
                Ok(orders) => self.obey(upstream, &orders).await,
                Err(error) => debug!(%error, "the origin gives no orders"),
            }
            let _ = timeout(self.config.interval, self.news.notified()).await;
        }
    }

    async fn check_in(&self, upstream: &Upstream) -> Result<Orders, ContactError> {
        let status = serde_json::to_vec(&self.status())?;
        let answer = upstream
            .exchange(Method::POST, CHECK_IN_PATH, status.into(), WAIT)
            .await?;
        match answer.status {
            StatusCode::OK => Ok(serde_json::from_slice(&answer.body)?),
            status => Err(ContactError::Status(status)),
        }
    }

    async fn obey(self: &Arc<Self>, upstream: &Upstream, orders: &Orders) {
        let over = self.course().supersede(orders);
        if over {
            self.guests.dismiss();
            self.counters.show(None);
        }
        let rollout = self.course().order(orders);
        if let Some(rollout) = rollout {
            self.take(upstream, rollout).await;
        }
    }

    /// Fetches a module, looks at it, and lets it begin.
    async fn take(self: &Arc<Self>, upstream: &Upstream, rollout: Rollout) {
        let number = rollout.number;
        // A signature that is wrong costs no fetch.
        let trusted = self.config.keys.verify_manifest(&rollout.manifest);
        let let_in = match trusted.map_err(Refusal::from) {
            Err(refusal) => Err(refusal),
            Ok(()) => match self.fetch(upstream, &rollout.manifest).await {
                Err(error) => {
                    warn!(%error, rollout = number, "the edge module cannot be had");
                    self.course().wait(number, &error.to_string());
                    return;
                }
                Ok(bytes) => {
                    let this = self.clone();
                    let begin = spawn_blocking(move || this.begin(rollout, &bytes));
                    begin.await.unwrap_or(Err(Refusal::Unknown))
                }
            },
        };
        if let Err(refusal) = let_in {
            warn!(%refusal, rollout = number, "edge module refused");
            self.counters.refused.inc();
            self.course().refuse(number, &refusal.to_string());
        }
        self.news.notify_one();
    }

    async fn fetch(&self, upstream: &Upstream, manifest: &Manifest) -> Result<Bytes, ContactError> {
        let target = format!("{MODULES_PATH}/{}", manifest.sha256);
        let answer = upstream
            .exchange(Method::GET, &target, Bytes::new(), WAIT)
            .await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status => Err(ContactError::Status(status)),
        }
    }

    /// Lets a module in and gives it its first share. Compiling takes a moment.
    fn begin(&self, rollout: Rollout, bytes: &[u8]) -> Result<(), Refusal> {
        let sha256 = rollout.manifest.sha256;
        let module = inspect(&rollout.manifest, bytes, &self.config.keys, &self.told)?;
        if let Some(store) = &self.store
            && let Err(error) = store.keep(sha256, bytes)
        {
            warn!(%error, "the edge module on trial is not kept on disk");
        }
        info!(%sha256, name = rollout.manifest.name, rollout = rollout.number, "edge module on trial");
        let mut course = self.course();
        let share = course.begin(rollout, self.config.pace, Instant::now());
        self.guests
            .try_out(Generation::new(module, namespace(sha256)), share);
        self.counters.show(Some(share));
        self.begun.notify_one();
        Ok(())
    }

    async fn hold_trials(self: &Arc<Self>) {
        loop {
            self.begun.notified().await;
            // The first ruling is due at once.
            let mut next = Some(Instant::now());
            while let Some(due) = next {
                tokio::select! {
                    () = sleep_until(due.into()) => {}
                    () = self.guests.alarm() => {}
                }
                let this = self.clone();
                // Waits for calls under way.
                let proceed = spawn_blocking(move || this.proceed(Instant::now()));
                next = proceed.await.unwrap_or_default();
            }
            self.news.notify_one();
        }
    }

    /// Has the judge rule and carries it out; gives the time of the next ruling.
    fn proceed(&self, now: Instant) -> Option<Instant> {
        let mut course = self.course();
        let tally = self.guests.take_tally();
        self.counters.add(&tally);
        let step = course.proceed(tally, now);
        match step {
            Step::Nothing => return None,
            Step::Give(share, next) => {
                self.guests.give(share);
                self.counters.show(Some(share));
                return Some(next);
            }
            Step::Adopt => {
                self.guests.adopt();
                self.counters.adopted.inc();
                info!("edge module adopted");
            }
            Step::Dismiss => {
                self.guests.dismiss();
                self.counters.rolled_back.inc();
                let progress = course.status().rollout;
                let reason = progress.and_then(|progress| progress.reason);
                warn!(reason, "edge module rolled back");
            }
        }
        self.counters.show(None);
        if let Some(store) = &self.store
            && let Err(error) = store.remember(course.memory())
        {
            warn!(%error, "the outcome of the roll-out is not kept on disk");
        }
        None
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a point of presence has no module to begin with.
#[derive(Debug)]
pub(crate) enum NoStart {
    Module(InvalidModule),
    Store(StoreError),
}

impl NoStart {
    /// The same of a module file.
    pub(crate) fn of(self, path: &Path) -> LoadError {
        match self {
            Self::Module(source) => LoadError::Module {
                path: path.to_owned(),
                source,
            },
            Self::Store(error) => LoadError::EdgeStore(error),
        }
    }
}

impl From<InvalidModule> for NoStart {
    fn from(error: InvalidModule) -> Self {
        Self::Module(error)
    }
}

impl From<StoreError> for NoStart {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
