//! Write Waxseal mail filters in Rust.
//!
//! A filter looks at one mail transaction, decides, and returns. The host owns
//! the keys and does the S/MIME; a filter asks for it and never sees a private
//! key. This one has every message signed:
//!
//! ```no_run
//! use waxseal_guest::prelude::*;
//!
//! struct SignAll;
//!
//! impl Filter for SignAll {
//!     type Settings = ();
//!
//!     fn new((): ()) -> Result<Self, Vec<ConfigProblem>> {
//!         Ok(SignAll)
//!     }
//!
//!     fn evaluate(&self, tx: &Transaction) -> Result<Verdict, Error> {
//!         profiles::apply(tx, "sign", Timing::OnDelivery, Recipients::All)?;
//!         Ok(Verdict::Proceed)
//!     }
//! }
//!
//! waxseal_guest::filter!(SignAll);
//! # fn main() {}
//! ```
//!
//! One module stands for one interface of the contract (`wit/filter.wit`), and a
//! component imports an interface only when its filter calls it: the `use` of
//! `profiles` above is what the operator has to grant. What everybody may do
//! without a grant is [`mail`], [`session`], [`config`], [`log`], [`explain`],
//! [`metrics`] and [`clock`].
//!
//! On the host target `cargo check` and `cargo test` work, so that a filter's own
//! logic can be tested; a call into the gateway panics there.
//!
//! When a filter fails (an error from `evaluate`, a panic, a limit), the message
//! is deferred unless the operator's `on-error` says otherwise; it is never
//! delivered in clear because of it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod actions;
mod authentication_results;
#[doc(hidden)]
pub mod bindings;
pub mod certificates;
pub mod clock;
pub mod config;
mod domain;
pub mod envelope;
mod error;
pub mod explain;
mod filter;
pub mod harvest;
pub mod inspect;
pub mod log;
pub mod mail;
pub mod metrics;
pub mod open;
pub mod pattern;
pub mod profiles;
pub mod protect;
pub mod session;
pub mod settings;
mod verdict;

#[doc(hidden)]
pub use filter::run;
pub use {
    authentication_results::authentication_results,
    error::{Error, ErrorKind},
    filter::{ConfigProblem, Filter},
    session::Recipients,
    verdict::{Reply, Verdict},
};

/// What nearly every filter uses.
pub mod prelude {
    pub use crate::{
        ConfigProblem, Error, Filter, Recipients, Reply, Verdict, actions, config, explain,
        harvest, inspect, log,
        mail::{Message, Part},
        open,
        profiles::{self, Timing},
        session::{Recipient, Transaction},
    };
}
