//! What a front end hands to the engine.

use std::collections::BTreeSet;

use bytes::Bytes;
use waxseal_message::Address;
use waxseal_policy::transaction::{Ability, EsmtpParameter, Recipient, Session};

/// Envelope, session facts and the octets of the message.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The MTA's queue id.
    pub queue_id: Option<String>,
    /// MAIL FROM; `None` is the null reverse-path.
    pub sender: Option<Address>,
    /// ESMTP parameters of MAIL FROM.
    pub sender_parameters: Vec<EsmtpParameter>,
    /// RCPT TO, in order; a recipient named twice counts once.
    pub recipients: Vec<Recipient>,
    /// The message (RFC 5322), as it arrived.
    pub octets: Bytes,
    /// The session that it came through.
    pub session: Session,
    /// What the front end can express.
    pub abilities: BTreeSet<Ability>,
    /// Now, in Unix seconds: the clock of filters, certificates and signatures.
    pub time: i64,
}

impl Transaction {
    /// A transaction of which only envelope and message are known.
    pub fn new(
        sender: Option<Address>,
        recipients: impl IntoIterator<Item = Address>,
        octets: impl Into<Bytes>,
        time: i64,
    ) -> Self {
        let recipients = recipients
            .into_iter()
            .map(|address| Recipient {
                address,
                parameters: Vec::new(),
            })
            .collect();
        Self {
            queue_id: None,
            sender,
            sender_parameters: Vec::new(),
            recipients,
            octets: octets.into(),
            session: Session::default(),
            abilities: BTreeSet::from([Ability::Route, Ability::SetSender, Ability::Quarantine]),
            time,
        }
    }
}
