//! What one listener is told: names, protocol, whom it believes, bounds.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio_rustls::rustls::ServerConfig;

/// The protocol that a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321: one reply for each message.
    Smtp,
    /// RFC 2033: one reply for each recipient.
    Lmtp,
}

/// What becomes of a CR or LF alone in a message (RFC 5321 §2.3.8 forbids both). Neither ever
/// ends the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BareNewline {
    /// The message is refused: 550 5.6.11.
    #[default]
    Refuse,
    /// Each becomes CRLF.
    Fix,
}

/// One listener.
#[derive(Clone)]
pub struct Settings {
    /// Its name: `session.listener`, which `[origin] listeners` names, and part of Received.
    pub listener: String,
    /// By what name we greet, and stand in Received.
    pub hostname: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Offers STARTTLS with this certificate.
    pub tls: Option<Arc<ServerConfig>>,
    /// Relays in these networks tell whose mail it is by XFORWARD; peers of a Unix socket may as
    /// well. For all other peers the client is the peer itself. Whoever can connect from one of
    /// these networks can claim any client address: where others log on to the relay's host, let
    /// `[origin]` name listeners only, or listen on a Unix socket.
    pub xforward_from: Vec<IpNet>,
    /// What becomes of a CR or LF alone.
    pub bare_newline: BareNewline,
    /// Connections at a time; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Bounds on what a client sends.
    pub limits: Limits,
    /// Bounds on how long it takes.
    pub timeouts: Timeouts,
}

/// Bounds on what a client sends. Each has a reply and a test.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of one message, without the Received field that is added: 552 5.3.4. The SIZE
    /// offered is this, or what the next hop takes after growth, whichever is less.
    pub message: usize,
    /// Octets of one command line, its end included: 500 5.5.2.
    pub line: usize,
    /// Recipients of one message: 452 4.5.3.
    pub recipients: usize,
    /// Commands that were refused since the last message: 421 4.7.0.
    pub errors: usize,
    /// Commands since the last message that bring none nearer: 421 4.7.0.
    pub idle_commands: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 64 << 20,
            // RFC 5321 §4.5.3.1.4 asks for 512; RFC 3461 §4 adds 500, others less.
            line: 2048,
            // RFC 5321 §4.5.3.1.8 asks for 100.
            recipients: 1000,
            errors: 20,
            idle_commands: 200,
        }
    }
}

/// Bounds on how long a client takes, and how long it waits for us.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// For the next octets of a command, or for a reply to be taken (RFC 5321 §4.5.3.2.7).
    pub command: Duration,
    /// For the next octets of a message.
    pub block: Duration,
    /// For a whole message.
    pub message: Duration,
    /// From the end of a message to our reply: less than the client waits (RFC 5321
    /// §4.5.3.2.6: ten minutes; Postfix `smtp_data_done_timeout`).
    pub stay: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            command: Duration::from_secs(300),
            block: Duration::from_secs(180),
            message: Duration::from_secs(1800),
            stay: Duration::from_secs(240),
        }
    }
}

impl Settings {
    /// A listener with every bound at its default.
    pub fn new(
        listener: impl Into<String>,
        hostname: impl Into<String>,
        protocol: Protocol,
    ) -> Self {
        Self {
            listener: listener.into(),
            hostname: hostname.into(),
            protocol,
            tls: None,
            xforward_from: Vec::new(),
            bare_newline: BareNewline::Refuse,
            max_connections: 200,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}
