//! What one listener is told: its name, bounds.

use std::time::Duration;

/// One listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name: `session.listener`, which `[origin] listeners` names.
    pub listener: String,
    /// Connections at a time; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Bounds on what an MTA hands in.
    pub limits: Limits,
    /// Bounds on how long things take.
    pub timeouts: Timeouts,
}

impl Settings {
    /// A listener of this name, with the usual bounds.
    pub fn new(listener: impl Into<String>) -> Self {
        Self {
            listener: listener.into(),
            max_connections: 200,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// Bounds on what an MTA hands in. Each has a reply and a test; the octets of all messages
/// together are bounded by the service: 452 4.3.1.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of one message: 552 5.3.4.
    pub message: usize,
    /// Recipients of one message: 452 4.5.3.
    pub recipients: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 64 << 20,
            recipients: 10_000,
        }
    }
}

/// Bounds on how long things take.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// Between two events of an SMTP session. MTAs keep the connection for as long as a client
    /// keeps theirs; libmilter waits as long.
    pub idle: Duration,
    /// For the rest of a packet, or for the MTA to take one.
    pub packet: Duration,
    /// From the end of a message to our last word about it: less than the MTA's client waits
    /// (RFC 5321 §4.5.3.2.6: ten minutes) and than the MTA waits for us (Postfix
    /// `milter_content_timeout`, Sendmail `T=E`: 300 s).
    pub stay: Duration,
    /// Between two words that we are still at work.
    pub progress: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(7210),
            packet: Duration::from_secs(60),
            stay: Duration::from_secs(240),
            progress: Duration::from_secs(10),
        }
    }
}
