//! Loads, grants, limits and runs filters: transaction in, plan out.
//!
//! The only crate that knows wasmtime. It knows no S/MIME: what a filter asks for goes
//! through [`Capabilities`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod capabilities;
pub mod plan;
pub mod transaction;

pub use capabilities::Capabilities;
