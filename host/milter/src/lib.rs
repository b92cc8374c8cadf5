//! The milter protocol (version 6): an MTA asks about a message, the policy answers.
//!
//! ```text
//! octets ──▶ codec ──▶ session ──▶ message ──▶ Service ──▶ answer ──▶ codec ──▶ octets
//!                                                            └──▶ Relay (what no milter can say)
//! ```
//!
//! | module | what it is for |
//! |---|---|
//! | `codec`, `negotiation` | packets, commands, responses; what is agreed. No I/O |
//! | `session`, `facts`, `message` | commands → a whole message with what is known of its session. No I/O |
//! | `answer`, `edits`, `reply`, `received` | an outcome → responses, or what goes around. No I/O |
//! | `connection`, `server` | sockets and time |
//!
//! It decides nothing about mail and keeps nothing. On failure (of the MTA's octets, of time, of
//! ours) the connection ends without a final word, and the MTA does what its default action says;
//! it must be a temporary failure (`milter_default_action = tempfail`, Sendmail `F=T`), as in our
//! samples. The final word comes after all changes, so that no half-changed message goes on.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod answer;
pub mod codec;
mod connection;
mod edits;
mod error;
mod facts;
mod message;
pub mod negotiation;
mod received;
mod reply;
mod server;
pub mod session;
mod settings;

pub use error::Error;
pub use message::Received;
pub use server::Server;
pub use settings::{Limits, Settings, Timeouts};
