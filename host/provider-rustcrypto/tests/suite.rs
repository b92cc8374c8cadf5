//! The tests of every provider, with this one.

#![allow(clippy::unwrap_used, clippy::panic)]

use waxseal_provider_rustcrypto::RustCrypto;

const PROVIDER: RustCrypto = RustCrypto;

#[path = "../../../tests/providers/mod.rs"]
mod providers;
