//! The server as its clients see it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bounds;
mod chunking;
mod commands;
mod dialog;
mod gateway;
mod hop;
mod hostile;
mod outcomes;
mod smuggling;
mod tls;
mod xforward;
