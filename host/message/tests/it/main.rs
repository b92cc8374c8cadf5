//! The crate from outside: real mail, and properties that hold for any octets.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bombs;
mod corpus;
mod properties;
mod support;
