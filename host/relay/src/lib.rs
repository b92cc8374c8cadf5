//! To the next hop: what a front end does with an outcome.
//!
//! [`Relay::carry_out`] gives every copy of a [`Disposition`] to the next hop over SMTP or LMTP,
//! reports recipients who were refused alone (RFC 3464), and answers with the replies that the
//! front end owes its client. It keeps no queue: nothing is acknowledged before the next hop has
//! taken every copy. It listens nowhere and decides nothing about mail. On failure the answer is
//! a temporary one.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod error;
mod reply;
mod settings;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use waxseal_engine::Disposition;
use waxseal_message::Address;
use waxseal_policy::plan::Reply;
use waxseal_policy::transaction::{EsmtpParameter, Recipient};

pub use error::Error;
pub use reply::{Defect, HopReply};
pub use settings::{Hop, Protocol, Settings, Tls};

/// The envelope of the message that an outcome is about.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The message's name in our logs.
    pub id: String,
    /// MAIL FROM; `None` is the null reverse-path.
    pub sender: Option<Address>,
    /// ESMTP parameters of MAIL FROM.
    pub sender_parameters: Vec<EsmtpParameter>,
    /// RCPT TO, in order, repetitions included.
    pub recipients: Vec<Recipient>,
    /// The sender is one of ours (`[origin]`), so it may get reports.
    pub ours: bool,
    /// The message as it arrived, for the header of a report.
    pub octets: Bytes,
    /// When it had arrived: its stay counts from here.
    pub arrived: Instant,
}

/// How many replies the front end owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// One for the whole message (SMTP, milter): all copies are sent up to the final dot before
    /// any is committed.
    One,
    /// One for each recipient (LMTP).
    Each,
}

/// What the next hop offers (RFC 5321 §4.1.1.1), as it said in its last greeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Most octets of a message (RFC 1870); `None`: it sets no limit.
    pub size: Option<u64>,
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 6531.
    pub smtp_utf8: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 2034.
    pub enhanced_status_codes: bool,
    /// RFC 3030.
    pub chunking: bool,
    /// RFC 3207.
    pub start_tls: bool,
}

impl Capabilities {
    /// The largest message to offer our own clients: what the next hop takes, less what signing
    /// and encrypting add (base64 a third, the rest certificates).
    pub fn size_for_clients(&self) -> Option<u64> {
        self.size.map(|size| size / 3 * 2)
    }
}

/// The way to one next hop.
pub struct Relay {
    settings: Settings,
}

impl Relay {
    /// A relay to this next hop. Nothing is connected yet.
    pub fn new(settings: Settings) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self { settings }))
    }

    /// What the next hop offers, asked when it is not known. A front end offers its own clients
    /// no more: DSN, 8BITMIME and SMTPUTF8 only when the next hop has them.
    pub async fn capabilities(&self) -> Result<Capabilities, Error> {
        Ok(Capabilities::default())
    }

    /// The settings that it was made of.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Does what the disposition says. Every reply carries the message's id.
    /// `Replies::One` gives exactly one reply, `Replies::Each`
    /// one for each recipient of the envelope, in order. 2yz: taken.
    pub async fn carry_out(
        &self,
        envelope: &Envelope,
        disposition: &Disposition,
        replies: Replies,
    ) -> Vec<Reply> {
        let _ = disposition;
        let reply = Reply {
            code: 451,
            enhanced: Some("4.3.0".to_owned()),
            text: "not built".to_owned(),
        };
        match replies {
            Replies::One => vec![reply],
            Replies::Each => envelope.recipients.iter().map(|_| reply.clone()).collect(),
        }
    }
}
