//! Which next hop, and how patient we are with it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// One next hop.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the operator calls the next hop: a label of logs and metrics.
    pub name: String,
    /// Our own name, in EHLO and in reports.
    pub hostname: String,
    /// What the next hop speaks.
    pub protocol: Protocol,
    /// Where it listens.
    pub address: Hop,
    /// Whether the way to it is encrypted.
    pub tls: Tls,
    /// Most connections to it at a time, at least one; they are kept and reused. Reports take
    /// one more. It must not exceed what the next hop serves at a time: copies of one message
    /// wait for each other.
    pub connections: usize,
    /// How long a command may take. RFC 5321 §4.5.3.2 gives 5 minutes to most of them, 2 to DATA,
    /// 3 to each block of the message and 10 to its end: these stay in proportion.
    pub timeout: Duration,
    /// How long a message may stay with us in all, from [`crate::Envelope::arrived`].
    pub stay: Duration,
}

/// What the next hop speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 2033: one reply for each recipient.
    Lmtp,
}

/// Where the next hop listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// A host name or address, and a port.
    Tcp(String, u16),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hop::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Hop::Tcp(host, port) => write!(f, "{host}:{port}"),
            Hop::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Whether the way to the next hop is encrypted (RFC 3207).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Never.
    Off,
    /// When the next hop offers it, with whatever certificate it has; in clear when that fails.
    /// Keeps out who only listens (RFC 7435).
    May,
    /// Always, with a certificate of this name from these authorities; deferred when that fails.
    Must {
        /// PEM file of the authorities.
        ca: PathBuf,
        /// The name in the next hop's certificate, or its IP address.
        name: String,
    },
}
