//! SMTP and LMTP server: an after-queue content filter in front of a [`waxseal_relay::Relay`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod server;
mod settings;

pub use server::Server;
pub use settings::{BareNewline, Limits, Protocol, Settings, Timeouts};
