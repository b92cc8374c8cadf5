//! To the next hop: what a front end does with an outcome.
//!
//! [`Relay::carry_out`] gives every copy of a [`waxseal_engine::Disposition`] to the next hop over
//! SMTP or LMTP, reports recipients who were refused alone (RFC 3464), and answers with the
//! replies that the front end owes its client. It keeps no queue: nothing is acknowledged before
//! the next hop has taken every copy. It listens nowhere and decides nothing about mail. On
//! failure the answer is a temporary one.
//!
//! | question | where |
//! |---|---|
//! | what does a disposition become? | `relay.rs` |
//! | all copies or none, one reply | `two_phases.rs` |
//! | one reply for each recipient | `each.rs` |
//! | is this reply a refusal or a deferral? | `answer.rs` |
//! | which parameters go on, and can this content be sent? | `letter.rs` |
//! | commands, time-outs, STARTTLS | `session.rs`, `tls.rs` |
//! | how many connections, and which are used again | `pool.rs` |
//!
//! Metrics, each with the label `hop`, the next hop's name in the settings:
//!
//! | name | what |
//! |---|---|
//! | `waxseal_relay_seconds` | how long carrying out took |
//! | `waxseal_relay_replies_total` | replies that front ends were given, by `class` (`2yz`, `4yz`, `5yz`) |
//! | `waxseal_relay_connections`, `waxseal_relay_connections_total` | open now, opened ever |
//! | `waxseal_relay_taken_in_part_total` | recipients who had a copy when the message was deferred |
//! | `waxseal_relay_unsure_total` | recipients whose final dot was not answered |
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod answer;
mod capabilities;
mod delivery;
pub mod dsn;
mod each;
mod error;
mod letter;
mod pool;
mod relay;
mod reply;
mod report;
mod session;
mod settings;
mod stuffing;
mod tls;
pub mod trace;
mod two_phases;

pub use capabilities::Capabilities;
pub use error::Error;
pub use relay::{Envelope, Relay, Replies};
pub use reply::{Defect, HopReply};
pub use settings::{Hop, Protocol, Settings, Tls};
