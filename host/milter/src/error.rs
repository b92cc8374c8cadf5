//! What a peer may do wrong, or the world. All of it ends the connection: the MTA then does what
//! its default action says, which our samples set to a temporary failure.

use std::time::Duration;

/// Why a connection ended early.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The MTA: a packet without even a command.
    #[error("a packet without a command")]
    EmptyPacket,
    /// The MTA: a packet longer than anything in the protocol.
    #[error("a packet of {size} octets: limit {limit}")]
    PacketTooLong {
        /// As announced.
        size: usize,
        /// What is read at most.
        limit: usize,
    },
    /// The MTA: a command that the protocol does not have.
    #[error("an unknown command: {0:#04x}")]
    UnknownCommand(u8),
    /// The MTA: a command whose octets are not what the command says.
    #[error("a malformed command: {0}")]
    Malformed(&'static str),
    /// The MTA: a command at the wrong time.
    #[error("a command out of order: {0}")]
    OutOfOrder(&'static str),
    /// The MTA: macros without bound.
    #[error("macros of more than {limit} octets")]
    TooManyMacros {
        /// Octets of all macros of a connection.
        limit: usize,
    },
    /// The MTA: an old version of the protocol.
    #[error("milter protocol version {0}; 2 to 6 are spoken here")]
    Version(u32),
    /// The world: the MTA closed the connection where it owed us something, or we it.
    #[error("the connection was closed in the middle")]
    HungUp,
    /// The world: nothing came, or nothing was taken, for too long.
    #[error("nothing moved for {} s", .0.as_secs())]
    Silence(Duration),
    /// The world: the connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// The service is stopping.
    #[error("stopping")]
    Stopping,
}

impl Error {
    /// A word for metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Error::EmptyPacket => "empty-packet",
            Error::PacketTooLong { .. } => "packet-too-long",
            Error::UnknownCommand(_) => "unknown-command",
            Error::Malformed(_) => "malformed",
            Error::OutOfOrder(_) => "out-of-order",
            Error::TooManyMacros { .. } => "too-many-macros",
            Error::Version(_) => "version",
            Error::HungUp => "hung-up",
            Error::Silence(_) => "silence",
            Error::Io(_) => "io",
            Error::Stopping => "stopping",
        }
    }
}
