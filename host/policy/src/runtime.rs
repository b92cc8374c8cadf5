//! The wasm engine of a process: pool of instances, linker, ticker.
//!
//! Every message gets a fresh instance from a pool whose slots keep their pages (the
//! fastest settings measured: copy-on-write memory, 2 MiB kept resident, reset by
//! PAGEMAP_SCAN where the kernel has it). The kernel refuses that call to a process that is
//! not dumpable and unprivileged: make the runtime before switching dumps off.
//!
//! A thread of its own raises the epoch every [`TICK`], which is how loops end. A pool slot
//! cannot be waited for inside wasmtime, so [`Slots`] stands in front of it.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    RegallocAlgorithm,
};

use crate::bindings::Opener;
use crate::breaker::BreakerRules;
use crate::compiled::Compiled;
use crate::error::{LoadError, LoadReason, LoadStep};
use crate::host::HostState;
use crate::limits::FilterLimits;
use crate::prepare::Workshop;

/// How often deadlines are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Core instances in one component: its own, and those of its language's glue.
const CORE_INSTANCES: u32 = 16;
/// Memories in one component. JavaScript engines need three.
const MEMORIES: u32 = 4;
/// Tables in one component.
const TABLES: u32 = 8;
/// Elements of one table; what a filter gets is in its own limits.
pub(crate) const TABLE_ELEMENTS: usize = 16_384;

/// What filters may use together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeLimits {
    /// Messages in evaluation at the same time.
    pub slots: u32,
    /// Octets that a filter's memory may have at most; what each filter gets is in its
    /// own limits.
    pub memory: usize,
    /// How long a message waits for a slot before it is deferred.
    pub wait: Duration,
    /// Messages that may wait for a slot; one more is deferred at once.
    pub waiting: usize,
    /// Whether filters are compiled for many messages or for one.
    pub compile: Compile,
    /// When a filter that keeps failing is not run for a while. `None`: it always is.
    pub breaker: Option<BreakerRules>,
}

/// What the time to compile is spent on. Filters do the same either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Compile {
    /// Code that runs fast: a service loads once for many messages.
    #[default]
    ForMany,
    /// Soon: a command takes one message and ends.
    ForOne,
}

impl Default for RuntimeLimits {
    fn default() -> Self {
        Self {
            slots: 100,
            memory: 64 << 20,
            wait: Duration::from_secs(10),
            waiting: 1_000,
            compile: Compile::default(),
            breaker: None,
        }
    }
}

/// A monotonic clock.
pub type MonotonicClock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Engine, pool of instances, linker and ticker. One is enough for a process.
pub struct Runtime {
    limits: RuntimeLimits,
    clock: MonotonicClock,
    engine: Engine,
    linker: Linker<HostState>,
    pub(crate) slots: Slots,
    /// None where filters run once: then reading the settings once more costs less.
    workshop: Option<Workshop>,
    compiled: Compiled,
    /// Dropping it ends the ticker.
    _ticker: Sender<()>,
}

impl Runtime {
    /// Sets the engine up and starts its ticker. Where the pool cannot be had (address
    /// space is short), instances are allocated one by one, which costs about twice the
    /// time for each.
    pub fn new(limits: &RuntimeLimits) -> Result<Arc<Self>, LoadError> {
        Self::with_clock(limits, Arc::new(Instant::now))
    }

    /// The same with a clock of the caller's for the rest of filters that keep failing.
    pub fn with_clock(
        limits: &RuntimeLimits,
        clock: MonotonicClock,
    ) -> Result<Arc<Self>, LoadError> {
        let engine = engine(limits).map_err(unusable)?;
        let mut linker = Linker::new(&engine);
        Opener::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(unusable)?;
        let workshop = match limits.compile {
            Compile::ForMany => Some(Workshop::new().map_err(unusable)?),
            Compile::ForOne => None,
        };
        Ok(Arc::new(Self {
            limits: *limits,
            clock,
            workshop,
            linker,
            slots: Slots::new(limits),
            compiled: Compiled::default(),
            _ticker: ticker(&engine).map_err(unusable)?,
            engine,
        }))
    }

    pub(crate) fn limits(&self) -> &RuntimeLimits {
        &self.limits
    }

    pub(crate) fn now(&self) -> Instant {
        (self.clock)()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn linker(&self) -> &Linker<HostState> {
        &self.linker
    }

    /// Compiles a component, or finds it among those compiled before: a new generation
    /// mostly has the filters of the last one.
    pub(crate) fn compile(&self, octets: &[u8]) -> wasmtime::Result<Component> {
        // `from_binary` takes no text; precompiled code has another constructor, unsafe.
        self.compiled.find(Sha256::digest(octets).into(), || {
            Component::from_binary(&self.engine, octets)
        })
    }

    /// The component with its settings read, if that is worth the while here.
    pub(crate) fn prepare(
        &self,
        octets: &[u8],
        export: &str,
        json: &str,
        limits: &FilterLimits,
    ) -> wasmtime::Result<Option<Component>> {
        let Some(workshop) = &self.workshop else {
            return Ok(None);
        };
        let key = Sha256::new_with_prefix(Sha256::digest(octets)).chain_update(json);
        let prepare = || {
            let prepared = workshop.prepare(octets, export, json, limits)?;
            Component::from_binary(&self.engine, &prepared)
        };
        self.compiled.find(key.finalize().into(), prepare).map(Some)
    }
}

fn unusable(error: impl std::fmt::Display) -> LoadError {
    LoadError::new(LoadStep::Runtime, LoadReason::Engine(error.to_string()))
}

fn engine(limits: &RuntimeLimits) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.wasm_component_model(true);
    // Host calls are synchronous: no fibres.
    config.concurrency_support(false);
    if limits.compile == Compile::ForOne {
        config.cranelift_opt_level(OptLevel::None);
        config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!(%error, "no pool of wasm instances: each is allocated when it is needed");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config)
        }
    }
}

fn pool(limits: &RuntimeLimits) -> PoolingAllocationConfig {
    let slots = limits.slots.max(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES))
        .total_memories(slots.saturating_mul(MEMORIES))
        .total_tables(slots.saturating_mul(TABLES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(limits.memory)
        .max_unused_warm_slots(slots)
        .decommit_batch_size(1)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(16 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Raises the epoch until the returned sender is dropped.
fn ticker(engine: &Engine) -> std::io::Result<Sender<()>> {
    let (sender, stop) = channel();
    let engine = engine.weak();
    thread::Builder::new()
        .name("waxseal-ticker".to_owned())
        .spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(TICK) {
                let Some(engine) = engine.upgrade() else {
                    return;
                };
                engine.increment_epoch();
            }
        })?;
    Ok(sender)
}

/// As many messages in evaluation as the pool has slots; the others wait, up to a number
/// and a time.
pub(crate) struct Slots {
    wait: Duration,
    waiting: usize,
    state: Mutex<Free>,
    freed: Condvar,
}

struct Free {
    slots: u32,
    waiting: usize,
}

/// A slot in use.
pub(crate) struct Slot<'a> {
    slots: &'a Slots,
}

impl Slots {
    fn new(limits: &RuntimeLimits) -> Self {
        Self {
            wait: limits.wait,
            waiting: limits.waiting,
            state: Mutex::new(Free {
                slots: limits.slots.max(1),
                waiting: 0,
            }),
            freed: Condvar::new(),
        }
    }

    /// A slot; `None` when too many wait for one, or it took too long.
    pub(crate) fn acquire(&self) -> Option<Slot<'_>> {
        let until = Instant::now() + self.wait;
        let mut free = lock(&self.state);
        if free.slots == 0 && free.waiting >= self.waiting {
            return None;
        }
        free.waiting += 1;
        while free.slots == 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                free.waiting -= 1;
                return None;
            }
            free = self
                .freed
                .wait_timeout(free, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        free.waiting -= 1;
        free.slots -= 1;
        Some(Slot { slots: self })
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut free = lock(&self.slots.state);
        free.slots += 1;
        let somebody_waits = free.waiting > 0;
        drop(free);
        // A wake-up is a system call.
        if somebody_waits {
            self.slots.freed.notify_one();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(slots: u32, waiting: usize) -> Slots {
        Slots::new(&RuntimeLimits {
            slots,
            waiting,
            wait: Duration::from_millis(20),
            ..RuntimeLimits::default()
        })
    }

    #[test]
    fn a_slot_is_free_again_after_its_use() {
        let slots = slots(1, 1);
        for _ in 0..3 {
            assert!(slots.acquire().is_some());
        }
    }

    #[test]
    fn who_cannot_have_one_in_time_is_told() {
        let slots = slots(1, 1);
        let held = slots.acquire();
        assert!(held.is_some());
        assert!(slots.acquire().is_none());
    }

    #[test]
    fn nobody_waits_when_too_many_do() {
        let slots = slots(1, 0);
        let held = slots.acquire();
        assert!(held.is_none() || slots.acquire().is_none());
    }
}
