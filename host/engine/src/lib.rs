//! `Engine::process(transaction) → Outcome`: the chain of filters, the plan, the copies.
//!
//! The engine knows no protocol and reads no file. A front end hands it a [`Transaction`]
//! and turns the [`Outcome`] into replies and deliveries. Whatever goes wrong becomes an
//! outcome: nothing panics, nothing is lost, and nothing that must be encrypted leaves in
//! clear.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod authentication_results;
mod carry_out;
mod certificates;
mod copies;
mod engine;
mod generation;
mod harvest;
mod host_calls;
mod inbound;
mod layers;
mod opener;
mod origin;
mod outcome;
mod parameters;
mod profile;
mod replies;
mod settle;
mod signer;
#[cfg(test)]
mod testing;
mod transaction;
mod trust;

pub use engine::Engine;
pub use generation::{AssignedIdentity, ConfigError, Generation, GenerationParts};
pub use inbound::Inbound;
pub use origin::{NotOurs, Origin};
pub use outcome::{
    Delivery, Disposition, Dropped, LayerMade, Outcome, OutgoingCopy, Refusal, Refused,
};
pub use profile::{
    AlreadyProtected, CipherChoice, IdentityChoice, KeyTransportChoice, MissingIdentity, Profile,
};
pub use transaction::Transaction;
