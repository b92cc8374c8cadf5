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
mod look_ups;
mod opener;
mod origin;
mod outcome;
mod parameters;
pub mod plan_text;
mod profile;
mod quarantine;
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
pub use look_ups::LookUps;
pub use origin::{NotOurs, Origin};
pub use outcome::{
    Change, Delivery, Disposition, Dropped, LayerMade, LookUp, Outcome, OutgoingCopy, Refusal,
    Refused, Stages,
};
pub use profile::{
    AlreadyProtected, CipherChoice, IdentityChoice, KeyTransportChoice, MissingIdentity, Profile,
};
pub use quarantine::Quarantine;
pub use transaction::Transaction;
