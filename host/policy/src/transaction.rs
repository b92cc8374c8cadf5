//! What a front end hands in: envelope, session facts and message.
//!
//! `None` always means that the MTA did not say; nothing here is a made-up default.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use waxseal_message::{Address, Message};

/// One mail transaction (RFC 5321 §3.3) with all that is known of its session.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The MTA's queue id.
    pub queue_id: Option<String>,
    /// Whose mail it is, by the operator's `[origin]` settings; never from addresses alone.
    pub direction: Option<Direction>,
    /// MAIL FROM; `None` is the null reverse-path.
    pub sender: Option<Address>,
    /// ESMTP parameters of MAIL FROM.
    pub sender_parameters: Vec<EsmtpParameter>,
    /// RCPT TO, in order.
    pub recipients: Vec<Recipient>,
    /// The message as the MTA handed it in.
    pub message: Message,
    /// The session.
    pub session: Session,
    /// What the front end can express.
    pub abilities: BTreeSet<Ability>,
    /// Unix seconds: the clock of every filter and of every signature of this transaction.
    pub time: i64,
}

/// Facts about the session that the message came through.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Name of the listener that took the message: `cli`, or as configured.
    pub listener: Option<String>,
    /// The client's address.
    pub client_ip: Option<IpAddr>,
    /// The client's name, as the MTA resolved it.
    pub client_name: Option<String>,
    /// Argument of HELO or EHLO.
    pub helo: Option<String>,
    /// The authenticated user (RFC 4954).
    pub auth_user: Option<String>,
    /// TLS version, as the MTA names it.
    pub tls_version: Option<String>,
    /// TLS cipher suite.
    pub tls_cipher: Option<String>,
    /// Subject of the client's certificate.
    pub tls_client_subject: Option<String>,
    /// Results of SPF, DKIM, DMARC, ARC (RFC 8601) from a source that the operator trusts.
    pub auth_results: Vec<AuthResult>,
    /// Milter macros and other facts by name.
    pub properties: BTreeMap<String, String>,
}

/// Direction of a message, seen from the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From ours to others.
    Outbound,
    /// From others to ours.
    Inbound,
    /// From ours to ours.
    Internal,
}

impl Direction {
    /// The name that filters see.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Outbound => "outbound",
            Direction::Inbound => "inbound",
            Direction::Internal => "internal",
        }
    }
}

/// One RCPT TO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The mailbox.
    pub address: Address,
    /// ESMTP parameters (NOTIFY, ORCPT, …).
    pub parameters: Vec<EsmtpParameter>,
}

/// An ESMTP parameter (RFC 5321 §4.1.1.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EsmtpParameter {
    /// Keyword.
    pub name: String,
    /// Value, if it has one.
    pub value: Option<String>,
}

/// A result of another check of this message (RFC 8601).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthResult {
    /// `spf`, `dkim`, `dmarc`, `arc`, …
    pub method: String,
    /// `pass`, `fail`, …
    pub verdict: String,
    /// Properties, such as `header.d`.
    pub properties: Vec<(String, String)>,
}

/// What a front end may or may not be able to express.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// Different copies for different recipients.
    Route,
    /// Another reverse-path.
    SetSender,
    /// Keep the message for a person to look at.
    Quarantine,
}

impl Ability {
    /// The name that filters see.
    pub fn as_str(self) -> &'static str {
        match self {
            Ability::Route => "route",
            Ability::SetSender => "set-sender",
            Ability::Quarantine => "quarantine",
        }
    }
}
