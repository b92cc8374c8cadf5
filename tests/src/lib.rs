//! What the project checks about itself, and the support for tests that drive the real
//! `waxseal` binary.
//!
//! Links no crate of the host: the tests here stand where an operator stands, and see what
//! the binary reads and writes. Crates test their own insides themselves.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod arrows;
pub mod audit;
pub mod metadata;
pub mod opener;
pub mod openssl;
pub mod operator;
pub mod smtp;
