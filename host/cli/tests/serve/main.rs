//! `waxseal serve` as an operator sees it: what goes into service and what never does, how it
//! begins and ends, what it says of itself.

#![allow(clippy::unwrap_used, clippy::panic)]
#![cfg(unix)]

mod hop;
mod mail;
mod operation;
mod package;
mod reload;
mod support;
