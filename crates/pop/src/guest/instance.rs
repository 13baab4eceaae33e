//! One instance of the edge module, and what it can be asked.

use std::ops::Range;

use thiserror::Error;
use wasmtime::{Instance, InstancePre, Memory, Store, StoreLimits, StoreLimitsBuilder, TypedFunc};
use weir_edge_abi::{
    ABI_VERSION, Action, BodyCheck, DecodeError, MIN_BUFFER, Overflow, Plan, Request, Verdict,
};

use super::module::{InvalidModule, MEMORY_BYTES, Module};

/// Calls after which an instance is replaced.
const CALLS_PER_INSTANCE: u32 = 1000;
/// Ticks of the epoch that a call may take: so many that a busy machine cannot cut an honest call
/// short.
const TICKS_PER_CALL: u64 = 20;

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

impl CallError {
    /// Whether the guest is to blame, rather than a request that is too long for any.
    pub(crate) fn is_failure(&self) -> bool {
        !matches!(self, Self::Overflow(_))
    }
}

/// What a guest can be asked.
pub(crate) trait Question {
    /// What it answers.
    type Answer<'a>;

    /// The export that answers it.
    fn export(exports: &Exports) -> &TypedFunc<u32, u32>;
    /// Writes the message to the start of `buffer`; gives the length.
    fn encode(&self, buffer: &mut [u8]) -> Result<usize, Overflow>;
    /// Reads the answer.
    fn decode(message: &[u8]) -> Result<Self::Answer<'_>, DecodeError>;
    /// Whether the answer turns the viewer away.
    fn refuses(answer: &Self::Answer<'_>) -> bool;
    /// Whether two answers come to the same for the origin and for the viewer's status.
    fn agree(one: &Self::Answer<'_>, other: &Self::Answer<'_>) -> bool;
}

/// What to do with a request.
impl Question for Request<'_> {
    type Answer<'a> = Plan<'a>;

    fn export(exports: &Exports) -> &TypedFunc<u32, u32> {
        &exports.decide
    }

    fn encode(&self, buffer: &mut [u8]) -> Result<usize, Overflow> {
        self.encode(buffer)
    }

    fn decode(message: &[u8]) -> Result<Plan<'_>, DecodeError> {
        Plan::decode(message)
    }

    fn refuses(plan: &Plan<'_>) -> bool {
        match &plan.action {
            Action::Deny(_) => true,
            Action::Respond(response) => response.status >= 400,
            _ => false,
        }
    }

    fn agree(one: &Plan<'_>, other: &Plan<'_>) -> bool {
        match (&one.action, &other.action) {
            (Action::Serve(one), Action::Serve(other)) => {
                one.target == other.target && one.encoding == other.encoding
            }
            (Action::Forward(one), Action::Forward(other)) => one.target == other.target,
            (Action::Join(one), Action::Join(other)) => one.room == other.room,
            (
                Action::Respond(one) | Action::Deny(one),
                Action::Respond(other) | Action::Deny(other),
            ) => one.status == other.status,
            _ => false,
        }
    }
}

/// Whether a body may be sent on.
impl Question for BodyCheck<'_> {
    type Answer<'a> = Verdict<'a>;

    fn export(exports: &Exports) -> &TypedFunc<u32, u32> {
        &exports.body
    }

    fn encode(&self, buffer: &mut [u8]) -> Result<usize, Overflow> {
        self.encode(buffer)
    }

    fn decode(message: &[u8]) -> Result<Verdict<'_>, DecodeError> {
        Verdict::decode(message)
    }

    fn refuses(verdict: &Verdict<'_>) -> bool {
        matches!(verdict, Verdict::Refuse(_))
    }

    fn agree(one: &Verdict<'_>, other: &Verdict<'_>) -> bool {
        Self::refuses(one) == Self::refuses(other)
    }
}

/// A place for an instance, filled anew when the one in it is used up or has failed.
#[derive(Default)]
pub(crate) struct Seat(Option<Guest>);

impl Seat {
    /// Asks the instance of `module` that sits here. After an error that [is a
    /// failure](CallError::is_failure) the seat is to be [cleared](Self::clear).
    pub(crate) fn ask<'g, Q: Question>(
        &'g mut self,
        module: &Module,
        question: &Q,
    ) -> Result<Q::Answer<'g>, CallError> {
        let guest = match self.0.take() {
            Some(guest) if guest.is_good(module) => guest,
            used_up => {
                // Its place in the pool has to be free before the next one starts.
                drop(used_up);
                module.start()?
            }
        };
        self.0.insert(guest).ask(question)
    }

    /// Asks the question once for nothing but its way to be warm; `false` if that failed.
    pub(crate) fn warm<Q: Question>(&mut self, module: &Module, question: &Q) -> bool {
        let warm = self.ask(module, question).is_ok();
        if !warm {
            self.clear();
        }
        warm
    }

    /// Ends the instance.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}

/// One instance.
pub(crate) struct Guest {
    store: Store<StoreLimits>,
    memory: Memory,
    exports: Exports,
    buffer: Range<usize>,
    calls: u32,
    /// Under which configuration it was started.
    change: u64,
}

/// What can be called.
pub(crate) struct Exports {
    decide: TypedFunc<u32, u32>,
    body: TypedFunc<u32, u32>,
}

impl Guest {
    pub(super) fn start(
        module: &InstancePre<StoreLimits>,
        config: &[u8],
        change: u64,
    ) -> Result<Self, InvalidModule> {
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

        let found = tell(&instance, &mut store, "edge_abi")?;
        if found != ABI_VERSION {
            return Err(InvalidModule::Version { found });
        }
        let address = tell(&instance, &mut store, "edge_buf")?;
        let capacity = tell(&instance, &mut store, "edge_cap")?;
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
            exports: Exports { decide, body },
            buffer,
            calls: 0,
            change,
        };
        let place = guest.buffer().get_mut(..config.len());
        place.ok_or(InvalidModule::Config)?.copy_from_slice(config);
        match init
            .call(&mut guest.store, config.len() as u32)
            .map_err(InvalidModule::Module)?
        {
            0 => Ok(guest),
            _ => Err(InvalidModule::Refused),
        }
    }

    fn is_good(&self, module: &Module) -> bool {
        self.calls < CALLS_PER_INSTANCE && module.is_current(self.change)
    }

    /// Asks it. After a failure it is not to be asked again.
    pub(crate) fn ask<Q: Question>(&mut self, question: &Q) -> Result<Q::Answer<'_>, CallError> {
        self.calls += 1;
        let len = question.encode(self.buffer())?;
        self.store.set_epoch_deadline(TICKS_PER_CALL);
        let len = Q::export(&self.exports)
            .call(&mut self.store, len as u32)
            .map_err(CallError::Trap)?;
        let answer = self
            .buffer()
            .get(..len as usize)
            .ok_or(CallError::Length(len))?;
        Ok(Q::decode(answer)?)
    }

    fn buffer(&mut self) -> &mut [u8] {
        // A memory never shrinks, and the range was inside it at the start.
        self.memory
            .data_mut(&mut self.store)
            .get_mut(self.buffer.clone())
            .unwrap_or_default()
    }
}

fn tell(
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
