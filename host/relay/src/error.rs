//! What can be wrong with the settings, or with the next hop.

use std::path::PathBuf;
use std::time::Duration;

/// Why a relay was not made, or a next hop could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The configuration.
    /// The file of authorities cannot be read.
    #[error("no certificates in {}: {reason}", .path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No host or address that a certificate could name.
    #[error("not a name of a TLS server: {0}")]
    ServerName(String),

    // The world: a retry may pass.
    /// Nobody answers there, or the connection broke.
    #[error("{step}: {source}")]
    Io {
        /// What we were doing.
        step: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The next hop closed the connection.
    #[error("{0}: the next hop closed the connection")]
    Closed(&'static str),
    /// The next hop took too long.
    #[error("{step}: no answer in {limit:?}")]
    TimedOut {
        /// What we were waiting for.
        step: &'static str,
        /// How long.
        limit: Duration,
    },
    /// What the next hop says is no SMTP reply.
    #[error("{step}: {defect}")]
    Garbled {
        /// What we were waiting for.
        step: &'static str,
        /// What is wrong with it.
        defect: crate::reply::Defect,
    },
    /// The next hop does not want to talk to us.
    #[error("{step}: {reply}")]
    Unwilling {
        /// What we asked.
        step: &'static str,
        /// What it said.
        reply: crate::reply::HopReply,
    },
    /// TLS is a must, and the next hop does not offer it.
    #[error("the next hop does not offer STARTTLS")]
    NoTls,
    /// All connections were busy for too long.
    #[error("no connection to the next hop became free")]
    Busy,
}
