//! SMTP and LMTP server: an after-queue content filter in front of a next hop.
//!
//! [`Server`] takes mail over ESMTP (RFC 5321) or LMTP (RFC 2033), adds a Received field, lets a
//! [`waxseal_service::Service`] decide, has a [`waxseal_relay::Relay`] carry that out, and only
//! then answers: 2yz means that the next hop has taken every copy. It has no queue, knows no
//! mailboxes, and authenticates nobody; a relay tells it by XFORWARD whose mail comes.
//!
//! A message ends with CRLF.CRLF and with nothing else. Whatever is unsure, out of bounds for
//! now, or in the way of a shutdown is a temporary failure, and a connection on which it is not
//! known where the next command begins is closed.
//!
//! [`Sessions`] is the protocol alone: it leaves its messages with any [`Courier`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod command;
mod content;
mod courier;
mod error;
mod parameters;
mod path;
mod received;
mod reply;
mod server;
mod session;
mod settings;
mod transaction;
mod wire;
mod xforward;

pub use courier::{Answer, Courier, Offer, Room, Submission};
pub use error::Error;
pub use server::Server;
pub use session::Sessions;
pub use settings::{BareNewline, Limits, Protocol, Settings, Timeouts};
