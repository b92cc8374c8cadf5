//! An engine in service: what every front end shares.
//!
//! A front end hands [`Service::process`] a transaction, carries the [`Processed`] outcome out,
//! and says how that ended ([`Processed::conclude`]): one log line, the metrics and the recorded
//! decision come from there. [`listen`] is the accept loop of every listener. It knows no mail
//! protocol and no configuration. What it cannot do now is a deferral, never a loss.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod ending;
pub mod listen;
mod service;

pub use ending::Ending;
pub use service::{Processed, Service, Settings};
