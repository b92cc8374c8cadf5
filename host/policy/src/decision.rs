//! What the chain decided, and how it got there.

use serde::Serialize;

use crate::config::OnError;
use crate::plan::{Plan, Verdict};
use crate::trace::Trace;

/// The end of the chain.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What the chain ended with. A verdict other than [`Verdict::Deliver`] beats the plan.
    pub verdict: Verdict,
    /// The table, as the last filter left it.
    pub plan: Plan,
    /// What each filter did.
    pub trace: Trace,
    /// The filter whose verdict or failure ended the chain; `None` when it ran to its end.
    pub decided_by: Option<String>,
    /// Filters that failed, skipped ones included.
    pub failures: Vec<FilterFailure>,
}

/// A filter failed: trap, limit, error, or an answer that it may not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FilterFailure {
    /// Which.
    pub filter: String,
    /// Stable dotted token: `filter.trap`, `filter.deadline`, `filter.memory`,
    /// `filter.limit`, `filter.error`, `filter.nonsense` (values that are none of the
    /// contract's), `filter.bad-reply`, `filter.verdict-not-granted`, `filter.instantiate`,
    /// `filter.suspended` (it kept failing and was not run);
    /// and `policy.overloaded`, for which `filter` is empty.
    pub code: &'static str,
    /// For people and logs.
    pub message: String,
    /// What was done about it.
    pub on_error: OnError,
}
