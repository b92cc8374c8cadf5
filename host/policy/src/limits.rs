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
