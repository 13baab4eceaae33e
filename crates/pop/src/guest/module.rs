//! Compiled modules: what instances are started from.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use thiserror::Error;
use wasmtime::{
    Engine, InstanceAllocationStrategy, InstancePre, Linker, PoolingAllocationConfig, StoreLimits,
};
use weir_edge_abi::{ABI_VERSION, Config, MIN_BUFFER, Overflow};

use super::instance::Guest;

/// Most bytes of memory that an instance may have.
pub(super) const MEMORY_BYTES: usize = 4 << 20;
/// Addresses that an instance's memory may be reached at, of which all beyond [`MEMORY_BYTES`] are
/// nobody's. With all that 32 bits can name the machine finds an access out of bounds by itself, and
/// the code need not: a seventh of a call.
const ADDRESSABLE: u64 = 4 << 30;
/// How often the epoch moves on.
const TICK: Duration = Duration::from_millis(10);

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
    /// The configuration does not fit a guest's buffer.
    #[error("the configuration is longer than a guest's buffer of {MIN_BUFFER} bytes")]
    Config,
}

/// The configuration as guests get it. It may change while they run.
#[derive(Clone)]
pub(crate) struct ConfigMessage(Arc<Current>);

struct Current {
    message: RwLock<Arc<[u8]>>,
    /// Counts messages: an instance that got another one is not asked any more.
    change: AtomicU64,
}

impl ConfigMessage {
    /// `config`, encoded.
    pub(crate) fn new(config: &Config) -> Result<Self, InvalidModule> {
        Ok(Self(Arc::new(Current {
            message: RwLock::new(encoded(config)?),
            change: AtomicU64::new(0),
        })))
    }

    /// From now on every instance, of every module that was given this, decides by `config`.
    pub(crate) fn replace(&self, config: &Config) -> Result<(), InvalidModule> {
        let message = encoded(config)?;
        let current = &self.0;
        *current
            .message
            .write()
            .unwrap_or_else(PoisonError::into_inner) = message;
        current.change.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Which configuration it is.
    pub(super) fn change(&self) -> u64 {
        self.0.change.load(Ordering::Acquire)
    }

    pub(super) fn bytes(&self) -> Arc<[u8]> {
        let message = self.0.message.read();
        message.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A configuration that a guest would refuse is refused here, before one is asked.
fn encoded(config: &Config) -> Result<Arc<[u8]>, InvalidModule> {
    let mut buffer = [0; MIN_BUFFER];
    let len = config
        .encode(&mut buffer)
        .map_err(|Overflow| InvalidModule::Config)?;
    let message = &buffer[..len];
    Config::decode(message).map_err(|_| InvalidModule::Refused)?;
    Ok(message.into())
}

/// A compiled module and what its instances are told. Its engine, with all memory that instances
/// take, goes when it goes.
pub(crate) struct Module {
    pre: InstancePre<StoreLimits>,
    config: ConfigMessage,
}

impl Module {
    /// Compiles a module, which takes a moment, and starts an instance of it, so that one that
    /// cannot work is found now. At most `instances` of it are alive at a time.
    pub(crate) fn compile(
        bytes: &[u8],
        config: ConfigMessage,
        instances: usize,
    ) -> Result<Self, InvalidModule> {
        let engine = engine(instances).map_err(InvalidModule::Module)?;
        let module = wasmtime::Module::new(&engine, bytes).map_err(InvalidModule::Module)?;
        if let Some(import) = module.imports().next() {
            let (module, name) = (import.module(), import.name());
            return Err(InvalidModule::Imports(format!("{module}.{name}")));
        }
        let pre = Linker::new(&engine)
            .instantiate_pre(&module)
            .map_err(InvalidModule::Module)?;
        start_clock(&engine);
        let module = Self { pre, config };
        module.start()?;
        Ok(module)
    }

    /// A new instance.
    pub(crate) fn start(&self) -> Result<Guest, InvalidModule> {
        // Taken first: of what comes in between, the instance knows more than it says.
        let change = self.config.change();
        Guest::start(&self.pre, &self.config.bytes(), change)
    }

    /// Whether an instance that was started under the configuration `change` is still good.
    pub(super) fn is_current(&self, change: u64) -> bool {
        self.config.change() == change
    }
}

fn engine(instances: usize) -> wasmtime::Result<Engine> {
    // A replaced instance is gone before the next one starts, so one per slot and one that is
    // tried at loading are enough.
    let instances = u32::try_from(instances + 1).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(instances)
        .total_memories(instances)
        .total_tables(instances)
        .max_memory_size(MEMORY_BYTES)
        .linear_memory_keep_resident(256 << 10);
    let mut config = wasmtime::Config::new();
    config
        .epoch_interruption(true)
        .memory_reservation(ADDRESSABLE)
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
