//! Loads, grants, limits and runs filters: transaction in, plan out.
//!
//! The only crate that knows wasmtime. It knows no S/MIME: what a filter asks for goes
//! through [`Capabilities`]. It does no I/O of its own and reads no configuration; what it
//! is given ([`PolicyConfig`]) is octets and values.
//!
//! A [`Runtime`] holds the engine, the pool of instances and the ticker that enforces
//! deadlines; one is enough for a process. A [`Policy`] is one generation's filters, loaded
//! in steps that each fail with a [`LoadError`] naming step, filter and reason.
//! [`Policy::decide`] runs the chain and never fails: what goes wrong in a filter is in the
//! [`Decision`], and what is not certain becomes a `defer`.
//!
//! Filters get no WASI, not even an empty one: a component that imports `wasi:*` is refused
//! at load. Filters written in Rust import nothing but `waxseal:filter`; languages whose
//! runtimes want WASI come later (or are built with their tool's `--stub-wasi`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

// The tests of a module and those of the whole share their guests and their people.
#[cfg(test)]
extern crate self as waxseal_policy;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

pub mod capabilities;
pub mod plan;
pub mod reply;
pub mod transaction;

mod bindings;
mod breaker;
mod clock;
mod compiled;
mod component;
mod config;
mod decision;
mod describe;
mod dictionary;
mod error;
mod filter;
mod grants;
mod host;
mod limits;
mod lists;
mod load;
mod policy;
mod prepare;
mod runtime;
mod table;
mod trace;

pub use breaker::{BreakerRules, FilterHealth, FilterState, LastFailure};
pub use capabilities::Capabilities;
pub use config::{FilterConfig, OnError, PolicyConfig};
pub use decision::{Decision, FilterFailure};
pub use describe::{ComponentDescription, Import, describe};
pub use dictionary::{Dictionaries, Dictionary, DictionaryError, Term};
pub use error::{ConfigProblem, LoadError, LoadReason, LoadStep};
pub use grants::{GrantError, Grants};
pub use limits::FilterLimits;
pub use lists::{ListError, Lists};
pub use plan::{Plan, Verdict};
pub use policy::{FilterInfo, Policy};
pub use runtime::{Compile, MonotonicClock, Runtime, RuntimeLimits};
pub use trace::{CallTrace, FilterTrace, LogLine, MetricTrace, RuleTrace, Trace};
