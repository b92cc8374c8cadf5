//! What one evaluation of a filter may use.

use std::time::Duration;

/// Limits for one evaluation. Reaching one is the filter's failure, with a code of its own,
/// unless the call that reaches it can answer `limit-exceeded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterLimits {
    /// Time in the guest (on Unix, of the processor). What the host works at the guest's
    /// request, look-ups and searches, is counted apart. Code `filter.deadline`.
    pub time: Duration,
    /// Time that the host may work for one evaluation: look-ups that may wait, decoding and
    /// searching of parts. A call that is under way is not interrupted.
    pub host_time: Duration,
    /// Octets of all linear memories together. Code `filter.memory`.
    pub memory: usize,
    /// Elements of each table. Code `filter.memory`.
    pub table: usize,
    /// Handles alive at the same time.
    pub handles: usize,
    /// Octets of the message, of certificates and of settings copied into the guest.
    pub bytes_read: usize,
    /// Octets of header sections that edits make.
    pub bytes_written: usize,
    /// Octets that one call may pass to the host.
    pub bytes_per_call: usize,
    /// Log lines.
    pub log_lines: usize,
    /// Rules, metrics and notes kept with the decision.
    pub records: usize,
    /// Octets of everything that is kept with the decision, log lines included.
    pub record_bytes: usize,
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
            bytes_written: 16 << 20,
            bytes_per_call: 4 << 20,
            log_lines: 200,
            records: 4_096,
            record_bytes: 2 << 20,
            recipients: 10_000,
        }
    }
}

/// What an evaluation has used so far.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    pub(crate) read: usize,
    pub(crate) written: usize,
    pub(crate) records: usize,
    pub(crate) record_bytes: usize,
    pub(crate) waited: Duration,
}

/// Bounds memories and tables, and remembers that it said no: what the guest makes of it
/// looks like a panic of its own.
pub(crate) struct Limiter {
    memory: usize,
    in_use: usize,
    table: usize,
    refused: Option<String>,
}

impl Limiter {
    pub(crate) fn new(limits: &FilterLimits) -> Self {
        Self {
            memory: limits.memory,
            in_use: 0,
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
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.memory;
        let others = self.in_use.saturating_sub(current);
        let total = others.saturating_add(desired);
        let allowed = self.allow("octets of memory", total, limit);
        if allowed {
            self.in_use = total;
        }
        Ok(allowed)
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
