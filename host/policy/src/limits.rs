//! What one evaluation of a filter may use.

use std::time::Duration;

/// Limits for one evaluation. Reaching one is the filter's failure, with a code of its own,
/// unless the call that reaches it can answer `limit-exceeded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterLimits {
    /// Time in the guest, host calls that may wait not counted. Code `filter.deadline`.
    pub time: Duration,
    /// Time in host calls that may wait (directories, tokens), all of them together.
    pub host_time: Duration,
    /// Octets of each linear memory. Code `filter.memory`.
    pub memory: usize,
    /// Elements of each table. Code `filter.memory`.
    pub table: usize,
    /// Handles alive at the same time.
    pub handles: usize,
    /// Octets of the message, of certificates and of settings copied into the guest.
    pub bytes_read: usize,
    /// Octets that one call may pass to the host.
    pub bytes_per_call: usize,
    /// Log lines.
    pub log_lines: usize,
    /// Rules, facts, metrics and notes kept with the decision, each.
    pub records: usize,
    /// Recipients that the plan may have after this filter.
    pub recipients: usize,
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self {
            time: Duration::from_millis(100),
            host_time: Duration::from_secs(20),
            memory: 32 << 20,
            table: 16_384,
            handles: 4_096,
            bytes_read: 64 << 20,
            bytes_per_call: 4 << 20,
            log_lines: 200,
            records: 4_096,
            recipients: 10_000,
        }
    }
}

/// What an evaluation has used so far.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    pub(crate) read: usize,
    pub(crate) records: usize,
    pub(crate) waited: Duration,
}

/// Bounds memories and tables, and remembers that it said no: what the guest makes of it
/// looks like a panic of its own.
pub(crate) struct Limiter {
    memory: usize,
    table: usize,
    refused: Option<String>,
}

impl Limiter {
    pub(crate) fn new(limits: &FilterLimits) -> Self {
        Self {
            memory: limits.memory,
            table: limits.table,
            refused: None,
        }
    }

    /// What was refused, if anything.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    fn allow(&mut self, what: &str, desired: usize, limit: usize) -> bool {
        if desired > limit {
            self.refused = Some(format!("{what}: limit {limit}"));
        }
        desired <= limit
    }
}

impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.memory;
        Ok(self.allow("octets of memory", desired, limit))
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.table;
        Ok(self.allow("elements of a table", desired, limit))
    }
}
