//! The edge module: instances, deadlines, memory bound.
//!
//! A call takes well under a microsecond, so it runs on the thread that has the request. Each
//! thread has a slot with an instance of its own; an instance is replaced after a number of calls
//! and after a trap, so that nothing a call left behind outlives it for long.

use std::{
    fmt::Write,
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use sha2::{Digest, Sha256};
use thiserror::Error;
use tracing::info;
use wasmtime::{
    Engine, Instance, InstanceAllocationStrategy, InstancePre, Linker, Memory, Module,
    PoolingAllocationConfig, Store, StoreLimits, StoreLimitsBuilder, TypedFunc,
};
use weir_edge_abi::{
    ABI_VERSION, BodyCheck, Config, DecodeError, MIN_BUFFER, Overflow, Plan, Request, Verdict,
};

/// Calls after which an instance is replaced.
const CALLS_PER_INSTANCE: u32 = 1000;
/// Most bytes of memory that an instance may have.
const MEMORY_BYTES: usize = 4 << 20;
/// How often the epoch moves on.
const TICK: Duration = Duration::from_millis(10);
/// Ticks that a call may take: so many that a busy machine cannot cut an honest call short.
const TICKS_PER_CALL: u64 = 20;

/// Why a file is not an edge module.
#[derive(Debug, Error)]
pub enum InvalidModule {
    /// It is not WebAssembly, or lacks an export, or does not start.
    #[error("the module does not compile or start")]
    Module(#[source] wasmtime::Error),
    /// It imports something; a guest has nothing but its memory.
    #[error("the module imports {0}")]
    Imports(String),
    /// It speaks another version of the codec.
    #[error("the module has ABI version {found}, this host has {ABI_VERSION}")]
    Version {
        /// What the module says.
        found: u32,
    },
    /// Its buffer is too small or lies outside its memory.
    #[error("the module's buffer of {capacity} bytes at {address} is too small or out of bounds")]
    Buffer {
        /// Where it says its buffer is.
        address: u32,
        /// How long it says it is.
        capacity: u32,
    },
    /// It refuses the configuration.
    #[error("the module refuses its configuration")]
    Refused,
}

/// Why a call gave no answer.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// The message does not fit the buffer.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// The guest trapped or ran into its deadline.
    #[error("the guest trapped: {0:#}")]
    Trap(wasmtime::Error),
    /// No instance could be started.
    #[error("no guest could be started: {0}")]
    Start(#[from] InvalidModule),
    /// The guest's answer is not one.
    #[error("the guest's answer is malformed: {0}")]
    Answer(#[from] DecodeError),
    /// The guest says that its answer is longer than its buffer.
    #[error("the guest's answer of {0} bytes is longer than its buffer")]
    Length(u32),
}

/// Instances of one edge module.
pub(crate) struct Guests {
    module: InstancePre<StoreLimits>,
    config: Config,
    slots: Box<[Mutex<Option<Guest>>]>,
}

impl Guests {
    /// Compiles the module and starts a first instance of it, so that a module that cannot work is
    /// found now.
    pub(crate) fn load(bytes: &[u8], config: Config) -> Result<Self, InvalidModule> {
        let slot_count = 2 * thread::available_parallelism().map_or(2, usize::from);
        let engine = engine(slot_count).map_err(InvalidModule::Module)?;
        let module = Module::new(&engine, bytes).map_err(InvalidModule::Module)?;
        if let Some(import) = module.imports().next() {
            return Err(InvalidModule::Imports(format!(
                "{}.{}",
                import.module(),
                import.name()
            )));
        }
        let module = Linker::new(&engine)
            .instantiate_pre(&module)
            .map_err(InvalidModule::Module)?;
        start_clock(&engine);

        let first = Guest::start(&module, &config)?;
        let slots: Box<[_]> = (0..slot_count).map(|_| Mutex::new(None)).collect();
        if let Some(slot) = slots.first() {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(first);
        }
        info!(sha256 = %sha256_hex(bytes), bytes = bytes.len(), "edge module loaded");
        Ok(Self {
            module,
            config,
            slots,
        })
    }

    /// Asks the guest what to do with `request` and hands the plan to `then`, which is to be quick:
    /// the instance is held meanwhile.
    pub(crate) fn decide<T>(
        &self,
        request: &Request<'_>,
        then: impl FnOnce(Plan<'_>) -> T,
    ) -> Result<T, CallError> {
        self.call(
            |buffer| request.encode(buffer),
            |guest| &guest.decide,
            |answer| Ok(then(Plan::decode(answer)?)),
        )
    }

    /// Asks the guest whether a body may be sent on.
    pub(crate) fn check_body<T>(
        &self,
        check: &BodyCheck<'_>,
        then: impl FnOnce(Verdict<'_>) -> T,
    ) -> Result<T, CallError> {
        self.call(
            |buffer| check.encode(buffer),
            |guest| &guest.body,
            |answer| Ok(then(Verdict::decode(answer)?)),
        )
    }

    fn call<T>(
        &self,
        encode: impl FnOnce(&mut [u8]) -> Result<usize, Overflow>,
        export: impl FnOnce(&Guest) -> &TypedFunc<u32, u32>,
        read: impl FnOnce(&[u8]) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let mut slot = self.slot();
        let guest = match slot.take() {
            Some(guest) if guest.calls < CALLS_PER_INSTANCE => guest,
            used_up => {
                drop(used_up);
                Guest::start(&self.module, &self.config)?
            }
        };
        // On any error but an overflow the instance is dropped here instead of being put back.
        let guest = slot.insert(guest);
        let result = guest.call(encode, export, read);
        if matches!(&result, Err(error) if !matches!(error, CallError::Overflow(_))) {
            *slot = None;
        }
        result
    }

    /// This thread's slot, or else any free one.
    fn slot(&self) -> MutexGuard<'_, Option<Guest>> {
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

/// One instance.
struct Guest {
    store: Store<StoreLimits>,
    memory: Memory,
    decide: TypedFunc<u32, u32>,
    body: TypedFunc<u32, u32>,
    buffer: std::ops::Range<usize>,
    calls: u32,
}

impl Guest {
    fn start(module: &InstancePre<StoreLimits>, config: &Config) -> Result<Self, InvalidModule> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(MEMORY_BYTES)
            .instances(1)
            .build();
        let mut store = Store::new(module.module().engine(), limits);
        store.limiter(|limits| limits);
        store.set_epoch_deadline(TICKS_PER_CALL);
        let instance = module
            .instantiate(&mut store)
            .map_err(InvalidModule::Module)?;

        let found = ask(&instance, &mut store, "edge_abi")?;
        if found != ABI_VERSION {
            return Err(InvalidModule::Version { found });
        }
        let address = ask(&instance, &mut store, "edge_buf")?;
        let capacity = ask(&instance, &mut store, "edge_cap")?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or(InvalidModule::Buffer { address, capacity })?;
        let buffer = address as usize..address as usize + capacity as usize;
        if (capacity as usize) < MIN_BUFFER || buffer.end > memory.data_size(&store) {
            return Err(InvalidModule::Buffer { address, capacity });
        }

        let init = export(&instance, &mut store, "edge_init")?;
        let decide = export(&instance, &mut store, "edge_decide")?;
        let body = export(&instance, &mut store, "edge_body")?;
        let mut guest = Self {
            store,
            memory,
            decide,
            body,
            buffer,
            calls: 0,
        };
        let len = config
            .encode(guest.buffer())
            .map_err(|Overflow| InvalidModule::Refused)?;
        match init
            .call(&mut guest.store, len as u32)
            .map_err(InvalidModule::Module)?
        {
            0 => Ok(guest),
            _ => Err(InvalidModule::Refused),
        }
    }

    fn call<T>(
        &mut self,
        encode: impl FnOnce(&mut [u8]) -> Result<usize, Overflow>,
        export: impl FnOnce(&Self) -> &TypedFunc<u32, u32>,
        read: impl FnOnce(&[u8]) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.calls += 1;
        let len = encode(self.buffer())?;
        self.store.set_epoch_deadline(TICKS_PER_CALL);
        let export = export(self).clone();
        let len = export
            .call(&mut self.store, len as u32)
            .map_err(CallError::Trap)?;
        let answer = self
            .buffer()
            .get(..len as usize)
            .ok_or(CallError::Length(len))?;
        read(answer)
    }

    fn buffer(&mut self) -> &mut [u8] {
        // A memory never shrinks, and the range was inside it at the start.
        self.memory
            .data_mut(&mut self.store)
            .get_mut(self.buffer.clone())
            .unwrap_or_default()
    }
}

fn ask(
    instance: &Instance,
    store: &mut Store<StoreLimits>,
    name: &str,
) -> Result<u32, InvalidModule> {
    let export = instance.get_typed_func::<(), u32>(&mut *store, name);
    export
        .and_then(|export| export.call(store, ()))
        .map_err(InvalidModule::Module)
}

fn export(
    instance: &Instance,
    store: &mut Store<StoreLimits>,
    name: &str,
) -> Result<TypedFunc<u32, u32>, InvalidModule> {
    instance
        .get_typed_func(store, name)
        .map_err(InvalidModule::Module)
}

fn engine(slots: usize) -> wasmtime::Result<Engine> {
    // A replaced instance is gone before the next one starts, so one per slot and one that is
    // tried at loading are enough.
    let instances = u32::try_from(slots + 1).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(instances)
        .total_memories(instances)
        .total_tables(instances)
        .max_memory_size(MEMORY_BYTES)
        .linear_memory_keep_resident(256 << 10);
    let mut config = wasmtime::Config::new();
    config
        .epoch_interruption(true)
        .memory_reservation(MEMORY_BYTES as u64)
        .memory_guard_size(64 << 10)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// Moves the engine's epoch on, from a thread of its own: guests that loop may hold every other.
/// The thread ends with the engine.
fn start_clock(engine: &Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    });
}

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
