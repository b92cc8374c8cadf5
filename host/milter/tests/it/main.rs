//! The listener as MTAs meet it: a service with a policy directory behind it, sockets in front.

#![allow(clippy::unwrap_used, clippy::panic)]

mod changes;
mod gateway;
mod hostile;
mod miltertest;
mod mta;
mod next_hop;
mod policy;
mod stages;
