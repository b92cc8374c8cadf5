//! To the next hop: what a front end does with an outcome.
//!
//! [`Relay::carry_out`] gives every copy of a [`Disposition`] to the next hop over SMTP or LMTP,
//! reports recipients who were refused alone (RFC 3464), and answers with the replies that the
//! front end owes its client. It keeps no queue: nothing is acknowledged before the next hop has
//! taken every copy. It listens nowhere and decides nothing about mail. On failure the answer is
//! a temporary one.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

use bytes::Bytes;
use waxseal_engine::Disposition;
use waxseal_message::Address;
use waxseal_policy::plan::Reply;
use waxseal_policy::transaction::{EsmtpParameter, Recipient};

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

/// The way to one next hop.
pub struct Relay {}

impl Relay {
    /// Does what the disposition says. `Replies::One` gives exactly one reply, `Replies::Each`
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
